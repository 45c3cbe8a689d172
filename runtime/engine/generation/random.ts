// Owns the seeded stream of random numbers that sampling draws from: the same seed, the same answer, on
// every platform.

/** Uniform in [0, 1), 32 bits a draw. */
export type Random = () => number;

/** Any integer seeds it. Source: xoshiro128**, Blackman and Vigna 2018, seeded by splitmix32. */
export function createRandom(seed: number): Random {
  let mixed = Math.trunc(seed) >>> 0;
  // A seed beyond 32 bits counts whole.
  mixed = (mixed ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x85ebca6b)) >>> 0;
  const splitmix = () => {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let x = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result / 2 ** 32;
  };
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** A seed for a request that names none. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
