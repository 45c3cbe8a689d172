// Owns what turns hidden states into unit vectors, for graphs that do not do it themselves.
import type { Manifest } from '../models.ts';

/** Hidden states [tokens, hidden] of one row into Float32Array[hidden]; not normalised. */
export function poolRows(hidden: Float32Array, manifest: Pick<Manifest, 'hidden' | 'pooling'>): Float32Array {
  const width = manifest.hidden;
  if (manifest.pooling === 'cls') return hidden.slice(0, width);
  const tokens = hidden.length / width;
  const sum = new Float32Array(width);
  for (let at = 0; at < hidden.length; at += 1) sum[at % width]! += hidden[at]!;
  return sum.map((value) => value / tokens);
}

/** L2-normalises each row of [rows, dims] in place; a zero row stays zero. */
export function normalizeRows(values: Float32Array, dims: number): Float32Array {
  for (let start = 0; start < values.length; start += dims) {
    const row = values.subarray(start, start + dims);
    const norm = Math.sqrt(dot(row, row));
    if (norm > 0) for (let at = 0; at < row.length; at += 1) row[at]! /= norm;
  }
  return values;
}

/** Cosine, -1…1; 0 where a vector is zero or not a number. */
export function cosine(a: Float32Array, b: Float32Array): number {
  const value = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  return Number.isFinite(value) ? value : 0;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * (b[at] ?? 0);
  return sum;
}
