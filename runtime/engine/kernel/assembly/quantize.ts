// Owns dynamic quantisation of activations: each row its own scale and zero point, codes 0…127, laid into
// tiles of 4 rows. A few channels that reach far beyond the others would make every other code coarse, so
// such a channel is spread over slots behind the row: its value is the sum of its codes, and the row's range
// need only hold its share (after Zhao et al. 2019, "Outlier Channel Splitting", with codes split exactly).
import { SLOTS } from './layout';
import { MAGIC_BITS, largest, madd, roundOne } from './math';
import { TILE_STEP } from './tile';

/**
 * Quantises one row of k floats into row 0…3 of the tile at `codes`. `shares` f32[k]: 1 / (1 + slots of the
 * channel). `meta` receives scale and scale * zero point.
 */
export function quantizeRow(x: usize, k: i32, shares: usize, slots: usize, codes: usize, row: i32, meta: usize): void {
  let high = f32x4.splat(0), low = f32x4.splat(0);
  for (let i: usize = 0, end = <usize>k << 2; i < end; i += 16) {
    const share = f32x4.mul(v128.load(x + i), v128.load(shares + i));
    high = f32x4.pmax(high, share);
    low = f32x4.pmin(low, share);
  }
  const top = largest(high), bottom = -largest(f32x4.neg(low));
  const range = top - bottom;
  const inverse: f32 = range > 0 ? 127 / range : 0;
  const zero = roundOne(-bottom * inverse);
  const scale = range / 127;
  store<f32>(meta, scale);
  store<f32>(meta, scale * <f32>zero, 4);
  writeCodes(x, k, inverse, zero, codes, row);
  writeSlots(x, k, slots, inverse, zero, codes, row);
}

function writeCodes(x: usize, k: i32, inverse: f32, zero: i32, codes: usize, row: i32): void {
  const factor = f32x4.splat(inverse);
  const offset = f32x4.splat(12582912.0);
  const base = i32x4.splat(MAGIC_BITS - zero);
  const most = ASC_FEATURE_RELAXED_SIMD ? i8x16.splat(127) : i16x8.splat(127);
  codes += (row * (TILE_STEP >> 2));
  const end = x + ((<usize>k) << 2);
  while (x < end) {
    const a = i32x4.sub(madd(v128.load(x), factor, offset), base);
    const b = i32x4.sub(madd(v128.load(x, 16), factor, offset), base);
    const words = i16x8.narrow_i32x4_s(a, b);
    if (ASC_FEATURE_RELAXED_SIMD) {
      v128.store64_lane(codes, i8x16.min_u(i8x16.narrow_i16x8_u(words, words), most), 0);
    } else {
      v128.store(codes, i16x8.min_s(i16x8.max_s(words, i16x8.splat(0)), most));
    }
    x += 32;
    codes += TILE_STEP;
  }
}

/** What a channel's own code could not hold, slot after slot. A slot without a channel meets zero weights. */
function writeSlots(x: usize, k: i32, slots: usize, inverse: f32, zero: i32, codes: usize, row: i32): void {
  codes += (k >> 3) * TILE_STEP + row * (TILE_STEP >> 2);
  for (let slot = 0; slot < SLOTS; slot++) {
    const entry = load<i32>(slots + (slot << 2));
    let code = zero;
    if (entry >= 0) {
      const value = roundOne(load<f32>(x + ((entry & 0xffff) << 2)) * inverse);
      const before = entry >> 16;
      const room = value < 0 ? zero : 127 - zero;
      const rest = min(max(abs(value) - before * room, 0), room);
      code += value < 0 ? -rest : rest;
    }
    if (ASC_FEATURE_RELAXED_SIMD) store<u8>(codes + slot, <u8>code);
    else store<u16>(codes + (slot << 1), <u16>code);
  }
}

/** Keeps, channel by channel, the largest magnitude seen: how outliers are found when a model is opened. */
export function observeRow(x: usize, k: i32, peaks: usize): void {
  for (let i: usize = 0, end = <usize>k << 2; i < end; i += 16) {
    v128.store(peaks + i, f32x4.pmax(v128.load(peaks + i), f32x4.abs(v128.load(x + i))));
  }
}

/** target f32 [n] = scale * column sum: what a row's zero point is multiplied by. */
export function foldSums(n: i32, sums: usize, scales: usize, target: usize): void {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 16) {
    v128.store(target + i, f32x4.mul(f32x4.convert_i32x4_s(v128.load(sums + i)), v128.load(scales + i)));
  }
}
