// Exact figures for the statistics of the error bound.
import { describe, expect, it } from 'vitest';
import { incompleteBeta, leastTrials, rateIsAtMost } from './statistics.ts';

describe('incompleteBeta', () => {
  it.each([
    [0.5, 2, 3, 0.6875], // closed form: sum of binomials of 4 at 1/2
    [0.3, 1, 1, 0.3],
    [0.01, 1, 299, 1 - 0.99 ** 299],
    [0.2, 5, 2, 0.0016], // 6 * 0.2^5 * 0.8 + 0.2^6
    [0.9, 0.5, 0.5, (2 / Math.PI) * Math.asin(Math.sqrt(0.9))],
  ])('I_%f(%f, %f) = %f', (x, a, b, value) => {
    expect(incompleteBeta(x, a, b)).toBeCloseTo(value, 10);
  });

  it('is the tail of the binomial', () => {
    const [n, k, p] = [40, 3, 0.1];
    let tail = 0;
    let ways = 1;
    for (let at = 0; at <= k; at += 1) {
      tail += ways * p ** at * (1 - p) ** (n - at);
      ways *= (n - at) / (at + 1);
    }
    expect(1 - incompleteBeta(p, k + 1, n - k)).toBeCloseTo(tail, 12);
  });
});

describe('rateIsAtMost', () => {
  it('takes 299 right answers to show 1 % at 95 %, and more with each wrong one', () => {
    expect(leastTrials(0.01, 0.95)).toBe(299);
    expect(rateIsAtMost(0, 298, 0.01, 0.95)).toBe(false);
    expect(rateIsAtMost(0, 299, 0.01, 0.95)).toBe(true);
    expect(rateIsAtMost(1, 472, 0.01, 0.95)).toBe(false);
    expect(rateIsAtMost(1, 473, 0.01, 0.95)).toBe(true);
    expect(rateIsAtMost(0, 0, 0.01, 0.95)).toBe(false);
  });
});
