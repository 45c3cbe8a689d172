// Owns the randomness of telemetry: k-ary randomised response over cryptographic random bytes.
// Works on whole numbers, so the epsilon claimed is the epsilon had; never touches Math.random.

/** Fills the array with cryptographically strong random bytes. */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => void;

/** The platform's generator; the only default. */
export const cryptoRandom: RandomBytes = (bytes) => {
  crypto.getRandomValues(bytes);
};

const TWO_32 = 2 ** 32;

/**
 * k-ary randomised response: the true index with probability p = e^eps / (e^eps + k - 1), each other index
 * with q = 1 / (e^eps + k - 1), so p / q = e^eps. For k = 2 it is Warner's coin.
 * Done as a mixture: keep the truth with probability gamma = (e^eps - 1) / (e^eps + k - 1), else answer
 * uniformly over all k.
 * Source: Warner, JASA 60(309), 1965; Kairouz, Oh, Viswanath, "Extremal Mechanisms for Local Differential
 * Privacy", NeurIPS 2014.
 */
export function randomize(index: number, k: number, epsilon: number, random: RandomBytes): number {
  if (!Number.isInteger(index) || index < 0 || index >= k) {
    throw new RangeError(`randomize: expected an index of 0…${k - 1}.`);
  }
  // Both draws are always made, so time and bytes drawn do not tell which one counted.
  const keep = uint32(random) < keepThreshold(k, epsilon);
  const other = uniformInt(k, random);
  return keep ? index : other;
}

/** Chance of reporting the true value (p) and any one other value (q). */
export interface ResponseOdds {
  readonly p: number;
  readonly q: number;
  /** ln(p / q). */
  readonly epsilon: number;
}

/** What {@link randomize} really does, after rounding to 32 bits. */
export function responseOdds(k: number, epsilon: number): ResponseOdds {
  const gamma = keepThreshold(k, epsilon) / TWO_32;
  return withEpsilon(gamma + (1 - gamma) / k, (1 - gamma) / k);
}

/**
 * Odds of two randomised responses in a row: a permanent one, drawn once a value and kept, then a fresh one
 * for each report. Repeats can only be averaged down to the permanent answer, never to the truth; the fresh
 * one hides when the answer changed.
 * Source: Erlingsson, Pihur, Korolova, "RAPPOR", CCS 2014, sections 3 and 4, with k-ary responses for its bits.
 */
export function chainedOdds(k: number, permanent: number, instant: number): ResponseOdds {
  const first = responseOdds(k, permanent);
  const second = responseOdds(k, instant);
  const p = first.p * second.p + (k - 1) * first.q * second.q;
  const q = first.q * second.p + first.p * second.q + (k - 2) * first.q * second.q;
  return withEpsilon(p, q);
}

function withEpsilon(p: number, q: number): ResponseOdds {
  return { p, q, epsilon: Math.log(p / q) };
}

/** Of 2^32 draws, how many keep the truth. Rounded down, so the real epsilon is never above the stated. */
function keepThreshold(k: number, epsilon: number): number {
  if (!(epsilon > 0) || !Number.isInteger(k) || k < 2) {
    throw new RangeError('randomised response: expected epsilon > 0 and k >= 2.');
  }
  return Math.floor((TWO_32 * Math.expm1(epsilon)) / (Math.exp(epsilon) + k - 1));
}

/** Uniform over 0…n-1 without modulo bias, by rejection. n: 1…2^32. */
export function uniformInt(n: number, random: RandomBytes): number {
  const limit = TWO_32 - (TWO_32 % n);
  for (;;) {
    const draw = uint32(random);
    if (draw < limit) return draw % n;
  }
}

/** An index drawn in proportion to whole-number weights. Sum of weights: 1…2^32. */
export function weightedIndex(weights: readonly number[], random: RandomBytes): number {
  let left = uniformInt(
    weights.reduce((sum, weight) => sum + weight, 0),
    random,
  );
  const at = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return at;
}

/** 128 random bits as 22 characters of base64url. */
export function randomNonce(random: RandomBytes): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

// One draw at a time, so one place to put it: millions of draws make no garbage.
const scratch = new Uint8Array(4);
const scratchView = new DataView(scratch.buffer);

function uint32(random: RandomBytes): number {
  random(scratch);
  return scratchView.getUint32(0);
}
