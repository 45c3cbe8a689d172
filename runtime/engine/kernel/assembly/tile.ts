// Owns the integer product of one tile: up to 4 rows of codes (0…127) by one panel of 8 columns of int8
// weights, all of k, exact in int32. Three ways to the same integers:
//   wide    relaxed SIMD's four-way dot product with int32 sums: one instruction on ARM (SDOT) and on x64
//           with VNNI.
//   paired  for x64 without VNNI, where that instruction costs five: two-way dot products summed in int16
//           over 8 k, then widened. Packing proves that the int16 sums cannot overflow (pack.ts).
//   plain   SIMD128 alone: codes are stored as int16, weights widened while they are loaded.
// Nothing is summed across a register: a lane is a column, codes are broadcast.
import { MODE_PAIRED, MODE_WIDE, PANEL, SLOTS, TILE } from './layout';

/** Bytes of one code: plain SIMD has no 8-bit product, so it keeps them as int16. */
export const CODE_BYTES: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2;
/** Bytes that 8 k of one tile take. */
export const TILE_STEP: i32 = TILE * 8 * CODE_BYTES;
/** Bytes that 8 k of one panel take. */
export const PANEL_STEP: i32 = PANEL * 8;

@inline
export function tileBytes(k: i32): i32 {
  return ((k + SLOTS) >> 3) * TILE_STEP;
}

@inline
export function panelBytes(k: i32): i32 {
  return ((k + SLOTS) >> 3) * PANEL_STEP;
}

/**
 * MODE_PAIRED where the four-way dot product is made of int16 pairs that saturate (x64 without VNNI), else
 * MODE_WIDE. Told by what it does outside its contract: 127 * 255 * 4 is cut to 2 * 32767 there. `scratch`:
 * 32 bytes, so that no compiler knows the operands.
 */
export function probe(scratch: usize): i32 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    v128.store(scratch, i8x16.splat(127));
    v128.store(scratch, i8x16.splat(-1), 16);
    const sums = wide(v128.load(scratch), v128.load(scratch, 16), i32x4.splat(0));
    return i32x4.extract_lane(sums, 0) == 65534 ? MODE_PAIRED : MODE_WIDE;
  }
  return MODE_WIDE;
}

/**
 * acc int32[4][8] = codes [4][k + 8] x panel [k + 8][8]. `rows` 1…4 are computed, the others left alone.
 * `paired`: whether the panel's int16 sums were proven safe.
 */
export function productTile(codes: usize, weights: usize, k: i32, acc: usize, rows: i32, paired: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (paired == MODE_PAIRED) {
      if (rows > 2) paired4(codes, weights, k, acc);
      else paired2(codes, weights, k, acc);
    } else {
      if (rows > 2) wide4(codes, weights, k, acc);
      else wide2(codes, weights, k, acc);
    }
  } else {
    plain2(codes, weights, k, acc);
    if (rows > 2) plain2(codes + 32, weights, k, acc + 64);
  }
}

@inline
function splat(codes: usize, row: i32, half: i32): v128 {
  return v128.load32_splat(codes + (row << 3) + (half << 2));
}

@inline
function wide(w: v128, x: v128, acc: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, acc);
}

function wide4(codes: usize, weights: usize, k: i32, acc: usize): void {
  let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0), c1 = i32x4.splat(0), d0 = i32x4.splat(0), d1 = i32x4.splat(0);
  const end = codes + tileBytes(k);
  while (codes < end) {
    let w0 = v128.load(weights), w1 = v128.load(weights, 16);
    let x = splat(codes, 0, 0);
    a0 = wide(w0, x, a0); a1 = wide(w1, x, a1);
    x = splat(codes, 1, 0);
    b0 = wide(w0, x, b0); b1 = wide(w1, x, b1);
    x = splat(codes, 2, 0);
    c0 = wide(w0, x, c0); c1 = wide(w1, x, c1);
    x = splat(codes, 3, 0);
    d0 = wide(w0, x, d0); d1 = wide(w1, x, d1);
    w0 = v128.load(weights, 32); w1 = v128.load(weights, 48);
    x = splat(codes, 0, 1);
    a0 = wide(w0, x, a0); a1 = wide(w1, x, a1);
    x = splat(codes, 1, 1);
    b0 = wide(w0, x, b0); b1 = wide(w1, x, b1);
    x = splat(codes, 2, 1);
    c0 = wide(w0, x, c0); c1 = wide(w1, x, c1);
    x = splat(codes, 3, 1);
    d0 = wide(w0, x, d0); d1 = wide(w1, x, d1);
    weights += PANEL_STEP;
    codes += TILE_STEP;
  }
  v128.store(acc, a0); v128.store(acc, a1, 16);
  v128.store(acc, b0, 32); v128.store(acc, b1, 48);
  v128.store(acc, c0, 64); v128.store(acc, c1, 80);
  v128.store(acc, d0, 96); v128.store(acc, d1, 112);
}

function wide2(codes: usize, weights: usize, k: i32, acc: usize): void {
  let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
  const end = codes + tileBytes(k);
  while (codes < end) {
    let w0 = v128.load(weights), w1 = v128.load(weights, 16);
    let x = splat(codes, 0, 0), y = splat(codes, 1, 0);
    a0 = wide(w0, x, a0); a1 = wide(w1, x, a1);
    b0 = wide(w0, y, b0); b1 = wide(w1, y, b1);
    w0 = v128.load(weights, 32); w1 = v128.load(weights, 48);
    x = splat(codes, 0, 1); y = splat(codes, 1, 1);
    a0 = wide(w0, x, a0); a1 = wide(w1, x, a1);
    b0 = wide(w0, y, b0); b1 = wide(w1, y, b1);
    weights += PANEL_STEP;
    codes += TILE_STEP;
  }
  v128.store(acc, a0); v128.store(acc, a1, 16);
  v128.store(acc, b0, 32); v128.store(acc, b1, 48);
}

@inline
function pair(w: v128, x: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(w, x);
}

/** acc + both halves' pairs, summed in int16 first. */
@inline
function paired(acc: v128, w0: v128, x0: v128, w1: v128, x1: v128): v128 {
  return i32x4.add(acc, i32x4.extadd_pairwise_i16x8_s(i16x8.add(pair(w0, x0), pair(w1, x1))));
}

/** The same without trust: the slots' group repeats columns, so its int16 sums may overflow. */
@inline
function apart(acc: v128, w0: v128, x0: v128, w1: v128, x1: v128): v128 {
  return i32x4.add(
    acc,
    i32x4.add(
      i32x4.extadd_pairwise_i16x8_s(pair(w0, x0)),
      i32x4.extadd_pairwise_i16x8_s(pair(w1, x1)),
    ),
  );
}

function paired4(codes: usize, weights: usize, k: i32, acc: usize): void {
  let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
  let c0 = i32x4.splat(0), c1 = i32x4.splat(0), d0 = i32x4.splat(0), d1 = i32x4.splat(0);
  const end = codes + (k >> 3) * TILE_STEP;
  while (codes < end) {
    const w0 = v128.load(weights), w1 = v128.load(weights, 16);
    const w2 = v128.load(weights, 32), w3 = v128.load(weights, 48);
    let x = splat(codes, 0, 0), y = splat(codes, 0, 1);
    a0 = paired(a0, w0, x, w2, y); a1 = paired(a1, w1, x, w3, y);
    x = splat(codes, 1, 0); y = splat(codes, 1, 1);
    b0 = paired(b0, w0, x, w2, y); b1 = paired(b1, w1, x, w3, y);
    x = splat(codes, 2, 0); y = splat(codes, 2, 1);
    c0 = paired(c0, w0, x, w2, y); c1 = paired(c1, w1, x, w3, y);
    x = splat(codes, 3, 0); y = splat(codes, 3, 1);
    d0 = paired(d0, w0, x, w2, y); d1 = paired(d1, w1, x, w3, y);
    weights += PANEL_STEP;
    codes += TILE_STEP;
  }
  const w0 = v128.load(weights), w1 = v128.load(weights, 16);
  const w2 = v128.load(weights, 32), w3 = v128.load(weights, 48);
  let x = splat(codes, 0, 0), y = splat(codes, 0, 1);
  v128.store(acc, apart(a0, w0, x, w2, y)); v128.store(acc, apart(a1, w1, x, w3, y), 16);
  x = splat(codes, 1, 0); y = splat(codes, 1, 1);
  v128.store(acc, apart(b0, w0, x, w2, y), 32); v128.store(acc, apart(b1, w1, x, w3, y), 48);
  x = splat(codes, 2, 0); y = splat(codes, 2, 1);
  v128.store(acc, apart(c0, w0, x, w2, y), 64); v128.store(acc, apart(c1, w1, x, w3, y), 80);
  x = splat(codes, 3, 0); y = splat(codes, 3, 1);
  v128.store(acc, apart(d0, w0, x, w2, y), 96); v128.store(acc, apart(d1, w1, x, w3, y), 112);
}

function paired2(codes: usize, weights: usize, k: i32, acc: usize): void {
  let a0 = i32x4.splat(0), a1 = i32x4.splat(0), b0 = i32x4.splat(0), b1 = i32x4.splat(0);
  const end = codes + (k >> 3) * TILE_STEP;
  while (codes < end) {
    const w0 = v128.load(weights), w1 = v128.load(weights, 16);
    const w2 = v128.load(weights, 32), w3 = v128.load(weights, 48);
    let x = splat(codes, 0, 0), y = splat(codes, 0, 1);
    a0 = paired(a0, w0, x, w2, y); a1 = paired(a1, w1, x, w3, y);
    x = splat(codes, 1, 0); y = splat(codes, 1, 1);
    b0 = paired(b0, w0, x, w2, y); b1 = paired(b1, w1, x, w3, y);
    weights += PANEL_STEP;
    codes += TILE_STEP;
  }
  const w0 = v128.load(weights), w1 = v128.load(weights, 16);
  const w2 = v128.load(weights, 32), w3 = v128.load(weights, 48);
  let x = splat(codes, 0, 0), y = splat(codes, 0, 1);
  v128.store(acc, apart(a0, w0, x, w2, y)); v128.store(acc, apart(a1, w1, x, w3, y), 16);
  x = splat(codes, 1, 0); y = splat(codes, 1, 1);
  v128.store(acc, apart(b0, w0, x, w2, y), 32); v128.store(acc, apart(b1, w1, x, w3, y), 48);
}

/** [a0+a1, a2+a3, b0+b1, b2+b3]: lanes hold two halves of a column; a panel's order comes back. */
@inline
function joined(a: v128, b: v128): v128 {
  return i32x4.add(
    v128.shuffle<i32>(a, b, 0, 2, 4, 6),
    v128.shuffle<i32>(a, b, 1, 3, 5, 7),
  );
}

@inline
function plainDot(w: v128, x: v128, acc: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(w, x));
}

function plain2(codes: usize, weights: usize, k: i32, acc: usize): void {
  let a0 = i32x4.splat(0), a1 = i32x4.splat(0), a2 = i32x4.splat(0), a3 = i32x4.splat(0);
  let b0 = i32x4.splat(0), b1 = i32x4.splat(0), b2 = i32x4.splat(0), b3 = i32x4.splat(0);
  const end = codes + tileBytes(k);
  while (codes < end) {
    let x = v128.load64_splat(codes), y = v128.load64_splat(codes, 16);
    let w = v128.load_ext<i8>(weights);
    a0 = plainDot(w, x, a0); b0 = plainDot(w, y, b0);
    w = v128.load_ext<i8>(weights, 8);
    a1 = plainDot(w, x, a1); b1 = plainDot(w, y, b1);
    w = v128.load_ext<i8>(weights, 16);
    a2 = plainDot(w, x, a2); b2 = plainDot(w, y, b2);
    w = v128.load_ext<i8>(weights, 24);
    a3 = plainDot(w, x, a3); b3 = plainDot(w, y, b3);
    x = v128.load64_splat(codes, 8); y = v128.load64_splat(codes, 24);
    w = v128.load_ext<i8>(weights, 32);
    a0 = plainDot(w, x, a0); b0 = plainDot(w, y, b0);
    w = v128.load_ext<i8>(weights, 40);
    a1 = plainDot(w, x, a1); b1 = plainDot(w, y, b1);
    w = v128.load_ext<i8>(weights, 48);
    a2 = plainDot(w, x, a2); b2 = plainDot(w, y, b2);
    w = v128.load_ext<i8>(weights, 56);
    a3 = plainDot(w, x, a3); b3 = plainDot(w, y, b3);
    weights += PANEL_STEP;
    codes += TILE_STEP;
  }
  v128.store(acc, joined(a0, a1)); v128.store(acc, joined(a2, a3), 16);
  v128.store(acc, joined(b0, b1), 32); v128.store(acc, joined(b2, b3), 48);
}
