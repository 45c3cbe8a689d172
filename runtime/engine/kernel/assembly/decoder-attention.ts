// Owns causal attention of one row over its sequence's cache, in pages of 16 tokens. Keys are int16 and values int8,
// with a scale a token and head; queries and weights meet them as int16, so scores and mixes are exact integers. A
// page holds, for each layer and key-value head: keys [headDims / 2][16][2], 16 scales, values [8][headDims][2], 16
// scales: a lane is a token for scores and a dimension for the mix, so nothing is summed across lanes.
import { PAGE, keyBytes } from './decoder-layout';
import { quantize16 } from './decoder-quantize';
import { exp, largest, roundOne, sum } from './math';

/** Tokens mixed before int32 sums go over to floats: 32767 * 127 * 512 < 2^31. */
const MIX_TOKENS: i32 = 512;
const MOST_KEY: f32 = 8191;
const MOST_VALUE: f32 = 127;
const MOST_WEIGHT: f32 = 32767;

/** Most of a query's code, so that a score stays within int32: 262000 * 8191 < 2^31. */
@inline
function mostQuery(headDims: i32): f32 {
  const most: i32 = 262000 / headDims;
  return <f32>most;
}

/** Bytes of scratch for a context: scores of one head, their codes, a query's codes. */
export function scoreScratch(context: i32, headDims: i32): i32 {
  const padded = (context + PAGE - 1) & ~(PAGE - 1);
  return padded * 4 + padded * 2 + headDims * 2 + 64;
}

@inline
function codeOf(x: f32, inverse: f32): i32 {
  return roundOne(x * inverse);
}

function topOf(x: usize, n: i32): f32 {
  let high = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>n << 2; i += 16) high = f32x4.pmax(high, f32x4.abs(v128.load(x + i)));
  return largest(high);
}

/** Writes one token's key and value (f32 [headDims] each) of one head into its page, at `cache`. */
export function writeCache(key: usize, value: usize, headDims: i32, cache: usize, slot: i32): void {
  const keyTop = topOf(key, headDims), valueTop = topOf(value, headDims);
  const keyInverse: f32 = keyTop > 0 ? MOST_KEY / keyTop : 0;
  const valueInverse: f32 = valueTop > 0 ? MOST_VALUE / valueTop : 0;
  const values = cache + keyBytes(headDims);
  const keyAt = cache + (slot << 2);
  const valueAt = values + (slot >> 1) * (headDims << 1) + (slot & 1);
  for (let d = 0; d < headDims; d++) {
    const at = <usize>d << 2;
    store<i16>(keyAt + (d >> 1) * (PAGE << 2) + ((d & 1) << 1), <i16>codeOf(load<f32>(key + at), keyInverse));
    store<i8>(valueAt + (d << 1), <i8>codeOf(load<f32>(value + at), valueInverse));
  }
  store<f32>(cache + PAGE * headDims * 2 + (slot << 2), keyTop / MOST_KEY);
  store<f32>(values + PAGE * headDims + (slot << 2), valueTop / MOST_VALUE);
}

/**
 * out f32 [headDims] = attention of one query f32 [headDims] over the first `tokens` tokens. `table`: the
 * sequence's page addresses; `offset`: where this layer and head lie in a page.
 */
export function attendRow(
  query: usize,
  table: usize,
  offset: usize,
  tokens: i32,
  headDims: i32,
  scale: f32,
  out: usize,
  scratch: usize,
): void {
  const pages = (tokens + PAGE - 1) / PAGE;
  const codes = scratch + ((pages * PAGE) << 2);
  const queryCodes = codes + ((pages * PAGE) << 1);
  const factor = quantize16(query, headDims, queryCodes, mostQuery(headDims)) * scale;
  for (let page = 0; page < pages; page++) {
    const half = <usize>load<u32>(table + (<usize>page << 2)) + offset;
    scorePage(queryCodes, half, headDims, factor, scratch + (<usize>(page * PAGE) << 2));
  }
  const total = weigh(scratch, tokens, pages);
  mix(scratch, codes, table, offset, pages, headDims, 1 / total, out);
}

function scorePage(query: usize, keys: usize, headDims: i32, factor: f32, scores: usize): void {
  let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
  const end = query + (<usize>headDims << 1);
  let at = keys;
  while (query < end) {
    const x = v128.load32_splat(query);
    a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(at), x));
    b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load(at, 16), x));
    c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load(at, 32), x));
    d = i32x4.add(d, i32x4.dot_i16x8_s(v128.load(at, 48), x));
    at += 64;
    query += 4;
  }
  const f = f32x4.splat(factor);
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(a), f32x4.mul(v128.load(at), f)));
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(b), f32x4.mul(v128.load(at, 16), f)), 16);
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(c), f32x4.mul(v128.load(at, 32), f)), 32);
  v128.store(scores, f32x4.mul(f32x4.convert_i32x4_s(d), f32x4.mul(v128.load(at, 48), f)), 48);
}

/** Scores to exp(score - highest), what lies behind the last token to 0. Returns their sum. */
function weigh(scores: usize, tokens: i32, pages: i32): f32 {
  for (let t = tokens; t < pages * PAGE; t++) store<f32>(scores + (<usize>t << 2), -Infinity);
  const bytes = <usize>(pages * PAGE) << 2;
  let top = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < bytes; i += 16) top = f32x4.pmax(top, v128.load(scores + i));
  const most = f32x4.splat(largest(top));
  let total = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const weight = exp(f32x4.sub(v128.load(scores + i), most));
    v128.store(scores + i, weight);
    total = f32x4.add(total, weight);
  }
  for (let t = tokens; t < pages * PAGE; t++) store<f32>(scores + (<usize>t << 2), 0);
  return sum(total);
}

/** out = sum of weights * values * inverse: weights times a value's scale become int16 codes. */
function mix(
  weights: usize,
  codes: usize,
  table: usize,
  offset: usize,
  pages: i32,
  headDims: i32,
  inverse: f32,
  out: usize,
): void {
  const values = offset + keyBytes(headDims), scales = values + PAGE * headDims;
  for (let page = 0; page < pages; page++) {
    const at = weights + (<usize>(page * PAGE) << 2);
    const from = <usize>load<u32>(table + (<usize>page << 2)) + scales;
    for (let i: usize = 0; i < <usize>(PAGE << 2); i += 16) {
      // A free slot's scale is of no one: zero times it must stay zero.
      const weight = v128.load(at + i);
      const live = f32x4.gt(weight, f32x4.splat(0));
      v128.store(at + i, v128.and(live, f32x4.mul(weight, v128.load(from + i))));
    }
  }
  const factor = f32x4.splat(quantize16(weights, pages * PAGE, codes, MOST_WEIGHT) * inverse);
  for (let d: usize = 0; d < <usize>headDims << 2; d += 16) v128.store(out + d, f32x4.splat(0));
  for (let first = 0; first < pages; first += MIX_TOKENS / PAGE) {
    const last = min(pages, first + MIX_TOKENS / PAGE);
    for (let d = 0; d < headDims; d += 16) {
      mixRun(codes, table, values + (d << 1), first, last, headDims << 1, factor, out + (<usize>d << 2));
    }
  }
}

/** Adds to out[16] what pages first…last-1 hold. */
function mixRun(
  codes: usize,
  table: usize,
  values: usize,
  first: i32,
  last: i32,
  stride: i32,
  factor: v128,
  out: usize,
): void {
  let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), e = i32x4.splat(0);
  for (let page = first; page < last; page++) {
    let at = <usize>load<u32>(table + (<usize>page << 2)) + values;
    let code = codes + (<usize>(page * PAGE) << 1);
    for (const end = code + PAGE * 2; code < end; code += 4) {
      const p = v128.load32_splat(code);
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load_ext<i8>(at), p));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load_ext<i8>(at, 8), p));
      c = i32x4.add(c, i32x4.dot_i16x8_s(v128.load_ext<i8>(at, 16), p));
      e = i32x4.add(e, i32x4.dot_i16x8_s(v128.load_ext<i8>(at, 24), p));
      at += stride;
    }
  }
  v128.store(out, f32x4.add(v128.load(out), f32x4.mul(f32x4.convert_i32x4_s(a), factor)));
  v128.store(out, f32x4.add(v128.load(out, 16), f32x4.mul(f32x4.convert_i32x4_s(b), factor)), 16);
  v128.store(out, f32x4.add(v128.load(out, 32), f32x4.mul(f32x4.convert_i32x4_s(c), factor)), 32);
  v128.store(out, f32x4.add(v128.load(out, 48), f32x4.mul(f32x4.convert_i32x4_s(e), factor)), 48);
}

/** In place: rotates pairs (d, d + headDims / 2) by the position's angles; `rope`: cosines, then sines. */
export function rotate(x: usize, rope: usize, headDims: i32): void {
  const half = <usize>(headDims >> 1) << 2;
  for (let d: usize = 0; d < half; d += 16) {
    const cos = v128.load(rope + d), sin = v128.load(rope + half + d);
    const a = v128.load(x + d), b = v128.load(x + half + d);
    v128.store(x + d, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
    v128.store(x + half + d, f32x4.add(f32x4.mul(b, cos), f32x4.mul(a, sin)));
  }
}
