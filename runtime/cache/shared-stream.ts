// Owns one answer read by many while it is made. Readers pull it forward, and it goes on for as long as one is
// left: who leaves stops nobody else, and the last to leave stops the making.
import { createDeferred } from '../deferred.ts';
import { abortErrorOf } from '../errors.ts';
import type { MakeShared } from '../types.ts';

export interface SharedStream<Part, Asker> {
  /** One more reader, counted from this call on, whether it reads or not; it must be read or returned. */
  read(
    asker: Asker,
    options?: { readonly signal?: AbortSignal | undefined; readonly waitMs?: number | undefined },
  ): AsyncIterableIterator<Part, void, void>;
}

/** @param ended called once, when there is nothing more to come, or nobody left to come for */
export function createSharedStream<Part, Asker>(
  make: MakeShared<Part, Asker>,
  first: Asker,
  ended: () => void,
): SharedStream<Part, Asker> {
  const stop = new AbortController();
  const parts: Part[] = [];
  const readers: { readonly asker: Asker }[] = [];
  let asker = first;
  let state: { readonly failure?: unknown } | undefined;
  let pulling: Promise<void> | undefined;
  const source = make(() => asker, stop.signal);

  function end(how: { readonly failure?: unknown }): void {
    if (state !== undefined) return;
    state = how;
    ended();
  }

  /** One step of the making, shared by all who wait for it. Never rejects. */
  function pull(): Promise<void> {
    pulling ??= source
      .next()
      .then(
        (result) => {
          if (result.done === true) end({});
          else parts.push(result.value);
        },
        (failure: unknown) => end({ failure }),
      )
      .finally(() => {
        pulling = undefined;
      });
    return pulling;
  }

  async function abandon(): Promise<void> {
    if (state !== undefined) return;
    end({ failure: new DOMException('Nobody waits for the answer any more.', 'AbortError') });
    stop.abort();
    await source.return().catch(() => undefined);
  }

  return {
    read(of, { signal, waitMs } = {}) {
      const reader = { asker: of };
      readers.push(reader);
      const deadline = waitMs === undefined ? undefined : AbortSignal.timeout(waitMs);
      let at = 0;

      async function leave(): Promise<void> {
        const place = readers.indexOf(reader);
        if (place === -1) return;
        readers.splice(place, 1);
        asker = readers[0]?.asker ?? asker;
        if (readers.length === 0) await abandon();
      }

      async function next(): Promise<IteratorResult<Part, void>> {
        try {
          while (at === parts.length && state === undefined) {
            await abortable(pull(), [signal, parts.length === 0 ? deadline : undefined]);
          }
        } catch (error) {
          // The making may take its time to stop; the reader need not wait for it.
          void leave();
          throw error;
        }
        const part = parts[at];
        if (at < parts.length) {
          at += 1;
          return { done: false, value: part as Part };
        }
        void leave();
        if (state !== undefined && 'failure' in state) throw state.failure;
        return { done: true, value: undefined };
      }

      return {
        next,
        async return() {
          await leave();
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}

/** Settles as `work` does, or rejects as soon as one of the signals aborts. */
async function abortable(work: Promise<void>, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  const watched = signals.filter((signal) => signal !== undefined);
  const stop = createDeferred<never>();
  const listeners = watched.map((signal) => {
    const listener = (): void => stop.reject(reasonOf(signal));
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener, { once: true });
    return [signal, listener] as const;
  });
  try {
    await Promise.race([work, stop.promise]);
  } finally {
    stop.promise.catch(() => undefined);
    for (const [signal, listener] of listeners) signal.removeEventListener('abort', listener);
  }
}

function reasonOf(signal: AbortSignal): Error {
  const { reason } = signal as { readonly reason: unknown };
  return reason instanceof DOMException && reason.name === 'TimeoutError' ? reason : abortErrorOf(signal);
}
