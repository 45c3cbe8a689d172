// Owns server-sent events out: frames pulled one at a time, so a slow reader slows the model, a reader who
// leaves aborts it, and no frame ends inside a character.
import { isAbortError } from '../errors.ts';

export interface EventStreamOptions {
  /** Milliseconds of silence before a comment keeps proxies from closing the connection; 0 for never. */
  readonly heartbeatMs: number;
  /** The data of one last frame for a failure after the headers went out. */
  readonly failureData: (error: unknown) => string;
  /** The request's own: when it fires the stream errors at once, whatever its maker does. */
  readonly signal: AbortSignal;
  /** The reader left. */
  readonly onCancel: () => void;
}

/** A body of `data:` frames, ended by `[DONE]`, or by one error frame without it. */
export function eventStream(
  frames: AsyncIterator<string>,
  options: EventStreamOptions,
): ReadableStream<Uint8Array> {
  let pending: Promise<IteratorResult<string>> | undefined;
  let writer: Writer;
  /** Closes the maker without waiting: one that hangs in `next` would hang here too. */
  const leave = (): void => {
    pending?.catch(() => {});
    void frames.return?.().catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        writer = writerOf(controller, options.signal, leave);
      },
      async pull() {
        pending ??= frames.next();
        try {
          const result = await orSilence(pending, options.heartbeatMs);
          if (result === undefined) return writer.send(': waiting\n\n');
          pending = undefined;
          if (result.done === true) writer.last('data: [DONE]\n\n');
          else writer.send(`data: ${result.value}\n\n`);
        } catch (error) {
          // Nobody reads after an abort; anything else the client must see as an error, not as an end.
          if (isAbortError(error)) writer.fail(error);
          else writer.last(`data: ${options.failureData(error)}\n\n`);
        }
      },
      cancel() {
        writer.end();
        options.onCancel();
        leave();
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}

/** A stream's pen. Whatever is said after the end is dropped: a reader may leave at any time. */
interface Writer {
  send(text: string): void;
  /** Says this and closes. */
  last(text: string): void;
  fail(error: unknown): void;
  /** True the first time. */
  end(): boolean;
}

/** Fails the stream as soon as the signal fires: a reader in the same page does not always cancel then. */
function writerOf(
  controller: ReadableStreamDefaultController<Uint8Array>,
  signal: AbortSignal,
  onAborted: () => void,
): Writer {
  const encoder = new TextEncoder();
  let over = false;
  const writer: Writer = {
    send(text) {
      if (!over) controller.enqueue(encoder.encode(text));
    },
    last(text) {
      writer.send(text);
      if (writer.end()) controller.close();
    },
    fail(error) {
      if (writer.end()) controller.error(error);
    },
    end() {
      signal.removeEventListener('abort', abort);
      const first = !over;
      over = true;
      return first;
    },
  };
  const abort = (): void => {
    writer.fail(new DOMException('The request was aborted.', 'AbortError'));
    onAborted();
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return writer;
}

/** The promise, or undefined after so long; the promise stays, to be waited for again. */
async function orSilence<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms <= 0) return await promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
