// Owns a whole matrix product: panels by tiles, and what follows each tile while its sums are hot (scale,
// zero point, bias, then GELU or the residual).
import {
  MODE_PAIRED,
  MODE_WIDE,
  M_BIAS,
  M_FIXES,
  M_K,
  M_N,
  M_SCALES,
  M_SUMS,
  M_WEIGHTS,
  PANEL,
  TILE,
} from './layout';
import { gelu, madd } from './math';
import { NOT_PAIRED, fixStride } from './pack';
import { TILE_STEP, panelBytes, productTile, tileBytes } from './tile';

/** What follows the product. */
export const STORE: i32 = 0;
export const ADD: i32 = 1;
export const GELU: i32 = 2;
/** The int32 sums as they are: for tests, and for heads that want integers. */
export const RAW: i32 = 3;

/**
 * target f32 [rows][n] (or int32 when RAW) = codes [rows][k] x matrix, for panels first…last-1. `meta` holds
 * scale and scale * zero point of each row. `acc`: 128 bytes of this thread's own.
 */
export function multiply(
  matrix: usize,
  codes: usize,
  meta: usize,
  rows: i32,
  target: usize,
  follow: i32,
  first: i32,
  last: i32,
  acc: usize,
): void {
  const n = load<i32>(matrix, M_N), k = load<i32>(matrix, M_K);
  const stride = <usize>n << 2;
  let weights = <usize>load<u32>(matrix, M_WEIGHTS) + first * panelBytes(k);
  let fixes = <usize>load<u32>(matrix, M_FIXES) + first * fixStride(k);
  for (let panel = first; panel < last; panel++) {
    const at = <usize>(panel * PANEL) << 2;
    const count = load<u32>(fixes);
    const paired = count == NOT_PAIRED ? MODE_WIDE : MODE_PAIRED;
    let tile = codes, scales = meta;
    let out = target + at;
    for (let row = 0; row < rows; row += TILE) {
      const live = min(rows - row, TILE);
      productTile(tile, weights, k, acc, live, paired);
      if (paired == MODE_PAIRED && count > 0) applyFixes(acc, tile, fixes, count, live);
      finish(matrix, at, acc, scales, live, out, stride, follow);
      tile += tileBytes(k);
      scales += TILE << 3;
      out += stride * TILE;
    }
    weights += panelBytes(k);
    fixes += fixStride(k);
  }
}

/** Adds what packing moved out of the panel. Only the paired product has any, so codes are bytes. */
function applyFixes(acc: usize, tile: usize, fixes: usize, count: u32, rows: i32): void {
  const end = fixes + 4 + (count << 2);
  for (let at = fixes + 4; at < end; at += 4) {
    const fix = load<u32>(at);
    const k = fix & 0xffff;
    const codes = tile + (k >> 3) * TILE_STEP + (k & 7);
    const delta = <i32>fix >> 24;
    let to = acc + (((fix >> 16) & 0xff) << 2);
    for (let row = 0; row < rows; row++) {
      store<i32>(to, load<i32>(to) + delta * <i32>load<u8>(codes + (row << 3)));
      to += PANEL << 2;
    }
  }
}

@inline
function finish(
  matrix: usize,
  at: usize,
  acc: usize,
  meta: usize,
  rows: i32,
  out: usize,
  stride: usize,
  follow: i32,
): void {
  if (follow == RAW) {
    for (let row = 0; row < rows; row++) {
      v128.store(out, v128.load(acc));
      v128.store(out, v128.load(acc, 16), 16);
      acc += 32;
      out += stride;
    }
    return;
  }
  const scales = <usize>load<u32>(matrix, M_SCALES) + at;
  const sums = <usize>load<u32>(matrix, M_SUMS) + at;
  const bias = <usize>load<u32>(matrix, M_BIAS) + at;
  const s0 = v128.load(scales), s1 = v128.load(scales, 16);
  const c0 = v128.load(sums), c1 = v128.load(sums, 16);
  const b0 = v128.load(bias), b1 = v128.load(bias, 16);
  for (let row = 0; row < rows; row++) {
    const scale = v128.load32_splat(meta), zero = v128.load32_splat(meta, 4);
    let y0 = scaled(v128.load(acc), s0, scale, c0, zero, b0);
    let y1 = scaled(v128.load(acc, 16), s1, scale, c1, zero, b1);
    if (follow == GELU) {
      y0 = gelu(y0);
      y1 = gelu(y1);
    } else if (follow == ADD) {
      y0 = f32x4.add(y0, v128.load(out));
      y1 = f32x4.add(y1, v128.load(out, 16));
    }
    v128.store(out, y0);
    v128.store(out, y1, 16);
    acc += 32;
    meta += 8;
    out += stride;
  }
}

/** sums * (scale of column * scale of row) - zero * column + bias. */
@inline
function scaled(acc: v128, column: v128, row: v128, sums: v128, zero: v128, bias: v128): v128 {
  const product = f32x4.mul(f32x4.convert_i32x4_s(acc), f32x4.mul(column, row));
  return madd(f32x4.neg(zero), sums, f32x4.add(product, bias));
}
