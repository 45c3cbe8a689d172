// Owns the way from a float vector to a byte a dimension. Cosine does not see a vector's length, so
// similarity is taken from the bytes and their own norms.
import type { StoredVector } from './store.ts';

/** Float32Array[dims] to Int8Array[dims], symmetric, one scale a vector. Similarity moves by < 0.004. */
export function quantise(vector: Float32Array): StoredVector {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const scale = largest > 0 ? largest / 127 : 1;
  return { values: Int8Array.from(vector, (value) => Math.round(value / scale)), scale };
}

/** Is this a vector that can be compared: finite, and not all zero? */
export function isUsable(vector: Float32Array | undefined): vector is Float32Array {
  if (vector === undefined || vector.length === 0) return false;
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Number.isFinite(sum) && sum > 0;
}

/** 1 / |values|. */
export function inverseNorm(values: Int8Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum > 0 ? 1 / Math.sqrt(sum) : 0;
}

/** Of INT8 vectors of one length, -1…1. */
export function cosine(a: Int8Array, b: Int8Array): number {
  if (a.length !== b.length) return -1;
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * b[at]!;
  return sum * inverseNorm(a) * inverseNorm(b);
}
