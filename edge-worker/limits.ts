// Owns how much one caller may ask: a token bucket for the rate, a counter for answers still open. In memory,
// so a limit holds a process (in workerd: an isolate); a global one belongs in front of the edge.
import type { Clock } from 'nearfield';

export interface RateVerdict {
  readonly allowed: boolean;
  /** Whole requests left at once. */
  readonly remaining: number;
  /** Until another request is allowed; 0 when it is now. */
  readonly retryAfterMs: number;
  /** Until the bucket is full again. */
  readonly resetMs: number;
}

export interface RateLimiter {
  take(key: string, perMinute: number): RateVerdict;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Token buckets, one a key, holding a minute's worth and refilled evenly. Buckets that are full again are
 * forgotten, so the map holds only callers of the last minute.
 */
export function createRateLimiter(clock: Clock): RateLimiter {
  const buckets = new Map<string, Bucket>();
  let sweptMs = clock.monotonic();

  const sweep = (nowMs: number): void => {
    if (nowMs - sweptMs < 60_000) return;
    sweptMs = nowMs;
    for (const [key, bucket] of buckets) if (nowMs - bucket.atMs >= 60_000) buckets.delete(key);
  };

  return {
    take(key, perMinute) {
      const nowMs = clock.monotonic();
      sweep(nowMs);
      const msPerToken = 60_000 / perMinute;
      const old = buckets.get(key) ?? { tokens: perMinute, atMs: nowMs };
      const refilled = Math.min(perMinute, old.tokens + (nowMs - old.atMs) / msPerToken);
      const allowed = refilled >= 1;
      const tokens = allowed ? refilled - 1 : refilled;
      buckets.set(key, { tokens, atMs: nowMs });
      return {
        allowed,
        remaining: Math.floor(tokens),
        retryAfterMs: allowed ? 0 : (1 - refilled) * msPerToken,
        resetMs: (perMinute - tokens) * msPerToken,
      };
    },
  };
}

/** The rate as OpenAI's headers say it, so its SDKs' users find it where they look. */
export function rateHeaders(verdict: RateVerdict, perMinute: number): Record<string, string> {
  return {
    'x-ratelimit-limit-requests': String(perMinute),
    'x-ratelimit-remaining-requests': String(verdict.remaining),
    'x-ratelimit-reset-requests': `${Math.ceil(verdict.resetMs)}ms`,
  };
}

export interface OpenCounter {
  /** False when the key has `max` open already; else the key has one more until `leave`. */
  enter(key: string, max: number): boolean;
  leave(key: string): void;
}

export function createOpenCounter(): OpenCounter {
  const open = new Map<string, number>();
  return {
    enter(key, max) {
      const count = open.get(key) ?? 0;
      if (count >= max) return false;
      open.set(key, count + 1);
      return true;
    },
    leave(key) {
      const count = (open.get(key) ?? 1) - 1;
      if (count <= 0) open.delete(key);
      else open.set(key, count);
    },
  };
}
