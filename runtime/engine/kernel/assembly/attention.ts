// Owns attention of one head of one text, in floats: scores, softmax and the mix of values stay in a
// scratch that fits the first cache; nothing is padded but the last sixteen keys.
import { exp, largest, madd, sum } from './math';

/** Keys are laid in runs of 16, one run of lanes a product tile. */
@inline
export function paddedTokens(tokens: i32): i32 {
  return (tokens + 15) & ~15;
}

/**
 * `wide` f32 [tokens][3 * hidden]: queries, keys, values. Writes this head's part of `context`
 * f32 [tokens][hidden]. `keys` f32 [headDims][padded] and `scores` f32 [2][padded] + 2 * 16 are scratch.
 */
export function attendHead(
  wide: usize,
  context: usize,
  tokens: i32,
  hidden: i32,
  headDims: i32,
  head: i32,
  keys: usize,
  scores: usize,
): void {
  const padded = paddedTokens(tokens);
  const row = <usize>(hidden * 3) << 2;
  const at = <usize>(head * headDims) << 2;
  const query = wide + at, key = query + (<usize>hidden << 2), value = key + (<usize>hidden << 2);
  transposeKeys(key, row, tokens, padded, headDims, keys);
  const run = <usize>padded << 2;
  const spare = scores + 2 * run;
  const scale: f32 = 1 / sqrt<f32>(<f32>headDims);
  for (let q = 0; q < tokens; q += 2) {
    const two = q + 1 < tokens;
    const x = query + q * row;
    for (let i: usize = 0; i < run; i += 64) {
      tile(x, two ? row : 0, keys + i, run, headDims, scores + i, scores + run + i);
    }
    softmax(scores, tokens, padded, scale);
    if (two) softmax(scores + run, tokens, padded, scale);
    const out = context + at + q * (<usize>hidden << 2);
    for (let i: usize = 0; i < <usize>headDims << 2; i += 64) {
      tile(scores, run, value + i, row, tokens, out + i, two ? out + i + (<usize>hidden << 2) : spare);
    }
  }
}

/** keys[d][t] = key[t][d]; columns beyond the text are zero. */
function transposeKeys(key: usize, row: usize, tokens: i32, padded: i32, headDims: i32, keys: usize): void {
  const run = <usize>padded << 2;
  for (let t = 0; t < padded; t += 4) {
    const from = key + t * row;
    for (let d = 0; d < headDims; d += 4) {
      const at = from + (<usize>d << 2);
      const a = v128.load(at);
      const b = t + 1 < tokens ? v128.load(at + row) : f32x4.splat(0);
      const c = t + 2 < tokens ? v128.load(at + 2 * row) : f32x4.splat(0);
      const e = t + 3 < tokens ? v128.load(at + 3 * row) : f32x4.splat(0);
      const live = t < tokens ? a : f32x4.splat(0);
      const ab0 = v128.shuffle<i32>(live, b, 0, 4, 1, 5), ab1 = v128.shuffle<i32>(live, b, 2, 6, 3, 7);
      const ce0 = v128.shuffle<i32>(c, e, 0, 4, 1, 5), ce1 = v128.shuffle<i32>(c, e, 2, 6, 3, 7);
      const to = keys + d * run + (<usize>t << 2);
      v128.store(to, v128.shuffle<i64>(ab0, ce0, 0, 2));
      v128.store(to + run, v128.shuffle<i64>(ab0, ce0, 1, 3));
      v128.store(to + 2 * run, v128.shuffle<i64>(ab1, ce1, 0, 2));
      v128.store(to + 3 * run, v128.shuffle<i64>(ab1, ce1, 1, 3));
    }
  }
}

/** y[2][16] = x[2][k] x w[k][16], strides in bytes; rows of x may be one. */
function tile(x: usize, xRow: usize, w: usize, wRow: usize, k: i32, y0: usize, y1: usize): void {
  let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);
  let b0 = f32x4.splat(0), b1 = f32x4.splat(0), b2 = f32x4.splat(0), b3 = f32x4.splat(0);
  const end = x + (<usize>k << 2);
  let z = x + xRow;
  while (x < end) {
    const p = v128.load32_splat(x), q = v128.load32_splat(z);
    let v = v128.load(w);
    a0 = madd(v, p, a0); b0 = madd(v, q, b0);
    v = v128.load(w, 16);
    a1 = madd(v, p, a1); b1 = madd(v, q, b1);
    v = v128.load(w, 32);
    a2 = madd(v, p, a2); b2 = madd(v, q, b2);
    v = v128.load(w, 48);
    a3 = madd(v, p, a3); b3 = madd(v, q, b3);
    x += 4;
    z += 4;
    w += wRow;
  }
  v128.store(y0, a0); v128.store(y0, a1, 16); v128.store(y0, a2, 32); v128.store(y0, a3, 48);
  v128.store(y1, b0); v128.store(y1, b1, 16); v128.store(y1, b2, 32); v128.store(y1, b3, 48);
}

/** In place over scores[0…tokens-1] * scale; the padding becomes 0. */
export function softmax(scores: usize, tokens: i32, padded: i32, scale: f32): void {
  for (let t = tokens; t < padded; t++) store<f32>(scores + (<usize>t << 2), -Infinity);
  const bytes = <usize>padded << 2;
  let top = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < bytes; i += 16) top = f32x4.pmax(top, v128.load(scores + i));
  const most = f32x4.splat(largest(top)), factor = f32x4.splat(scale);
  let total = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const weight = exp(f32x4.mul(f32x4.sub(v128.load(scores + i), most), factor));
    v128.store(scores + i, weight);
    total = f32x4.add(total, weight);
  }
  const inverse = f32x4.splat(1 / sum(total));
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(scores + i, f32x4.mul(v128.load(scores + i), inverse));
  }
}
