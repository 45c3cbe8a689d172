// The index's inner loops, in AssemblyScript for WASM SIMD128: Hamming distance of 1-bit sketches, and INT8
// dot products. Memory is the caller's; pointers are byte addresses. Compiled by scripts/build-scan-kernel.ts.

/**
 * Distances of `count` sketches of `blocks` * 16 bytes to `query`, as u16 at `distances`; the numbers of rows
 * at each distance are added to u32 at `histogram`. At most 31 blocks, or a lane of bytes overflows.
 */
export function distances(
  sketches: usize, count: u32, blocks: u32, query: usize, target: usize, histogram: usize,
): void {
  let at = sketches;
  for (let row: u32 = 0; row < count; row++) {
    let sum = i8x16.splat(0);
    for (let block: u32 = 0; block < blocks; block++) {
      sum = i8x16.add(sum, i8x16.popcnt(v128.xor(v128.load(at), v128.load(query + (block << 4)))));
      at += 16;
    }
    const wide = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(sum));
    const distance = i32x4.extract_lane(wide, 0) + i32x4.extract_lane(wide, 1)
      + i32x4.extract_lane(wide, 2) + i32x4.extract_lane(wide, 3);
    store<u16>(target + (<usize>row << 1), <u16>distance);
    const cell = histogram + (<usize>distance << 2);
    store<u32>(cell, load<u32>(cell) + 1);
  }
}

/** Rows whose distance is at most `limit`, as u32 at `target`; returns how many, at most `most`. */
export function collect(source: usize, count: u32, limit: u32, target: usize, most: u32): u32 {
  let found: u32 = 0;
  for (let row: u32 = 0; row < count && found < most; row++) {
    if (<u32>load<u16>(source + (<usize>row << 1)) <= limit) {
      store<u32>(target + (<usize>found << 2), row);
      found++;
    }
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
    const dot = i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1)
      + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
    store<f32>(target + (<usize>index << 2), <f32>dot * load<f32>(inverses + (row << 2)));
  }
}
