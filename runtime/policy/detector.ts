// Owns how detectors are asked: each under a time limit, each answer checked before it is believed.
// Refuses to guess: a throw, a timeout or an answer that makes no sense is reported, never swallowed.
import type { Span } from '../types.ts';
import type { Uncertainty } from './decide.ts';
import { SPAN_TYPES } from './document.ts';

/** Finds personal or secret text. May answer at once or later; later answers are held to a time limit. */
export interface Detector {
  readonly id: string;
  /** Offsets are UTF-16 code units of `text`, end exclusive. Throws when it cannot tell. */
  detect(text: string, options: { readonly signal: AbortSignal }): readonly Span[] | Promise<readonly Span[]>;
}

/** Asked for by a detector that met text it cannot look into; ends as a device-only review. */
export class UnreadableText extends Error {
  override readonly name = 'UnreadableText';
}

/** More is there to look at than anybody writes; ends as a device-only review. */
export class TooMuchText extends Error {
  override readonly name = 'TooMuchText';
}

export class DetectorTimeout extends Error {
  override readonly name = 'DetectorTimeout';
}

export class DetectorGarbage extends Error {
  override readonly name = 'DetectorGarbage';
}

/** Which built-in rule a detector's failure falls under. */
export function uncertaintyOf(error: unknown): Uncertainty {
  if (error instanceof UnreadableText) return 'unreadable-content';
  if (error instanceof TooMuchText) return 'too-large';
  if (error instanceof DetectorTimeout) return 'detector-timeout';
  if (error instanceof DetectorGarbage) return 'detector-garbage';
  return 'detector-failed';
}

/**
 * Asks every detector about every text. Spans come back in the texts' order.
 * @throws AbortError when `signal` fires; UnreadableText, DetectorTimeout, DetectorGarbage or whatever
 * the detector threw.
 */
export async function detectAll(
  detectors: readonly Detector[],
  texts: readonly string[],
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined; now(): number },
): Promise<Span[][]> {
  limits.signal?.throwIfAborted();
  const deadline = limits.now() + limits.timeoutMs;
  const stop = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, stop.signal]) : stop.signal;
  try {
    const found: Span[][] = texts.map(() => []);
    const pending: Promise<void>[] = [];
    for (const detector of detectors) {
      for (const [at, text] of texts.entries()) {
        if (text.length === 0) continue;
        const answer = detector.detect(text, { signal });
        if (Array.isArray(answer)) found[at]!.push(...checked(answer, text));
        else pending.push(later(answer, text, found[at]!));
        // A detector that blocks the thread cannot be interrupted, but its lateness is still a failure.
        if (!(limits.now() <= deadline)) throw new DetectorTimeout();
      }
    }
    if (pending.length > 0) await within(Promise.all(pending), deadline - limits.now(), limits.signal);
    return found;
  } finally {
    // A reason of its own: making the platform's AbortError costs more than most detectors.
    stop.abort('review ended');
  }
}

/** Never leaves a rejection unheard, even when the caller gives up first. */
function later(answer: unknown, text: string, into: Span[]): Promise<void> {
  const work = Promise.resolve(answer).then((spans) => void into.push(...checked(spans, text)));
  work.catch(() => undefined);
  return work;
}

function within(work: Promise<unknown>, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new DetectorTimeout()), Math.max(0, ms));
    const aborted = () => done(signal?.reason);
    const done = (error?: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      if (error === undefined) resolve();
      else reject(error);
    };
    signal?.addEventListener('abort', aborted, { once: true });
    work.then(
      () => done(),
      (error: unknown) => done(error ?? new DetectorGarbage()),
    );
  });
}

function checked(answer: unknown, text: string): readonly Span[] {
  if (!Array.isArray(answer)) throw new DetectorGarbage();
  for (const span of answer) if (!isSpan(span, text.length)) throw new DetectorGarbage();
  return answer as readonly Span[];
}

function isSpan(value: unknown, length: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { start, end, type, score, source } = value as Partial<Record<keyof Span, unknown>>;
  return (
    Number.isInteger(start) &&
    Number.isInteger(end) &&
    (start as number) >= 0 &&
    (end as number) > (start as number) &&
    (end as number) <= length &&
    typeof type === 'string' &&
    SPAN_TYPES.has(type) &&
    typeof score === 'number' &&
    score >= 0 &&
    score <= 1 &&
    typeof source === 'string'
  );
}
