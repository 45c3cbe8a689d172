// Owns a decoder's matrix products: weights in blocks of 32 k with their own scales, panels of 8 columns, a lane a
// column. Integers of a block are exact; blocks are added as floats in one order, whatever the rows, the
// threads or the build, so a row's answer is the same bits alone, in a batch and in a prompt.
import {
  BLOCK,
  BLOCK_4,
  BLOCK_8,
  COLUMNS,
  KIND_4,
  X_BIAS,
  X_DATA,
  X_K,
  X_KIND,
  X_MIN,
  X_N,
  X_SCALE,
} from './decoder-layout';
import { CODE_BYTES } from './decoder-quantize';
import { madd } from './math';

/** Bytes a block of a panel takes once unpacked: 256 codes, 8 float scales, 8 float minima. */
const UNPACKED: usize = 320;
/** Rows from which unpacking a panel of four-bit codes first is worth it. Not tuned further. */
const UNPACK_ROWS: i32 = 3;
const BLOCK_CODES: usize = BLOCK * CODE_BYTES;

/** Bytes of scratch a thread needs for matrices of up to k rows. */
export function panelScratch(k: i32): i32 {
  return (k / BLOCK) * <i32>UNPACKED;
}

/** Bytes a row of codes takes. */
@inline
export function codeBytes(kind: i32, k: i32): i32 {
  return kind == KIND_4 ? k * CODE_BYTES : k << 1;
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
  const n = load<i32>(matrix, X_N), k = load<i32>(matrix, X_K), kind = load<i32>(matrix, X_KIND);
  const blocks = k / BLOCK;
  const panelBytes = <usize>(blocks * (kind == KIND_4 ? BLOCK_4 : BLOCK_8));
  const rowCodes = <usize>codeBytes(kind, k), rowScales = <usize>(kind == KIND_4 ? blocks << 2 : 4);
  const bias = <usize>load<u32>(matrix, X_BIAS);
  const stride = <usize>n << 2;
  let data = <usize>load<u32>(matrix, X_DATA) + first * panelBytes;
  for (let panel = first; panel < last; panel++) {
    const at = <usize>(panel * COLUMNS) << 2;
    const column = <usize>load<u32>(matrix, X_SCALE) + at;
    const minimum = kind == KIND_4 ? <usize>load<u32>(matrix, X_MIN) + at : 0;
    const offset = bias != 0 ? bias + at : 0;
    const unpacked = kind == KIND_4 && rows >= UNPACK_ROWS;
    if (unpacked) unpackPanel(data, blocks, column, minimum, scratch);
    let c = codes, s = scales, m = sums, out = target + at;
    let row = 0;
    while (row < rows) {
      const two = row + 1 < rows;
      if (kind == KIND_4) {
        if (unpacked) fourTile(scratch, blocks, c, two ? rowCodes : 0, s, m, two ? rowScales : 0);
        else fourOne(data, blocks, column, minimum, c, s, m);
      } else {
        eightTile(data, blocks, column, c, two ? rowCodes : 0);
      }
      const done = kind == KIND_4 && !unpacked ? 1 : two ? 2 : 1;
      for (let i = 0; i < done; i++) {
        finish(i, kind == KIND_4 ? 0 : s, offset, out, add);
        out += stride;
        c += rowCodes;
        s += rowScales;
        m += rowScales;
      }
      row += done;
    }
    data += panelBytes;
  }
}

// Sums of a tile on their way from a loop to finish(): globals stay in registers no worse than memory would.
let r0: v128 = i64x2(0, 0);
let r1: v128 = i64x2(0, 0);
let r2: v128 = i64x2(0, 0);
let r3: v128 = i64x2(0, 0);

@inline
function finish(row: i32, scale: usize, bias: usize, out: usize, add: bool): void {
  let y0 = row == 0 ? r0 : r2, y1 = row == 0 ? r1 : r3;
  if (scale != 0) {
    const s = v128.load32_splat(scale);
    y0 = f32x4.mul(y0, s);
    y1 = f32x4.mul(y1, s);
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

/** Pairs of (int8 codes) x (four-bit weights): at most 2 * 15 * 127 a lane, so eight of them fit int16. */
@inline
function pairs(x: v128, w: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(x, w);
}

@inline
function wide(x: v128): v128 {
  return f32x4.convert_i32x4_s(i32x4.extadd_pairwise_i16x8_s(x));
}

/** The same from the plain build's sums: two vectors of half columns. */
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

/** One row by one panel of four-bit codes, read once as they lie. */
function fourOne(
  data: usize,
  blocks: i32,
  column: usize,
  minimum: usize,
  codes: usize,
  scales: usize,
  sums: usize,
): void {
  const low = i8x16.splat(15);
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  const m0 = v128.load(minimum), m1 = v128.load(minimum, 16);
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0);
  for (const end = scales + (<usize>blocks << 2); scales < end; scales += 4) {
    let s0: v128, s1: v128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      let a = i16x8.splat(0), b = i16x8.splat(0);
      for (let j: usize = 0; j < 4; j++) {
        const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
        const x = v128.load32_splat(codes + (j << 3)), z = v128.load32_splat(codes + (j << 3), 4);
        a = i16x8.add(a, pairs(x, v128.and(w, low)));
        b = i16x8.add(b, pairs(x, v128.and(v, low)));
        a = i16x8.add(a, pairs(z, v128.and(i16x8.shr_u(w, 4), low)));
        b = i16x8.add(b, pairs(z, v128.and(i16x8.shr_u(v, 4), low)));
      }
      s0 = wide(a);
      s1 = wide(b);
    } else {
      let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
      for (let j: usize = 0; j < 4; j++) {
        const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
        const x = v128.load64_splat(codes + (j << 4)), z = v128.load64_splat(codes + (j << 4), 8);
        const wl = v128.and(w, low), wh = v128.and(i16x8.shr_u(w, 4), low);
        const vl = v128.and(v, low), vh = v128.and(i16x8.shr_u(v, 4), low);
        a = i32x4.add(a, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(wl), x));
        b = i32x4.add(b, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(wl), x));
        c = i32x4.add(c, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(vl), x));
        d = i32x4.add(d, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(vl), x));
        a = i32x4.add(a, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(wh), z));
        b = i32x4.add(b, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(wh), z));
        c = i32x4.add(c, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(vh), z));
        d = i32x4.add(d, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(vh), z));
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
  r0 = y0;
  r1 = y1;
}

/** Four-bit codes to bytes and integers to float scales, once for many rows. */
function unpackPanel(data: usize, blocks: i32, column: usize, minimum: usize, to: usize): void {
  const low = i8x16.splat(15);
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  const m0 = v128.load(minimum), m1 = v128.load(minimum, 16);
  for (let block = 0; block < blocks; block++) {
    for (let j: usize = 0; j < 4; j++) {
      const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
      const at = to + (j << 6);
      v128.store(at, v128.and(w, low));
      v128.store(at, v128.and(v, low), 16);
      v128.store(at, v128.and(i16x8.shr_u(w, 4), low), 32);
      v128.store(at, v128.and(i16x8.shr_u(v, 4), low), 48);
    }
    v128.store(to, f32x4.mul(unsigned4(data + 128), c0), 256);
    v128.store(to, f32x4.mul(unsigned4(data + 136), c1), 272);
    v128.store(to, f32x4.mul(signed4(data + 144), m0), 288);
    v128.store(to, f32x4.mul(signed4(data + 152), m1), 304);
    data += BLOCK_4;
    to += UNPACKED;
  }
}

/** Two rows (or one twice) by an unpacked panel of four-bit codes. */
function fourTile(
  data: usize,
  blocks: i32,
  codes: usize,
  rowCodes: usize,
  scales: usize,
  sums: usize,
  rowScales: usize,
): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  for (const end = scales + (<usize>blocks << 2); scales < end; scales += 4) {
    let s0: v128, s1: v128, s2: v128, s3: v128;
    if (ASC_FEATURE_RELAXED_SIMD) {
      let a = i16x8.splat(0), b = i16x8.splat(0), c = i16x8.splat(0), d = i16x8.splat(0);
      for (let j: usize = 0; j < 8; j++) {
        const w = v128.load(data + (j << 5)), v = v128.load(data + (j << 5), 16);
        const x = v128.load32_splat(codes + (j << 2)), z = v128.load32_splat(codes + rowCodes + (j << 2));
        a = i16x8.add(a, pairs(x, w));
        b = i16x8.add(b, pairs(x, v));
        c = i16x8.add(c, pairs(z, w));
        d = i16x8.add(d, pairs(z, v));
      }
      s0 = wide(a);
      s1 = wide(b);
      s2 = wide(c);
      s3 = wide(d);
    } else {
      let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
      let e = i32x4.splat(0), f = i32x4.splat(0), g = i32x4.splat(0), h = i32x4.splat(0);
      for (let j: usize = 0; j < 8; j++) {
        const x = v128.load64_splat(codes + (j << 3)), z = v128.load64_splat(codes + rowCodes + (j << 3));
        let w = v128.load_ext<i8>(data + (j << 5));
        a = i32x4.add(a, i32x4.dot_i16x8_s(w, x));
        e = i32x4.add(e, i32x4.dot_i16x8_s(w, z));
        w = v128.load_ext<i8>(data + (j << 5), 8);
        b = i32x4.add(b, i32x4.dot_i16x8_s(w, x));
        f = i32x4.add(f, i32x4.dot_i16x8_s(w, z));
        w = v128.load_ext<i8>(data + (j << 5), 16);
        c = i32x4.add(c, i32x4.dot_i16x8_s(w, x));
        g = i32x4.add(g, i32x4.dot_i16x8_s(w, z));
        w = v128.load_ext<i8>(data + (j << 5), 24);
        d = i32x4.add(d, i32x4.dot_i16x8_s(w, x));
        h = i32x4.add(h, i32x4.dot_i16x8_s(w, z));
      }
      s0 = joined(a, b);
      s1 = joined(c, d);
      s2 = joined(e, f);
      s3 = joined(g, h);
    }
    const scale0 = v128.load(data, 256), scale1 = v128.load(data, 272);
    const min0 = v128.load(data, 288), min1 = v128.load(data, 304);
    let scale = v128.load32_splat(scales), sum = v128.load32_splat(sums);
    y0 = blockEnd(y0, s0, scale0, min0, scale, sum);
    y1 = blockEnd(y1, s1, scale1, min1, scale, sum);
    scale = v128.load32_splat(scales + rowScales);
    sum = v128.load32_splat(sums + rowScales);
    y2 = blockEnd(y2, s2, scale0, min0, scale, sum);
    y3 = blockEnd(y3, s3, scale1, min1, scale, sum);
    data += UNPACKED;
    codes += BLOCK_CODES;
    sums += 4;
  }
  r0 = y0;
  r1 = y1;
  r2 = y2;
  r3 = y3;
}

/** Two rows of int16 codes (or one twice) by a panel of int8 codes. */
function eightTile(data: usize, blocks: i32, column: usize, codes: usize, rowCodes: usize): void {
  let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
  for (let block = 0; block < blocks; block++) {
    let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
    for (let j: usize = 0; j < 16; j++) {
      const w = v128.load_ext<i8>(data + (j << 4)), v = v128.load_ext<i8>(data + (j << 4), 8);
      const x = v128.load32_splat(codes + (j << 2)), z = v128.load32_splat(codes + rowCodes + (j << 2));
      a = i32x4.add(a, i32x4.dot_i16x8_s(w, x));
      b = i32x4.add(b, i32x4.dot_i16x8_s(v, x));
      c = i32x4.add(c, i32x4.dot_i16x8_s(w, z));
      d = i32x4.add(d, i32x4.dot_i16x8_s(v, z));
    }
    const s0 = unsigned4(data + 256), s1 = unsigned4(data + 264);
    y0 = madd(f32x4.convert_i32x4_s(a), s0, y0);
    y1 = madd(f32x4.convert_i32x4_s(b), s1, y1);
    y2 = madd(f32x4.convert_i32x4_s(c), s0, y2);
    y3 = madd(f32x4.convert_i32x4_s(d), s1, y3);
    data += BLOCK_8;
    codes += BLOCK << 1;
  }
  const c0 = v128.load(column), c1 = v128.load(column, 16);
  r0 = f32x4.mul(y0, c0);
  r1 = f32x4.mul(y1, c1);
  r2 = f32x4.mul(y2, c0);
  r3 = f32x4.mul(y3, c1);
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
