// Owns the weights' way from the page to its worker: parts asked for over a message port and handed over, a few in
// flight and no more, in buffers that go back and forth, so that neither side ever holds the file whole, nor as garbage.
// Works wherever workers do: no stream is transferred. Refuses to check anything: the worker hashes what it gets.
import { fromWireError, NearfieldError, toWireError } from '../../errors.ts';
import { PIECE_BYTES } from '../../model-files/read-through.ts';
import type { FileSource } from '../../model-files/source.ts';
import type { FromFeed, ToFeed } from './wire.ts';

/** The part of a message port used here. */
export interface FeedPort<Out, In> {
  postMessage(message: Out, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<In>) => void) | null;
  close(): void;
}

/** Parts asked for ahead: the next is on its way while the worker hashes one. */
const AHEAD = 3;

/** The page's side. Ends with the returned function, whatever the worker still wants. */
export function serveFeed(port: FeedPort<FromFeed, ToFeed>, source: FileSource): () => void {
  let reading: AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> | undefined;
  const spares: ArrayBuffer[] = [];
  // One after the other, in the order asked.
  let turn: Promise<unknown> = Promise.resolve();

  async function answer(message: ToFeed): Promise<void> {
    try {
      if (message.type === 'start') {
        await reading?.return();
        reading = pieces(source.parts(), spares);
      } else if (message.type === 'settle') {
        port.postMessage({ type: 'settled', again: await source.settle(message.right) });
      } else {
        if (message.spare?.byteLength === PIECE_BYTES) spares.push(message.spare);
        const next = (await reading?.next()) ?? { done: true, value: undefined };
        if (next.done) port.postMessage({ type: 'end' });
        else port.postMessage({ type: 'part', bytes: next.value }, [next.value.buffer]);
      }
    } catch (error) {
      port.postMessage({ type: 'failed', error: toWireError(error) });
    }
  }

  port.onmessage = ({ data }) => {
    turn = turn.then(() => answer(data));
  };
  return () => {
    port.onmessage = null;
    port.close();
    void turn.then(() => reading?.return());
  };
}

/** Parts of our own, of one size: a network's buffer may be somebody's else, and small ones cost a message each. */
async function* pieces(
  parts: AsyncGenerator<Uint8Array, void, void>,
  spares: ArrayBuffer[],
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const empty = () => new Uint8Array(spares.pop() ?? new ArrayBuffer(PIECE_BYTES));
  let piece = empty();
  let filled = 0;
  for await (const part of parts) {
    for (let from = 0; from < part.byteLength; ) {
      const some = part.subarray(from, from + PIECE_BYTES - filled);
      piece.set(some, filled);
      filled += some.byteLength;
      from += some.byteLength;
      if (filled < PIECE_BYTES) continue;
      yield piece;
      piece = empty();
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** The worker's side: the page's file as a source of its own. */
export function feedSource(port: FeedPort<ToFeed, FromFeed>): FileSource {
  const waiting: { resolve(message: FromFeed): void }[] = [];
  port.onmessage = ({ data }) => waiting.shift()?.resolve(data);

  const ask = (message: ToFeed, transfer: Transferable[] = []): Promise<FromFeed> => {
    const answered = new Promise<FromFeed>((resolve) => waiting.push({ resolve }));
    port.postMessage(message, transfer);
    return answered;
  };

  return {
    async *parts() {
      port.postMessage({ type: 'start' });
      const asked = Array.from({ length: AHEAD }, () => ask({ type: 'next' }));
      try {
        for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
          const answer = await next;
          if (answer.type === 'failed') throw fromWireError(answer.error);
          if (answer.type !== 'part') return;
          yield answer.bytes;
          const spare = answer.bytes.buffer;
          asked.push(ask({ type: 'next', spare }, [spare]));
        }
      } finally {
        // Answers to what was asked ahead come before those to whatever is asked later.
        await Promise.all(asked);
      }
    },
    async settle(right) {
      const answer = await ask({ type: 'settle', right });
      if (answer.type === 'failed') throw fromWireError(answer.error);
      if (answer.type === 'settled') return answer.again;
      throw new NearfieldError('internal', 'The page gave another answer than asked.');
    },
  };
}
