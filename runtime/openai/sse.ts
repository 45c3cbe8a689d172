// Owns server-sent events out: frames pulled one at a time, so a slow reader slows the model, a reader who
// leaves aborts it, and no frame ends inside a character.
import { isAbortError } from '../errors.ts';

export interface EventStreamOptions {
  /** Milliseconds of silence before a comment keeps proxies from closing the connection; 0 for never. */
  readonly heartbeatMs: number;
  /** The data of one last frame for a failure after the headers went out. */
  readonly failureData: (error: unknown) => string;
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
  const send = (controller: ReadableStreamDefaultController<Uint8Array>, text: string): void =>
    controller.enqueue(encoder.encode(text));
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pending ??= frames.next();
        try {
          const result = await orSilence(pending, options.heartbeatMs);
          if (result === undefined) return send(controller, ': waiting\n\n');
          pending = undefined;
          if (result.done !== true) return send(controller, `data: ${result.value}\n\n`);
          send(controller, 'data: [DONE]\n\n');
          controller.close();
        } catch (error) {
          // Nobody reads after an abort; anything else the client must see as an error, not as an end.
          if (isAbortError(error)) return controller.error(error);
          send(controller, `data: ${options.failureData(error)}\n\n`);
          controller.close();
        }
      },
      async cancel() {
        options.onCancel();
        pending?.catch(() => {});
        await frames.return?.().catch(() => {});
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}

/** The promise, or undefined after so long; the promise stays to be waited for again. */
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
