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
  const encoder = new TextEncoder();
  let pending: Promise<IteratorResult<string>> | undefined;
  let over = false;
  let onAbort = (): void => {};
  /** Nothing may be said to the controller after this; says whether it was the first end. */
  const end = (): boolean => {
    const first = !over;
    over = true;
    options.signal.removeEventListener('abort', onAbort);
    return first;
  };
  /** Closes the maker without waiting: one that hangs in `next` would hang here too. */
  const leave = (): void => {
    pending?.catch(() => {});
    void frames.return?.().catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // A reader inside the same page does not always cancel when it aborts.
        onAbort = () => {
          if (!end()) return;
          controller.error(new DOMException('The request was aborted.', 'AbortError'));
          leave();
        };
        if (options.signal.aborted) onAbort();
        else options.signal.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        const send = (text: string): void => {
          if (!over) controller.enqueue(encoder.encode(text));
        };
        const last = (text: string): void => {
          send(text);
          if (end()) controller.close();
        };
        pending ??= frames.next();
        try {
          const result = await orSilence(pending, options.heartbeatMs);
          if (result === undefined) return send(': waiting\n\n');
          pending = undefined;
          if (result.done === true) last('data: [DONE]\n\n');
          else send(`data: ${result.value}\n\n`);
        } catch (error) {
          if (over) return;
          // Nobody reads after an abort; anything else the client must see as an error, not as an end.
          if (!isAbortError(error)) last(`data: ${options.failureData(error)}\n\n`);
          else if (end()) controller.error(error);
        }
      },
      cancel() {
        end();
        options.onCancel();
        leave();
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
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
