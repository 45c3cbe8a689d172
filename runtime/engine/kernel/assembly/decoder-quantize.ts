// Owns how a row of activations becomes integers for a decoder's products. Against four-bit weights: int8, a
// scale for each block of 32, since a language model's outliers would make one scale a row coarse. Against int8
// weights: int16, one scale a row; one-row products are bound by memory, so the precision costs nothing.
import { BLOCK, KIND_4 } from './decoder-layout';
import { largest, madd, roundToInt } from './math';

/** Bytes of an int8 code: plain SIMD has no 8-bit product, so it keeps them as int16. */
export const CODE_BYTES: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2;
const MOST_8: f32 = 127;
const MOST_16: f32 = 32767;

/**
 * x f32 [k] to codes, `scales` f32 [k / 32] (one, for kind 8) and, for kind 4, `sums` f32 [k / 32]: what each
 * block sums to, for the weights' minima.
 */
export function quantizeRow(x: usize, k: i32, kind: i32, codes: usize, scales: usize, sums: usize): void {
  if (kind == KIND_4) quantizeBlocks(x, k, codes, scales, sums);
  else quantizeWhole(x, k, codes, scales);
}

@inline
function inverseOf(top: f32, most: f32): f32 {
  return top > 0 ? most / top : 0;
}

function quantizeBlocks(x: usize, k: i32, codes: usize, scales: usize, sums: usize): void {
  for (let block = 0; block < k; block += BLOCK) {
    let high = f32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 16) high = f32x4.pmax(high, f32x4.abs(v128.load(x + i)));
    const top = largest(high);
    const factor = f32x4.splat(inverseOf(top, MOST_8));
    let total = i32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 32) {
      const a = roundToInt(f32x4.mul(v128.load(x + i), factor));
      const b = roundToInt(f32x4.mul(v128.load(x + i, 16), factor));
      total = i32x4.add(total, i32x4.add(a, b));
      const words = i16x8.narrow_i32x4_s(a, b);
      if (ASC_FEATURE_RELAXED_SIMD) v128.store64_lane(codes + (i >> 2), i8x16.narrow_i16x8_s(words, words), 0);
      else v128.store(codes + (i >> 1), words);
    }
    total = i32x4.add(total, v128.shuffle<i32>(total, total, 2, 3, 0, 1));
    const sum = i32x4.extract_lane(total, 0) + i32x4.extract_lane(total, 1);
    const scale = top / MOST_8;
    store<f32>(scales, scale);
    store<f32>(sums, scale * <f32>sum);
    x += 128;
    codes += BLOCK * CODE_BYTES;
    scales += 4;
    sums += 4;
  }
}

function quantizeWhole(x: usize, k: i32, codes: usize, scales: usize): void {
  store<f32>(scales, quantize16(x, k, codes));
}

/** int16 codes of n floats (a multiple of 8); returns their scale. */
export function quantize16(x: usize, n: i32, codes: usize): f32 {
  let high = f32x4.splat(0);
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) high = f32x4.pmax(high, f32x4.abs(v128.load(x + i)));
  const top = largest(high);
  const factor = f32x4.splat(inverseOf(top, MOST_16));
  for (let i: usize = 0; i < bytes; i += 32) {
    const a = roundToInt(f32x4.mul(v128.load(x + i), factor));
    const b = roundToInt(f32x4.mul(v128.load(x + i, 16), factor));
    v128.store(codes + (i >> 1), i16x8.narrow_i32x4_s(a, b));
  }
  return top / MOST_16;
}

/** target = x / sqrt(mean of squares + epsilon) * weight, n floats. */
export function rmsNormInto(x: usize, n: i32, weight: usize, epsilon: f32, target: usize): void {
  const bytes = <usize>n << 2;
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = v128.load(x + i);
    squares = madd(value, value, squares);
  }
  const y = f32x4.add(squares, v128.shuffle<i32>(squares, squares, 2, 3, 0, 1));
  const total = f32x4.extract_lane(y, 0) + f32x4.extract_lane(y, 1);
  const inverse = f32x4.splat(1 / sqrt<f32>(total / <f32>n + epsilon));
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(target + i, f32x4.mul(f32x4.mul(v128.load(x + i), inverse), v128.load(weight + i)));
  }
}
