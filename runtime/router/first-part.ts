// Owns the opening of one tier's stream: waits for the first good part under a deadline, then hands the
// parts on with the promises every consumer relies on: no empty text, exactly one `finish`, the tier's
// iterator always closed. Refuses to know why a tier was chosen.
import { abortErrorOf, isAbortError, NearfieldError } from '../errors.ts';
import type { Tier, TierPart } from '../types.ts';

export interface Deadlines {
  /** Milliseconds to the first good part; Infinity for none. */
  readonly firstPartMs: number;
  /** Milliseconds between two later parts, counted only while the consumer waits; Infinity for none. */
  readonly nextPartMs: number;
}

export interface OpenedStream {
  readonly parts: AsyncIterable<TierPart>;
}

export interface StreamEvents {
  /** Once, when the stream is over for whatever reason; `error` is what the consumer saw, if anything. */
  ended(how: 'finished' | 'failed' | 'aborted', error?: unknown): void;
}

/** Starts an attempt and resolves at its first good part. @throws what the tier threw, or upstream-timeout */
export async function openStream(
  tier: Tier,
  attempt: (tier: Tier, signal: AbortSignal) => AsyncIterable<TierPart>,
  deadlines: Deadlines,
  signal: AbortSignal,
  events: StreamEvents,
): Promise<OpenedStream> {
  const source = createSource(tier, attempt, signal);
  try {
    const timeout = new NearfieldError(
      'upstream-timeout',
      `Tier ${tier.id} gave no part within ${deadlines.firstPartMs} ms.`,
      { tier: tier.id },
    );
    const first = await source.next(deadlines.firstPartMs, timeout);
    if (first === undefined) throw missingEnd(tier, 'upstream-unavailable', 'before its first part');
    return { parts: iterateOnce(tier, source, first, deadlines.nextPartMs, events) };
  } catch (error) {
    source.close(error);
    events.ended(isAbortError(error) ? 'aborted' : 'failed', error);
    throw error;
  }
}

interface Source {
  /** The next part that counts; undefined at the end. */
  next(deadlineMs: number, timeout: NearfieldError): Promise<TierPart | undefined>;
  /** Aborts the tier and closes its iterator, without waiting for either. */
  close(reason?: unknown): void;
}

function createSource(
  tier: Tier,
  attempt: (tier: Tier, signal: AbortSignal) => AsyncIterable<TierPart>,
  signal: AbortSignal,
): Source {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  let iterator: AsyncIterator<TierPart> | undefined;
  return {
    async next(deadlineMs, timeout) {
      if (signal.aborted) throw abortErrorOf(signal);
      iterator ??= attempt(tier, controller.signal)[Symbol.asyncIterator]();
      const expires = deadlineMs === Number.POSITIVE_INFINITY ? undefined : Date.now() + deadlineMs;
      for (;;) {
        const left = expires === undefined ? undefined : Math.max(0, expires - Date.now());
        const result = await settle(iterator.next(), tier, signal, left, timeout);
        if (result.done === true) return undefined;
        if (result.value.type !== 'text-delta' || result.value.text !== '') return result.value;
      }
    },
    close(reason) {
      signal.removeEventListener('abort', onAbort);
      controller.abort(reason ?? new DOMException('The stream is over.', 'AbortError'));
      // A tier that hangs in `next` would hang in `return` too; its failure after the end is nobody's.
      void Promise.resolve(iterator?.return?.()).catch(() => {});
    },
  };
}

/** The promise, or the abort, or the timeout, whichever is first: a tier that ignores its signal still ends. */
function settle<T>(
  promise: Promise<T>,
  tier: Tier,
  signal: AbortSignal,
  timeoutMs: number | undefined,
  timeout: NearfieldError,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortErrorOf(signal));
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => reject(timeout), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    promise
      .then(resolve, (error) => reject(signal.aborted ? abortErrorOf(signal) : ownFailure(tier, error)))
      .finally(() => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      });
  });
}

/** An abort nobody asked for is the tier's failure, not the caller's wish. */
function ownFailure(tier: Tier, error: unknown): unknown {
  if (!isAbortError(error)) return error;
  const message = `Tier ${tier.id} gave up on its own.`;
  return new NearfieldError('upstream-unavailable', message, { tier: tier.id, cause: error });
}

/** A hand-made iterator: a generator that was never started would not run its `finally` on return(). */
function iterateOnce(
  tier: Tier,
  source: Source,
  first: TierPart,
  nextPartMs: number,
  events: StreamEvents,
): AsyncIterable<TierPart> {
  let held: TierPart | undefined = first;
  let over = false;
  const end = (how: 'finished' | 'failed' | 'aborted', error?: unknown): void => {
    if (over) return;
    over = true;
    source.close(error);
    events.ended(how, error);
  };
  const timeout = new NearfieldError('upstream-cut', `Tier ${tier.id} stalled for ${nextPartMs} ms.`, {
    tier: tier.id,
  });
  const iterator: AsyncIterableIterator<TierPart> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (over) return { done: true, value: undefined };
      try {
        const part = held ?? (await source.next(nextPartMs, timeout));
        held = undefined;
        if (part === undefined) throw missingEnd(tier, 'upstream-cut', 'before it finished');
        if (part.type === 'finish') end('finished');
        return { done: false, value: part };
      } catch (error) {
        end(isAbortError(error) ? 'aborted' : 'failed', error);
        throw error;
      }
    },
    async return() {
      end('aborted');
      return { done: true, value: undefined };
    },
  };
  return iterator;
}

function missingEnd(tier: Tier, code: 'upstream-unavailable' | 'upstream-cut', when: string): NearfieldError {
  return new NearfieldError(code, `Tier ${tier.id} ended its stream ${when}.`, { tier: tier.id });
}
