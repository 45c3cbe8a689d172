// Owns reading a stream through one buffer: a stream's own chunks are garbage that piles up to twice a model before a
// browser collects it. Streams that take no buffer are read as they come.

/** Large enough that asking for the next costs nothing, small enough that a few in flight are nothing. */
export const PIECE_BYTES: number = 2 ** 20;

/** The stream's bytes in order; a part is overwritten once the next is asked for. Left early, the stream is cancelled. */
export async function* readThrough(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const { read, cancel } = readerOf(stream);
  try {
    for (let next = await read(); !next.done; next = await read()) yield next.value;
  } finally {
    await cancel().catch(() => undefined);
  }
}

interface Reading {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  cancel(): Promise<void>;
}

function readerOf(stream: ReadableStream<Uint8Array>): Reading {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: 'byob' });
  } catch {
    const plain = stream.getReader();
    return { read: () => plain.read(), cancel: () => plain.cancel() };
  }
  let buffer = new ArrayBuffer(PIECE_BYTES);
  return {
    async read() {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done || value === undefined) return { done: true, value: undefined };
      // Handed back by the stream, which had it meanwhile.
      buffer = value.buffer;
      return { done, value };
    },
    cancel: () => reader.cancel(),
  };
}
