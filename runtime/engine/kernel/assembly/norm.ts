// Owns layer norm, RMS norm, mean pooling and unit length: rows of floats, a multiple of 4 long.
import { madd, sum } from './math';

/** In place: (x - mean) / sqrt(variance + epsilon) * weight + bias; `norm` holds weight[n] then bias[n]. */
export function layerNorm(x: usize, n: i32, norm: usize, epsilon: f32): void {
  const bytes = <usize>n << 2;
  let total = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) total = f32x4.add(total, v128.load(x + i));
  const mean = f32x4.splat(sum(total) / <f32>n);
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const centred = f32x4.sub(v128.load(x + i), mean);
    squares = madd(centred, centred, squares);
  }
  const inverse = f32x4.splat(1 / sqrt<f32>(sum(squares) / <f32>n + epsilon));
  const bias = norm + bytes;
  for (let i: usize = 0; i < bytes; i += 16) {
    const unit = f32x4.mul(f32x4.sub(v128.load(x + i), mean), inverse);
    v128.store(x + i, madd(unit, v128.load(norm + i), v128.load(bias + i)));
  }
}

/** In place: x / sqrt(mean of squares + epsilon) * weight. What Llama-like decoders use. */
export function rmsNorm(x: usize, n: i32, weight: usize, epsilon: f32): void {
  const bytes = <usize>n << 2;
  const inverse = f32x4.splat(1 / sqrt<f32>(squared(x, n) / <f32>n + epsilon));
  for (let i: usize = 0; i < bytes; i += 16) {
    v128.store(x + i, f32x4.mul(f32x4.mul(v128.load(x + i), inverse), v128.load(weight + i)));
  }
}

function squared(x: usize, n: i32): f32 {
  let squares = f32x4.splat(0);
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 16) {
    const value = v128.load(x + i);
    squares = madd(value, value, squares);
  }
  return sum(squares);
}

/** target[n] = mean of rows. */
export function meanRows(x: usize, rows: i32, n: i32, target: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    let total = v128.load(x + i);
    for (let row = 1; row < rows; row++) total = f32x4.add(total, v128.load(x + i + row * bytes));
    v128.store(target + i, f32x4.mul(total, f32x4.splat(1 / <f32>rows)));
  }
}

/** In place: a row brought to length 1. */
export function unitRow(x: usize, n: i32): void {
  const inverse = f32x4.splat(1 / max(sqrt<f32>(squared(x, n)), <f32>1e-12));
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 16) {
    v128.store(x + i, f32x4.mul(v128.load(x + i), inverse));
  }
}
