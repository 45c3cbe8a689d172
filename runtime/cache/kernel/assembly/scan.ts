// The index's inner loops, in AssemblyScript: distances of 1-bit sketches to a query, and INT8 dot products in WASM
// SIMD128. Memory is the caller's; pointers are byte addresses. Compiled by scripts/build-scan-kernel.ts.
//
// A query is three bit sets of `words` u64 at one address: its signs, then two masks. A dimension in which the signs
// differ counts 1 where the first mask has its bit and 2 more where the second has: so much weighs the query's own
// size there, which costs the rows nothing and halves the rows that must be looked at again. `popcnt` of 64 bits is
// one instruction on x86-64, where a lane-wise one is a dozen: three times as fast here.

/**
 * Sketches and 1 / norm of `count` vectors, `stride` bytes apart, a multiple of 64, zero padded: one bit for each of
 * the first `words` * 64 dimensions, set where it is above 0; f32 at `inverses`.
 */
export function sketch(
  vectors: usize, count: u32, stride: usize, sketches: usize, words: u32, inverses: usize,
): void {
  const zero = i8x16.splat(0);
  const sketched = <usize>words << 6;
  let out = sketches;
  for (let row: u32 = 0; row < count; row++) {
    const vector = vectors + <usize>row * stride;
    let sum = i32x4.splat(0);
    for (let at: usize = 0; at < stride; at += 16) {
      const values = v128.load(vector + at);
      if (at < sketched) {
        store<u16>(out, <u16>i8x16.bitmask(i8x16.gt_s(values, zero)));
        out += 2;
      }
      const low = i16x8.extend_low_i8x16_s(values);
      const high = i16x8.extend_high_i8x16_s(values);
      sum = i32x4.add(sum, i32x4.add(i32x4.dot_i16x8_s(low, low), i32x4.dot_i16x8_s(high, high)));
    }
    const squares = total(sum);
    store<f32>(inverses + (<usize>row << 2), squares > 0 ? <f32>(1 / Math.sqrt(<f64>squares)) : 0);
  }
}

/** Rows sampled in a row: they share cache lines and pages. */
const SAMPLED_TOGETHER: u32 = 64;

/** Counts the distances to `query` of one in `step` of `count` sketches, 64 at a time, in u32 at `histogram`. */
export function sample(
  sketches: usize, count: u32, step: u32, words: u32, query: usize, histogram: usize,
): void {
  for (let first: u32 = 0; first < count; first += step * SAMPLED_TOGETHER) {
    const end = min(first + SAMPLED_TOGETHER, count);
    for (let row = first; row < end; row++) {
      tally(histogram, distance(sketches + ((<usize>row * words) << 3), words, query));
    }
  }
}

/**
 * Rows whose sketches are within `limit` of `query`, as u32 at `target` with their distances as u16 at `distances`;
 * returns how many, at most `most`. Writes one past the last. Without a branch on the distance: it would be
 * guessed wrong at every row found.
 */
export function near(
  sketches: usize, count: u32, words: u32, query: usize, limit: u32, target: usize, distances: usize, most: u32,
): u32 {
  if (words == 3) return near3(sketches, count, query, limit, target, distances, most);
  let found: u32 = 0;
  let at = sketches;
  for (let row: u32 = 0; row < count && found < most; row++) {
    const apart = distance(at, words, query);
    store<u32>(target + (<usize>found << 2), row);
    store<u16>(distances + (<usize>found << 1), <u16>apart);
    found += <u32>(apart <= limit);
    at += <usize>words << 3;
  }
  return found;
}

/** As above for 192 bits, what 384 dimensions get, with the query in registers. */
function near3(
  sketches: usize, count: u32, query: usize, limit: u32, target: usize, distances: usize, most: u32,
): u32 {
  const sign0 = load<u64>(query), sign1 = load<u64>(query, 8), sign2 = load<u64>(query, 16);
  const one0 = load<u64>(query, 24), one1 = load<u64>(query, 32), one2 = load<u64>(query, 40);
  const two0 = load<u64>(query, 48), two1 = load<u64>(query, 56), two2 = load<u64>(query, 64);
  let found: u32 = 0;
  let at = sketches;
  for (let row: u32 = 0; row < count && found < most; row++) {
    const apart0 = load<u64>(at) ^ sign0;
    const apart1 = load<u64>(at, 8) ^ sign1;
    const apart2 = load<u64>(at, 16) ^ sign2;
    const ones = popcnt(apart0 & one0) + popcnt(apart1 & one1) + popcnt(apart2 & one2);
    const twos = popcnt(apart0 & two0) + popcnt(apart1 & two1) + popcnt(apart2 & two2);
    const apart = <u32>(ones + (twos << 1));
    store<u32>(target + (<usize>found << 2), row);
    store<u16>(distances + (<usize>found << 1), <u16>apart);
    found += <u32>(apart <= limit);
    at += 24;
  }
  return found;
}

// @ts-ignore: AssemblyScript's decorator
@inline
function distance(sketch: usize, words: u32, query: usize): u32 {
  const masks = <usize>words << 3;
  let sum: u64 = 0;
  for (let at: usize = 0; at < masks; at += 8) {
    const apart = load<u64>(sketch + at) ^ load<u64>(query + at);
    sum += popcnt(apart & load<u64>(query + masks + at));
    sum += popcnt(apart & load<u64>(query + masks + masks + at)) << 1;
  }
  return <u32>sum;
}

/** Counts `count` u16 at `distances` in u32 at `histogram`. */
export function count(distances: usize, count: u32, histogram: usize): void {
  for (let index: u32 = 0; index < count; index++) {
    tally(histogram, <u32>load<u16>(distances + (<usize>index << 1)));
  }
}

// @ts-ignore: AssemblyScript's decorator
@inline
function tally(histogram: usize, distance: u32): void {
  const cell = histogram + (<usize>distance << 2);
  store<u32>(cell, load<u32>(cell) + 1);
}

/** Of `count` rows named at `rows`, those whose u16 at `source` is at most `limit`, at `target`; returns how many. */
export function pick(rows: usize, source: usize, count: u32, limit: u32, target: usize, most: u32): u32 {
  let found: u32 = 0;
  for (let index: u32 = 0; index < count && found < most; index++) {
    if (<u32>load<u16>(source + (<usize>index << 1)) > limit) continue;
    store<u32>(target + (<usize>found << 2), load<u32>(rows + (<usize>index << 2)));
    found++;
  }
  return found;
}

/**
 * For each of `count` rows named at `rows` (u32), its dot product with `query`, times its f32 at `inverses`, as f32
 * at `target`. Vectors lie `stride` bytes apart, a multiple of 16, zero padded.
 */
export function dots(
  rows: usize, count: u32, vectors: usize, stride: usize, query: usize, inverses: usize, target: usize,
): void {
  for (let index: u32 = 0; index < count; index++) {
    const row = <usize>load<u32>(rows + (<usize>index << 2));
    const vector = vectors + row * stride;
    let sum = i32x4.splat(0);
    for (let at: usize = 0; at < stride; at += 16) {
      const a = v128.load(vector + at);
      const b = v128.load(query + at);
      sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(a), i16x8.extend_low_i8x16_s(b)));
      sum = i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(a), i16x8.extend_high_i8x16_s(b)));
    }
    store<f32>(target + (<usize>index << 2), <f32>total(sum) * load<f32>(inverses + (row << 2)));
  }
}

// @ts-ignore: AssemblyScript's decorator
@inline
function total(sum: v128): i32 {
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1)
    + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
}
