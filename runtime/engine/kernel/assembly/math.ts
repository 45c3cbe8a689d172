// Owns exp and GELU on four floats. No fused multiply-add anywhere: every build gives the same bits.

/** 1.5 * 2^23: adding it rounds a float to the nearest integer, ties to even, into its low bits. */
const MAGIC: f32 = 12582912.0;
export const MAGIC_BITS: i32 = 0x4b400000;

@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Nearest integers, ties to even, of floats within ±2^22. */
@inline
export function roundToInt(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, f32x4.splat(MAGIC)), i32x4.splat(MAGIC_BITS));
}

/** One float, rounded the same way. */
@inline
export function roundOne(x: f32): i32 {
  return reinterpret<i32>(x + MAGIC) - MAGIC_BITS;
}

/**
 * exp for x <= 0; below -87 it is 2^-126 or so. Relative error under 3e-7.
 * Source: Cody and Waite's reduction with the degree-5 polynomial of the Cephes library's expf.
 */
@inline
export function exp(x: v128): v128 {
  x = f32x4.pmax(f32x4.splat(-87), x);
  const shifted = madd(x, f32x4.splat(1.44269504), f32x4.splat(MAGIC));
  const n = f32x4.sub(shifted, f32x4.splat(MAGIC));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, f32x4.splat(2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(p, r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/**
 * x * Phi(x), Phi the normal distribution: an odd polynomial, least in worst error of the product, on
 * |x| <= 4.2 and held there. Absolute error under 1e-4, far below a code's step.
 */
@inline
export function gelu(x: v128): v128 {
  const y = f32x4.pmin(f32x4.splat(4.2), f32x4.pmax(f32x4.splat(-4.2), x));
  const t = f32x4.mul(y, y);
  let p = f32x4.splat(-9.017525615107047e-10);
  p = madd(p, t, f32x4.splat(7.941334700944935e-8));
  p = madd(p, t, f32x4.splat(-3.037930127902655e-6));
  p = madd(p, t, f32x4.splat(6.689067231491208e-5));
  p = madd(p, t, f32x4.splat(-0.0009506572969257832));
  p = madd(p, t, f32x4.splat(0.009298228658735752));
  p = madd(p, t, f32x4.splat(-0.06552819907665253));
  p = madd(p, t, f32x4.splat(0.3984658718109131));
  return f32x4.mul(x, madd(p, y, f32x4.splat(0.5)));
}

@inline
export function sum(x: v128): f32 {
  const y = f32x4.add(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(y, 0) + f32x4.extract_lane(y, 1);
}

@inline
export function largest(x: v128): f32 {
  const y = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1));
  return max(f32x4.extract_lane(y, 0), f32x4.extract_lane(y, 1));
}
