// Owns a decoder's matrix products: weights in blocks of 32 k with their own scales, panels of 8 columns, a lane a
// column. Integers of a block are exact; blocks are added as floats in one order, whatever the rows, the
// threads or the build, so a row's answer is the same bits alone, in a batch and in a prompt.
import {
  BLOCK,
  BLOCK_4,
  BLOCK_8,
  COLUMNS,
  KIND_8,
  X_BIAS,
  X_DATA,
  X_K,
  X_KIND,
  X_MIN,
  X_N,
  X_SCALE,
} from './decoder-layout';
import { madd } from './math';

/** Bytes a block of a panel takes once unpacked: 256 codes, 8 float scales, 8 float minima. */
const UNPACKED: usize = 320;
/** Rows a tile. */
const TILE: i32 = 4;
/** Sums of a tile on their way to finish(): f32 [4][8]. */
const TILE_BYTES: i32 = 128;
/** Bytes that int16 codes of a block take. */
const BLOCK_CODES: usize = BLOCK * 2;

/** Bytes of scratch a thread needs for matrices of up to k rows. */
export function panelScratch(k: i32): i32 {
  return (k / BLOCK) * <i32>UNPACKED + TILE_BYTES;
}

/**
 * target f32 [rows][n] = activations x matrix, panels first…last-1; added to the target when `add`. `codes`,
 * `scales` and `sums` as quantizeRow leaves them, rows one after another. `scratch`: this thread's own.
 */
export function multiplyBlocks(
  matrix: usize,
  codes: usize,
  scales: usize,
  sums: usize,
  rows: i32,
  target: usize,
  add: bool,
  first: i32,
  last: i32,
  scratch: usize,
): void {
  if (load<i32>(matrix, X_KIND) != KIND_8) multiplyFour(matrix, codes, scales, sums, rows, target, add, first, last, scratch);
  else multiplyEight(matrix, codes, scales, rows, target, add, first, last, scratch);
}

function multiplyFour(
  matrix: usize,
  codes: usize,
  scales: usize,
  sums: usize,
  rows: i32,
  target: usize,
  add: bool,
  first: i32,
  last: i32,
  acc: usize,
): void {
  const n = load<i32>(matrix, X_N), blocks = load<i32>(matrix, X_K) / BLOCK;
  const bias = <usize>load<u32>(matrix, X_BIAS), columns = <usize>load<u32>(matrix, X_SCALE);
  const minima = <usize>load<u32>(matrix, X_MIN);
  const rowCodes = <usize>blocks * BLOCK_CODES, rowScales = <usize>blocks << 2;
  const unpacked = acc + TILE_BYTES;
  let data = <usize>load<u32>(matrix, X_DATA) + first * blocks * BLOCK_4;
  for (let panel = first; panel < last; panel++) {
    const at = <usize>(panel * COLUMNS) << 2;
    const out = target + at;
    const offset = bias != 0 ? bias + at : 0;
    if (rows == 1) {
      fourOne(data, blocks, columns + at, minima + at, codes, scales, sums, acc);
      finish(acc, 1, 0, offset, out, 0, add);
    } else {
      unpackPanel(data, blocks, columns + at, minima + at, unpacked);
      for (let row = 0; row < rows; row += TILE) {
        const live = min(rows - row, TILE);
        const s = row * rowScales;
        fourTile(unpacked, blocks, codes + row * rowCodes, rowCodes, scales + s, sums + s, rowScales, live, acc);
        finish(acc, live, 0, offset, out + ((<usize>(row * n)) << 2), <usize>n << 2, add);
      }
    }
    data += blocks * BLOCK_4;
  }
}

function multiplyEight(
  matrix: usize,
  codes: usize,
  scales: usize,
  rows: i32,
  target: usize,
  add: bool,
  first: i32,
  last: i32,
  acc: usize,
): void {
  const n = load<i32>(matrix, X_N), k = load<i32>(matrix, X_K), blocks = k / BLOCK;
  const bias = <usize>load<u32>(matrix, X_BIAS), columns = <usize>load<u32>(matrix, X_SCALE);
  const rowCodes = <usize>k << 1;
  let data = <usize>load<u32>(matrix, X_DATA) + first * blocks * BLOCK_8;
  for (let panel = first; panel < last; panel++) {
    const at = <usize>(panel * COLUMNS) << 2;
    for (let row = 0; row < rows; row += TILE) {
      const live = min(rows - row, TILE);
      const c = codes + row * rowCodes;
      if (live == 1) eightOne(data, blocks, columns + at, c, acc);
      else eightTile(data, blocks, columns + at, c, rowCodes, live, acc);
      const out = target + at + (<usize>(row * n) << 2);
      finish(acc, live, scales + (row << 2), bias != 0 ? bias + at : 0, out, <usize>n << 2, add);
    }
    data += blocks * BLOCK_8;
  }
}

/** Sums of a tile to their rows: times the row's scale where it was left out, plus bias, plus what is there. */
function finish(acc: usize, rows: i32, scales: usize, bias: usize, out: usize, stride: usize, add: bool): void {
  for (let row = 0; row < rows; row++) {
    let y0 = v128.load(acc), y1 = v128.load(acc, 16);
    if (scales != 0) {
      const scale = v128.load32_splat(scales + (row << 2));
      y0 = f32x4.mul(y0, scale);
      y1 = f32x4.mul(y1, scale);
    }
    if (bias != 0) {
      y0 = f32x4.add(y0, v128.load(bias));
      y1 = f32x4.add(y1, v128.load(bias, 16));
    }
    if (add) {
      y0 = f32x4.add(y0, v128.load(out));
      y1 = f32x4.add(y1, v128.load(out, 16));
    }
    v128.store(out, y0);
    v128.store(out, y1, 16);
    acc += 32;
    out += stride;
  }
}

/** Four floats of four uint16. */
@inline
function unsigned4(at: usize): v128 {
  return f32x4.convert_i32x4_s(v128.load_ext<u16>(at));
}

@inline
function signed4(at: usize): v128 {
  return f32x4.convert_i32x4_s(v128.load_ext<i16>(at));
}

/** acc + pairs of (a byte of codes) x (four-bit weights): at most 2 * 15 * 128 a lane, so eight fit int16. */
@inline
function pairs(acc: v128, x: v128, w: v128): v128 {
  return i16x8.add(acc, i16x8.relaxed_dot_i8x16_i7x16_s(x, w));
}

/** Sums of high bytes and of low bytes, put together. */
@inline
function together(high: v128, low: v128): v128 {
  return f32x4.convert_i32x4_s(
    i32x4.add(i32x4.shl(i32x4.extadd_pairwise_i16x8_s(high), 8), i32x4.extadd_pairwise_i16x8_s(low)),
  );
}

@inline
function dot(acc: v128, w: v128, x: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(w, x));
}

/** The plain build's sums: two vectors of half columns. */
@inline
function joined(a: v128, b: v128): v128 {
  return f32x4.convert_i32x4_s(
    i32x4.add(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7)),
  );
}

/** acc + sum * (scale * row's scale) + minimum * row's sum. */
@inline
function blockEnd(acc: v128, sum: v128, scale: v128, minimum: v128, rowScale: v128, rowSum: v128): v128 {
  return madd(minimum, rowSum, madd(sum, f32x4.mul(scale, rowScale), acc));
}

@inline
function lowHalves(w: v128): v128 {
  return v128.and(w, i8x16.splat(15));
}

@inline
function highHalves(w: v128): v128 {
  return v128.and(i16x8.shr_u(w, 4), i8x16.splat(15));
}

/**
 * One row of int16 codes by one panel of four-bit codes, read once as they lie. With relaxed SIMD the codes' bytes lie
 * apart: bytes by four bits fit the paired product, and both together are the same integers.
 */
function fourOne(
  data: usize,
  blocks: i32,
  column: usize,
  minimum: usize,
  codes: usize,
  scales: usize,
  sums: usize,
  acc: usize,
): void {
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  const m0 = v128.load(minimum), m1 = v128.load(minimum, 16);
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0);
  for (const end = scales + (<usize>blocks << 2); scales < end; scales += 4) {
    let s0: v128, s1: v128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      let a = i16x8.splat(0), b = i16x8.splat(0), c = i16x8.splat(0), d = i16x8.splat(0);
      let w: v128, v: v128, x: v128, z: v128, n: v128;
      w = v128.load(data); v = v128.load(data, 16); x = v128.load32_splat(codes); z = v128.load32_splat(codes, 32);
      n = lowHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = lowHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      x = v128.load32_splat(codes, 4); z = v128.load32_splat(codes, 36);
      n = highHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = highHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      w = v128.load(data, 32); v = v128.load(data, 48); x = v128.load32_splat(codes, 8); z = v128.load32_splat(codes, 40);
      n = lowHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = lowHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      x = v128.load32_splat(codes, 12); z = v128.load32_splat(codes, 44);
      n = highHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = highHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      w = v128.load(data, 64); v = v128.load(data, 80); x = v128.load32_splat(codes, 16); z = v128.load32_splat(codes, 48);
      n = lowHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = lowHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      x = v128.load32_splat(codes, 20); z = v128.load32_splat(codes, 52);
      n = highHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = highHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      w = v128.load(data, 96); v = v128.load(data, 112); x = v128.load32_splat(codes, 24); z = v128.load32_splat(codes, 56);
      n = lowHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = lowHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      x = v128.load32_splat(codes, 28); z = v128.load32_splat(codes, 60);
      n = highHalves(w); a = pairs(a, x, n); c = pairs(c, z, n); n = highHalves(v); b = pairs(b, x, n); d = pairs(d, z, n);
      s0 = together(a, c);
      s1 = together(b, d);
    } else {
      let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
      for (let j: usize = 0; j < 4; j++) {
        const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
        const x = v128.load64_splat(codes + (j << 4)), z = v128.load64_splat(codes + (j << 4), 8);
        const wl = lowHalves(w), wh = highHalves(w), vl = lowHalves(v), vh = highHalves(v);
        a = dot(a, i16x8.extend_low_i8x16_u(wl), x);
        b = dot(b, i16x8.extend_high_i8x16_u(wl), x);
        c = dot(c, i16x8.extend_low_i8x16_u(vl), x);
        d = dot(d, i16x8.extend_high_i8x16_u(vl), x);
        a = dot(a, i16x8.extend_low_i8x16_u(wh), z);
        b = dot(b, i16x8.extend_high_i8x16_u(wh), z);
        c = dot(c, i16x8.extend_low_i8x16_u(vh), z);
        d = dot(d, i16x8.extend_high_i8x16_u(vh), z);
      }
      s0 = joined(a, b);
      s1 = joined(c, d);
    }
    const scale = v128.load32_splat(scales), sum = v128.load32_splat(sums);
    y0 = blockEnd(y0, s0, f32x4.mul(unsigned4(data + 128), c0), f32x4.mul(signed4(data + 144), m0), scale, sum);
    y1 = blockEnd(y1, s1, f32x4.mul(unsigned4(data + 136), c1), f32x4.mul(signed4(data + 152), m1), scale, sum);
    data += BLOCK_4;
    codes += BLOCK_CODES;
    sums += 4;
  }
  v128.store(acc, y0);
  v128.store(acc, y1, 16);
}

/** Four k of four columns, twice, to two k of eight columns, twice: how panels of int8 codes lie. */
@inline
function storePairs(to: usize, w: v128, v: v128): void {
  v128.store(to, v128.shuffle<i16>(w, v, 0, 2, 4, 6, 8, 10, 12, 14));
  v128.store(to, v128.shuffle<i16>(w, v, 1, 3, 5, 7, 9, 11, 13, 15), 16);
}

/** Four-bit codes to bytes and integers to float scales, once for many rows. */
function unpackPanel(data: usize, blocks: i32, column: usize, minimum: usize, to: usize): void {
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  const m0 = v128.load(minimum), m1 = v128.load(minimum, 16);
  for (let block = 0; block < blocks; block++) {
    for (let j: usize = 0; j < 4; j++) {
      const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
      const at = to + (j << 6);
      storePairs(at, lowHalves(w), lowHalves(v));
      storePairs(at + 32, highHalves(w), highHalves(v));
    }
    v128.store(to, f32x4.mul(unsigned4(data + 128), c0), 256);
    v128.store(to, f32x4.mul(unsigned4(data + 136), c1), 272);
    v128.store(to, f32x4.mul(signed4(data + 144), m0), 288);
    v128.store(to, f32x4.mul(signed4(data + 152), m1), 304);
    data += BLOCK_4;
    to += UNPACKED;
  }
}

/** Two to four rows of int16 codes by an unpacked panel of four-bit codes. */
function fourTile(
  data: usize,
  blocks: i32,
  codes: usize,
  rowCodes: usize,
  scales: usize,
  sums: usize,
  rowScales: usize,
  rows: i32,
  acc: usize,
): void {
  const t1 = rows > 1 ? rowCodes : 0, t2 = rows > 2 ? rowCodes << 1 : t1, t3 = rows > 3 ? rowCodes * 3 : t2;
  const u1 = rows > 1 ? rowScales : 0, u2 = rows > 2 ? rowScales << 1 : u1, u3 = rows > 3 ? rowScales * 3 : u2;
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  let y4 = f32x4.splat(0), y5 = f32x4.splat(0), y6 = f32x4.splat(0), y7 = f32x4.splat(0);
  for (const end = scales + (<usize>blocks << 2); scales < end; scales += 4) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
    let d0 = i32x4.splat(0), d1 = i32x4.splat(0), e0 = i32x4.splat(0), e1 = i32x4.splat(0);
    let w: v128, v: v128, x: v128;
    w = v128.load_ext<i8>(data); v = v128.load_ext<i8>(data, 8);
    x = v128.load32_splat(codes); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 16); v = v128.load_ext<i8>(data, 24);
    x = v128.load32_splat(codes, 4); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 4); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 4); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 4); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 32); v = v128.load_ext<i8>(data, 40);
    x = v128.load32_splat(codes, 8); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 8); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 8); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 8); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 48); v = v128.load_ext<i8>(data, 56);
    x = v128.load32_splat(codes, 12); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 12); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 12); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 12); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 64); v = v128.load_ext<i8>(data, 72);
    x = v128.load32_splat(codes, 16); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 16); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 16); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 16); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 80); v = v128.load_ext<i8>(data, 88);
    x = v128.load32_splat(codes, 20); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 20); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 20); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 20); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 96); v = v128.load_ext<i8>(data, 104);
    x = v128.load32_splat(codes, 24); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 24); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 24); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 24); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 112); v = v128.load_ext<i8>(data, 120);
    x = v128.load32_splat(codes, 28); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 28); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 28); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 28); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 128); v = v128.load_ext<i8>(data, 136);
    x = v128.load32_splat(codes, 32); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 32); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 32); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 32); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 144); v = v128.load_ext<i8>(data, 152);
    x = v128.load32_splat(codes, 36); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 36); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 36); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 36); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 160); v = v128.load_ext<i8>(data, 168);
    x = v128.load32_splat(codes, 40); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 40); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 40); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 40); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 176); v = v128.load_ext<i8>(data, 184);
    x = v128.load32_splat(codes, 44); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 44); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 44); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 44); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 192); v = v128.load_ext<i8>(data, 200);
    x = v128.load32_splat(codes, 48); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 48); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 48); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 48); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 208); v = v128.load_ext<i8>(data, 216);
    x = v128.load32_splat(codes, 52); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 52); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 52); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 52); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 224); v = v128.load_ext<i8>(data, 232);
    x = v128.load32_splat(codes, 56); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 56); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 56); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 56); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 240); v = v128.load_ext<i8>(data, 248);
    x = v128.load32_splat(codes, 60); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 60); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 60); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 60); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    const s0 = v128.load(data, 256), s1 = v128.load(data, 272);
    const m0 = v128.load(data, 288), m1 = v128.load(data, 304);
    let scale = v128.load32_splat(scales), sum = v128.load32_splat(sums);
    y0 = blockEnd(y0, f32x4.convert_i32x4_s(a0), s0, m0, scale, sum);
    y1 = blockEnd(y1, f32x4.convert_i32x4_s(a1), s1, m1, scale, sum);
    scale = v128.load32_splat(scales + u1);
    sum = v128.load32_splat(sums + u1);
    y2 = blockEnd(y2, f32x4.convert_i32x4_s(b0), s0, m0, scale, sum);
    y3 = blockEnd(y3, f32x4.convert_i32x4_s(b1), s1, m1, scale, sum);
    scale = v128.load32_splat(scales + u2);
    sum = v128.load32_splat(sums + u2);
    y4 = blockEnd(y4, f32x4.convert_i32x4_s(d0), s0, m0, scale, sum);
    y5 = blockEnd(y5, f32x4.convert_i32x4_s(d1), s1, m1, scale, sum);
    scale = v128.load32_splat(scales + u3);
    sum = v128.load32_splat(sums + u3);
    y6 = blockEnd(y6, f32x4.convert_i32x4_s(e0), s0, m0, scale, sum);
    y7 = blockEnd(y7, f32x4.convert_i32x4_s(e1), s1, m1, scale, sum);
    data += UNPACKED;
    codes += BLOCK_CODES;
    sums += 4;
  }
  v128.store(acc, y0);
  v128.store(acc, y1, 16);
  v128.store(acc, y2, 32);
  v128.store(acc, y3, 48);
  v128.store(acc, y4, 64);
  v128.store(acc, y5, 80);
  v128.store(acc, y6, 96);
  v128.store(acc, y7, 112);
}

/** One row of int16 codes by a panel of int8 codes. */
function eightOne(data: usize, blocks: i32, column: usize, codes: usize, acc: usize): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0);
  for (const end = data + <usize>(blocks * BLOCK_8); data < end; data += BLOCK_8) {
    let a = i32x4.splat(0), b = i32x4.splat(0), x: v128;
    x = v128.load32_splat(codes);
    a = dot(a, v128.load_ext<i8>(data), x); b = dot(b, v128.load_ext<i8>(data, 8), x);
    x = v128.load32_splat(codes, 4);
    a = dot(a, v128.load_ext<i8>(data, 16), x); b = dot(b, v128.load_ext<i8>(data, 24), x);
    x = v128.load32_splat(codes, 8);
    a = dot(a, v128.load_ext<i8>(data, 32), x); b = dot(b, v128.load_ext<i8>(data, 40), x);
    x = v128.load32_splat(codes, 12);
    a = dot(a, v128.load_ext<i8>(data, 48), x); b = dot(b, v128.load_ext<i8>(data, 56), x);
    x = v128.load32_splat(codes, 16);
    a = dot(a, v128.load_ext<i8>(data, 64), x); b = dot(b, v128.load_ext<i8>(data, 72), x);
    x = v128.load32_splat(codes, 20);
    a = dot(a, v128.load_ext<i8>(data, 80), x); b = dot(b, v128.load_ext<i8>(data, 88), x);
    x = v128.load32_splat(codes, 24);
    a = dot(a, v128.load_ext<i8>(data, 96), x); b = dot(b, v128.load_ext<i8>(data, 104), x);
    x = v128.load32_splat(codes, 28);
    a = dot(a, v128.load_ext<i8>(data, 112), x); b = dot(b, v128.load_ext<i8>(data, 120), x);
    x = v128.load32_splat(codes, 32);
    a = dot(a, v128.load_ext<i8>(data, 128), x); b = dot(b, v128.load_ext<i8>(data, 136), x);
    x = v128.load32_splat(codes, 36);
    a = dot(a, v128.load_ext<i8>(data, 144), x); b = dot(b, v128.load_ext<i8>(data, 152), x);
    x = v128.load32_splat(codes, 40);
    a = dot(a, v128.load_ext<i8>(data, 160), x); b = dot(b, v128.load_ext<i8>(data, 168), x);
    x = v128.load32_splat(codes, 44);
    a = dot(a, v128.load_ext<i8>(data, 176), x); b = dot(b, v128.load_ext<i8>(data, 184), x);
    x = v128.load32_splat(codes, 48);
    a = dot(a, v128.load_ext<i8>(data, 192), x); b = dot(b, v128.load_ext<i8>(data, 200), x);
    x = v128.load32_splat(codes, 52);
    a = dot(a, v128.load_ext<i8>(data, 208), x); b = dot(b, v128.load_ext<i8>(data, 216), x);
    x = v128.load32_splat(codes, 56);
    a = dot(a, v128.load_ext<i8>(data, 224), x); b = dot(b, v128.load_ext<i8>(data, 232), x);
    x = v128.load32_splat(codes, 60);
    a = dot(a, v128.load_ext<i8>(data, 240), x); b = dot(b, v128.load_ext<i8>(data, 248), x);
    y0 = madd(f32x4.convert_i32x4_s(a), unsigned4(data + 256), y0);
    y1 = madd(f32x4.convert_i32x4_s(b), unsigned4(data + 264), y1);
    codes += BLOCK << 1;
  }
  v128.store(acc, f32x4.mul(y0, v128.load(column)));
  v128.store(acc, f32x4.mul(y1, v128.load(column, 16)), 16);
}

/** Two to four rows of int16 codes by a panel of int8 codes. */
function eightTile(
  data: usize,
  blocks: i32,
  column: usize,
  codes: usize,
  rowCodes: usize,
  rows: i32,
  acc: usize,
): void {
  const t1 = rowCodes, t2 = rows > 2 ? rowCodes << 1 : t1, t3 = rows > 3 ? rowCodes * 3 : t2;
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  let y4 = f32x4.splat(0), y5 = f32x4.splat(0), y6 = f32x4.splat(0), y7 = f32x4.splat(0);
  for (const end = data + <usize>(blocks * BLOCK_8); data < end; data += BLOCK_8) {
    let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
    let d0 = i32x4.splat(0), d1 = i32x4.splat(0), e0 = i32x4.splat(0), e1 = i32x4.splat(0);
    let w: v128, v: v128, x: v128;
    w = v128.load_ext<i8>(data); v = v128.load_ext<i8>(data, 8);
    x = v128.load32_splat(codes); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 16); v = v128.load_ext<i8>(data, 24);
    x = v128.load32_splat(codes, 4); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 4); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 4); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 4); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 32); v = v128.load_ext<i8>(data, 40);
    x = v128.load32_splat(codes, 8); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 8); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 8); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 8); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 48); v = v128.load_ext<i8>(data, 56);
    x = v128.load32_splat(codes, 12); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 12); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 12); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 12); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 64); v = v128.load_ext<i8>(data, 72);
    x = v128.load32_splat(codes, 16); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 16); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 16); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 16); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 80); v = v128.load_ext<i8>(data, 88);
    x = v128.load32_splat(codes, 20); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 20); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 20); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 20); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 96); v = v128.load_ext<i8>(data, 104);
    x = v128.load32_splat(codes, 24); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 24); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 24); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 24); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 112); v = v128.load_ext<i8>(data, 120);
    x = v128.load32_splat(codes, 28); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 28); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 28); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 28); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 128); v = v128.load_ext<i8>(data, 136);
    x = v128.load32_splat(codes, 32); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 32); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 32); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 32); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 144); v = v128.load_ext<i8>(data, 152);
    x = v128.load32_splat(codes, 36); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 36); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 36); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 36); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 160); v = v128.load_ext<i8>(data, 168);
    x = v128.load32_splat(codes, 40); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 40); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 40); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 40); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 176); v = v128.load_ext<i8>(data, 184);
    x = v128.load32_splat(codes, 44); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 44); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 44); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 44); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 192); v = v128.load_ext<i8>(data, 200);
    x = v128.load32_splat(codes, 48); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 48); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 48); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 48); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 208); v = v128.load_ext<i8>(data, 216);
    x = v128.load32_splat(codes, 52); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 52); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 52); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 52); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 224); v = v128.load_ext<i8>(data, 232);
    x = v128.load32_splat(codes, 56); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 56); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 56); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 56); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    w = v128.load_ext<i8>(data, 240); v = v128.load_ext<i8>(data, 248);
    x = v128.load32_splat(codes, 60); a0 = dot(a0, w, x); a1 = dot(a1, v, x);
    x = v128.load32_splat(codes + t1, 60); b0 = dot(b0, w, x); b1 = dot(b1, v, x);
    x = v128.load32_splat(codes + t2, 60); d0 = dot(d0, w, x); d1 = dot(d1, v, x);
    x = v128.load32_splat(codes + t3, 60); e0 = dot(e0, w, x); e1 = dot(e1, v, x);
    const s0 = unsigned4(data + 256), s1 = unsigned4(data + 264);
    y0 = madd(f32x4.convert_i32x4_s(a0), s0, y0);
    y1 = madd(f32x4.convert_i32x4_s(a1), s1, y1);
    y2 = madd(f32x4.convert_i32x4_s(b0), s0, y2);
    y3 = madd(f32x4.convert_i32x4_s(b1), s1, y3);
    y4 = madd(f32x4.convert_i32x4_s(d0), s0, y4);
    y5 = madd(f32x4.convert_i32x4_s(d1), s1, y5);
    y6 = madd(f32x4.convert_i32x4_s(e0), s0, y6);
    y7 = madd(f32x4.convert_i32x4_s(e1), s1, y7);
    codes += BLOCK << 1;
  }
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  v128.store(acc, f32x4.mul(y0, c0));
  v128.store(acc, f32x4.mul(y1, c1), 16);
  v128.store(acc, f32x4.mul(y2, c0), 32);
  v128.store(acc, f32x4.mul(y3, c1), 48);
  v128.store(acc, f32x4.mul(y4, c0), 64);
  v128.store(acc, f32x4.mul(y5, c1), 80);
  v128.store(acc, f32x4.mul(y6, c0), 96);
  v128.store(acc, f32x4.mul(y7, c1), 112);
}

/** target f32 [k] = one column of an int8 matrix: how a token's row is read from the table of embeddings. */
export function readColumn(matrix: usize, index: i32, target: usize): void {
  const blocks = load<i32>(matrix, X_K) / BLOCK;
  const column = index & (COLUMNS - 1);
  let data = <usize>load<u32>(matrix, X_DATA) + (index / COLUMNS) * blocks * BLOCK_8;
  const scale = load<f32>(<usize>load<u32>(matrix, X_SCALE) + (<usize>index << 2));
  for (let block = 0; block < blocks; block++) {
    const factor = scale * <f32>load<u16>(data + 256 + (column << 1));
    for (let i = 0; i < BLOCK; i += 2) {
      const at = data + (i << 3) + (column << 1);
      store<f32>(target + (i << 2), <f32>load<i8>(at) * factor);
      store<f32>(target + (i << 2), <f32>load<i8>(at, 1) * factor, 4);
    }
    data += BLOCK_8;
    target += BLOCK << 2;
  }
}
