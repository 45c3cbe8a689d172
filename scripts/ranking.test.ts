import { expect, test } from 'vitest';
import { averagePrecision, dot, ndcg, pearson, ranks, spearman } from './ranking.ts';

test('dot multiplies and adds', () => {
  expect(dot(Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6))).toBe(32);
});

test('ranks shares the mean among ties', () => {
  expect([...ranks([10, 30, 10, 20])]).toEqual([1.5, 4, 1.5, 3]);
});

test('pearson is 1 on a line, -1 on its mirror, 0 without variation', () => {
  expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
  expect(pearson([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
  expect(pearson([1, 1, 1], [1, 2, 3])).toBe(0);
});

test('spearman sees order alone', () => {
  expect(spearman([1, 2, 3, 4], [1, 8, 27, 1000])).toBeCloseTo(1, 12);
  // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]).statistic
  expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826816681233, 12);
});

test('averagePrecision rewards positives near the top', () => {
  expect(averagePrecision([0.9, 0.8, 0.7], [true, false, true])).toBeCloseTo((1 + 2 / 3) / 2, 12);
  expect(averagePrecision([0.9, 0.8], [false, false])).toBe(0);
});

test('ndcg is 1 for the ideal order and discounts later places', () => {
  expect(ndcg(['a', 'b', 'c'], new Set(['a', 'b']))).toBe(1);
  expect(ndcg(['x', 'a'], new Set(['a']))).toBeCloseTo(1 / Math.log2(3), 12);
  expect(ndcg(['x', 'y', 'a'], new Set(['a']), 2)).toBe(0);
});
