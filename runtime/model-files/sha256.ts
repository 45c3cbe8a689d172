// Owns SHA-256 over bytes that come part by part: the platform's digest wants a file whole, and a model's weights
// are never held whole beside the place they go to. Source: FIPS 180-4, section 6.2.
import { toHex } from '../hash.ts';

export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Lower-case hex; nothing may be added afterwards. */
  hex(): string;
}

const BLOCK = 64;
const K: Int32Array = roots(64, 3);
const START: Int32Array = roots(8, 2);

export function createSha256(): Sha256 {
  const state = START.slice();
  const words = new Int32Array(64);
  const rest = new Uint8Array(BLOCK);
  let held = 0;
  let total = 0;

  function update(bytes: Uint8Array): void {
    total += bytes.byteLength;
    let at = 0;
    if (held > 0) {
      at = Math.min(BLOCK - held, bytes.byteLength);
      rest.set(bytes.subarray(0, at), held);
      held += at;
      if (held < BLOCK) return;
      compress(state, words, rest, 0, BLOCK);
      held = 0;
    }
    const whole = at + Math.floor((bytes.byteLength - at) / BLOCK) * BLOCK;
    compress(state, words, bytes, at, whole);
    rest.set(bytes.subarray(whole));
    held = bytes.byteLength - whole;
  }

  return {
    update,
    hex() {
      const bits = BigInt(total) * 8n;
      // A one bit, zeros to eight bytes below a block's end, the length.
      const tail = new Uint8Array((held < BLOCK - 8 ? BLOCK : 2 * BLOCK) - held);
      tail[0] = 0x80;
      new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
      update(tail);
      const digest = new DataView(new ArrayBuffer(32));
      state.forEach((word, at) => {
        digest.setInt32(at * 4, word);
      });
      return toHex(new Uint8Array(digest.buffer));
    },
  };
}

/** Whole blocks of `bytes` from `from` up to `to` into the state. */
function compress(state: Int32Array, w: Int32Array, bytes: Uint8Array, from: number, to: number): void {
  for (let start = from; start < to; start += BLOCK) {
    for (let t = 0, at = start; t < 16; t += 1, at += 4) {
      w[t] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let t = 16; t < 64; t += 1) {
      const x = w[t - 15]!;
      const y = w[t - 2]!;
      const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[t] = (w[t - 16]! + small0 + w[t - 7]! + small1) | 0;
    }
    rounds(state, w);
  }
}

function rounds(state: Int32Array, w: Int32Array): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let t = 0; t < 64; t += 1) {
    const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + big1 + ((e & f) ^ (~e & g)) + K[t]! + w[t]!) | 0;
    const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

/** First 32 bits of the fractions of the first primes' square or cube roots, exactly: section 4.2.2 and 5.3.3. */
function roots(count: number, degree: 2 | 3): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return Int32Array.from(primes, (prime) => Number(BigInt.asIntN(32, integerRoot(prime, degree))));
}

/** floor(root(n) * 2^32), by halving. */
function integerRoot(n: number, degree: 2 | 3): bigint {
  const target = BigInt(n) << BigInt(32 * degree);
  let low = 0n;
  let high = BigInt(n) << 32n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** BigInt(degree) <= target) low = middle;
    else high = middle - 1n;
  }
  return low;
}
