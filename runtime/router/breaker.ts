// Owns one tier's health: a circuit breaker (closed, open, half-open), its exponential back-off, requests
// in flight and recent time to first part. Knows no tier, sends nothing.

export interface BreakerOptions {
  /** Failures in a row that open it. Default 3, not measured. */
  readonly failuresToOpen: number;
  /** First time open, milliseconds; doubles with each reopening. Default 1000. */
  readonly baseMs: number;
  /** Longest time open, milliseconds; a longer Retry-After is cut to ten times this. Default 60 000. */
  readonly maxMs: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface Breaker {
  state(): BreakerState;
  /** Milliseconds until a probe is let through; 0 unless open. */
  waitMs(): number;
  /** Would {@link Breaker.acquire} say yes now? */
  ready(): boolean;
  /** Claims one attempt; undefined while open, or while another request probes a half-open breaker. */
  acquire(): Permit | undefined;
  readonly inFlight: number;
  /** Moving average of time to first part, milliseconds; 0 until one was seen; halves each minute unasked. */
  readonly latencyMs: number;
}

/** One attempt's dealings with its breaker. `release` must be called once; the rest as they happen. */
export interface Permit {
  /** First good part seen: a probe has succeeded. */
  opened(afterMs: number): void;
  /** The whole answer arrived. */
  finished(): void;
  failed(retryAfterMs?: number): void;
  release(): void;
}

const DEFAULTS: BreakerOptions = { failuresToOpen: 3, baseMs: 1_000, maxMs: 60_000 };
// Weight of the newest sample; about the last six attempts count. Not measured.
const LATENCY_WEIGHT = 0.3;
// Without forgetting, a replica that was slow once would never be asked again. Not measured.
const LATENCY_HALF_LIFE_MS = 60_000;

export interface BreakerSeams {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export function createBreaker(options: Partial<BreakerOptions>, seams: BreakerSeams): Breaker {
  const { failuresToOpen, baseMs, maxMs } = { ...DEFAULTS, ...options };
  let failures = 0;
  let openings = 0;
  let openUntil = 0;
  let tripped = false;
  let probing = false;
  let inFlight = 0;
  let latencyMs = 0;
  let sampledAt = 0;

  const latency = (): number => latencyMs * 0.5 ** ((seams.now() - sampledAt) / LATENCY_HALF_LIFE_MS);

  const state = (): BreakerState => {
    if (!tripped) return 'closed';
    return seams.now() < openUntil ? 'open' : 'half-open';
  };
  const ready = (): boolean => state() === 'closed' || (state() === 'half-open' && !probing);

  const hold = (retryAfterMs = 0): number => Math.min(retryAfterMs, maxMs * 10);

  const trip = (retryAfterMs: number | undefined): void => {
    const ceiling = Math.min(maxMs, baseMs * 2 ** openings);
    // Half fixed, half random, so that many pages do not come back in the same instant.
    const backOff = ceiling / 2 + (ceiling / 2) * seams.random();
    openings = Math.min(openings + 1, 30);
    tripped = true;
    openUntil = seams.now() + Math.max(backOff, hold(retryAfterMs));
  };

  function acquire(): Permit | undefined {
    if (!ready()) return undefined;
    const probe = state() === 'half-open';
    if (probe) probing = true;
    inFlight += 1;
    let released = false;
    return {
      opened(afterMs) {
        const past = latency();
        latencyMs = past === 0 ? afterMs : past + LATENCY_WEIGHT * (afterMs - past);
        sampledAt = seams.now();
        if (!probe) return;
        tripped = false;
        // One failure more reopens it: a tier that begins well and is always cut must not stay closed.
        failures = failuresToOpen - 1;
      },
      finished() {
        failures = 0;
        openings = 0;
      },
      failed(retryAfterMs) {
        failures += 1;
        if (state() === 'open') {
          // Requests already in flight when it opened say nothing new, but for a longer Retry-After.
          openUntil = Math.max(openUntil, seams.now() + hold(retryAfterMs));
          return;
        }
        if (probe || retryAfterMs !== undefined || failures >= failuresToOpen) trip(retryAfterMs);
      },
      release() {
        if (released) return;
        released = true;
        inFlight -= 1;
        if (probe) probing = false;
      },
    };
  }

  return {
    state,
    waitMs: () => (state() === 'open' ? openUntil - seams.now() : 0),
    ready,
    acquire,
    get inFlight() {
      return inFlight;
    },
    get latencyMs() {
      return latency();
    },
  };
}
