// Owns how a row of activations becomes integers for a decoder's products: int16, since a language model's outliers
// make eight bits coarse and one-row products are bound by memory, so that precision costs little. Against int8
// weights one scale a row; against four-bit weights one a block of 32.
import { BLOCK, KIND_8 } from './decoder-layout';
import { largest, madd, roundToInt } from './math';

const MOST: f32 = 32767;
/** Against four bits: the higher of a code's two bytes is rounded and must not reach 128. */
const MOST_PARTS: f32 = 32512;

/**
 * x f32 [k] to int16 codes, `scales` f32 [k / 32] (one, for kind 8) and, for four bits, `sums` f32 [k / 32]: what each
 * block sums to, for the weights' minima. `alone`: the step's only row, which decoder-product.ts reads its own way.
 */
export function quantizeRow(x: usize, k: i32, kind: i32, codes: usize, scales: usize, sums: usize, alone: bool): void {
  if (kind == KIND_8) store<f32>(scales, quantize16(x, k, codes, MOST));
  else quantizeBlocks(x, k, codes, scales, sums, alone && ASC_FEATURE_RELAXED_SIMD);
}

@inline
function inverseOf(top: f32, most: f32): f32 {
  return top > 0 ? most / top : 0;
}

function quantizeBlocks(x: usize, k: i32, codes: usize, scales: usize, sums: usize, apart: bool): void {
  for (let block = 0; block < k; block += BLOCK) {
    let high = f32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 16) high = f32x4.pmax(high, f32x4.abs(v128.load(x + i)));
    const top = largest(high);
    const factor = f32x4.splat(inverseOf(top, MOST_PARTS));
    let total = i32x4.splat(0);
    for (let i: usize = 0; i < 128; i += 32) {
      const a = roundToInt(f32x4.mul(v128.load(x + i), factor));
      const b = roundToInt(f32x4.mul(v128.load(x + i, 16), factor));
      total = i32x4.add(total, i32x4.add(a, b));
      storeCodes(codes, i, i16x8.narrow_i32x4_s(a, b), apart);
    }
    total = i32x4.add(total, v128.shuffle<i32>(total, total, 2, 3, 0, 1));
    const sum = i32x4.extract_lane(total, 0) + i32x4.extract_lane(total, 1);
    const scale = top / MOST_PARTS;
    store<f32>(scales, scale);
    store<f32>(sums, scale * <f32>sum);
    x += 128;
    codes += BLOCK << 1;
    scales += 4;
    sums += 4;
  }
}

/** Eight codes of a block, or their bytes `apart`: 32 high ones, then 32 low ones. `i`: the floats' offset. */
@inline
function storeCodes(codes: usize, i: usize, words: v128, apart: bool): void {
  if (!apart) {
    v128.store(codes + (i >> 1), words);
    return;
  }
  const high = i16x8.shr_s(i16x8.add(words, i16x8.splat(128)), 8);
  const low = i16x8.sub(words, i16x8.shl(high, 8));
  v128.store64_lane(codes + (i >> 2), i8x16.narrow_i16x8_s(high, high), 0);
  v128.store64_lane(codes + (i >> 2), i8x16.narrow_i16x8_s(low, low), 0, 32);
}

/** int16 codes, at most `most`, of n floats (a multiple of 8); returns their scale. */
export function quantize16(x: usize, n: i32, codes: usize, most: f32): f32 {
  let high = f32x4.splat(0);
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) high = f32x4.pmax(high, f32x4.abs(v128.load(x + i)));
  const top = largest(high);
  const factor = f32x4.splat(inverseOf(top, most));
  for (let i: usize = 0; i < bytes; i += 32) {
    const a = roundToInt(f32x4.mul(v128.load(x + i), factor));
    const b = roundToInt(f32x4.mul(v128.load(x + i, 16), factor));
    v128.store(codes + (i >> 1), i16x8.narrow_i32x4_s(a, b));
  }
  return top / most;
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
