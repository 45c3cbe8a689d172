// Owns when a guard opens and how long a question may wait for it. Knows no model: what computes is handed in, so a
// page that asks a worker carries none of the arithmetic.
import { createDeferred } from '../../deferred.ts';
import { NearfieldError } from '../../errors.ts';

/** Whom the cache asks: does a kept question ask the same as a new one? 0…1. */
export interface AskGuard {
  (asked: string, kept: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<number>;
  /** Loads now instead of at the first question. @throws as loading a model does */
  warm(): Promise<void>;
  /** Ends its worker where it has one, gives the memory back; from now on every question fails, waiting ones too. */
  dispose(): Promise<void>;
}

/** Something that can be asked. */
export interface OpenedGuard {
  same(asked: string, kept: string): number | Promise<number>;
  /** Present where it can be lost, as a worker can: it is left when a question fails, and opened anew at the next. */
  leave?(): void;
}

export interface AskOptions {
  /** A question that waits longer fails. Default: waits for as long as it takes. */
  readonly waitMs?: number | undefined;
}

/** What is missing, or hangs, is not asked for again at every question. */
const RETRY_MS = 60_000;

/**
 * Opens at the first question; an opening that failed is tried again at the next question after {@link RETRY_MS}. The
 * signal fires when the guard is disposed of; what opens all the same is left.
 */
export function askOnceOpened(
  open: (signal: AbortSignal) => Promise<OpenedGuard>,
  { waitMs = Number.POSITIVE_INFINITY }: AskOptions = {},
): AskGuard {
  const late = new NearfieldError('backend-unavailable', `The guard gave no answer in ${waitMs} ms.`);
  const life = new AbortController();
  let opened: Promise<OpenedGuard> | undefined;
  let ready: OpenedGuard | undefined;
  let opensSinceMs = 0;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let failure: unknown;

  function pause(error: unknown): void {
    [opened, failure, failedAtMs] = [undefined, error, performance.now()];
  }

  function get(): Promise<OpenedGuard> {
    if (life.signal.aborted) return Promise.reject(life.signal.reason);
    if (opened !== undefined) return opened;
    if (performance.now() - failedAtMs < RETRY_MS) return Promise.reject(failure);
    opensSinceMs = performance.now();
    opened = open(life.signal);
    void opened.then((guard) => {
      opensSinceMs = Number.POSITIVE_INFINITY;
      if (life.signal.aborted) guard.leave?.();
      else ready = guard;
    }, pause);
    return opened;
  }

  /** One that fails is left; one that does not answer in time is left for a while, or every question would wait. */
  async function askOf(
    guard: OpenedGuard,
    asked: string,
    kept: string,
    signal?: AbortSignal,
  ): Promise<number> {
    try {
      return await inTime(Promise.resolve(guard.same(asked, kept)), late, waitMs, [life.signal, signal]);
    } catch (error) {
      if (guard.leave !== undefined && !signal?.aborted && !life.signal.aborted) {
        ready = undefined;
        guard.leave();
        if (error === late) pause(error);
        else opened = undefined;
      }
      throw error;
    }
  }

  return Object.assign(
    async (asked: string, kept: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}) => {
      signal?.throwIfAborted();
      const opening = get();
      // The wait counts from when the opening began: it goes on, and while it does the questions after it wait no more.
      const leftMs = Math.max(0, waitMs - Math.max(0, performance.now() - opensSinceMs));
      const guard = await inTime(opening, late, leftMs, [life.signal, signal]);
      // Either may have fired since the guard was there.
      life.signal.throwIfAborted();
      signal?.throwIfAborted();
      return await askOf(guard, asked, kept, signal);
    },
    {
      async warm() {
        await inTime(get(), late, Number.POSITIVE_INFINITY, [life.signal]);
      },
      async dispose() {
        life.abort(new NearfieldError('backend-unavailable', 'The guard was disposed of.'));
        ready?.leave?.();
        [opened, ready] = [undefined, undefined];
      },
    },
  );
}

/** @throws `late` once `waitMs` are over, or the reason of the signal that fires first */
async function inTime<T>(
  work: Promise<T>,
  late: Error,
  waitMs: number,
  signals: readonly (AbortSignal | undefined)[],
): Promise<T> {
  const waits = waitMs < Number.POSITIVE_INFINITY;
  const ended = createDeferred<never>();
  const abort = (event: Event): void => ended.reject((event.target as AbortSignal).reason);
  for (const signal of signals) signal?.addEventListener('abort', abort, { once: true });
  const timer = waits ? setTimeout(() => ended.reject(late), waitMs) : undefined;
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal?.removeEventListener('abort', abort);
  }
}
