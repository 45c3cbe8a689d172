// The promise of the bound, on simulated streams whose truth is known.
import { describe, expect, it } from 'vitest';
import { mulberry32 } from '../../scripts/report.ts';
import { SHIPPED_THRESHOLD } from './calibration.ts';
import { BINS, createErrorBound, lowestThreshold } from './error-bound.ts';

const PLACE = { scopeHash: 's', kind: 'what' };

/** A match at this confidence is wrong with probability `wrongAt(confidence)`. */
function simulate(wrongAt: (confidence: number) => number, seed: number, trials: number): number {
  const random = mulberry32(seed);
  const bins = { right: new Float64Array(BINS), wrong: new Float64Array(BINS) };
  for (let at = 0; at < trials; at += 1) {
    const part = random();
    (random() >= wrongAt(part) ? bins.right : bins.wrong)[Math.floor(part * BINS)]! += 1;
  }
  // Parts of the binned range, 0…1.
  return 2 * lowestThreshold(bins, 0.01, 0.95) - 1;
}

/** The true share of wrong matches at or above a threshold, confidence uniform. */
function trueRate(wrongAt: (confidence: number) => number, threshold: number): number {
  const steps = Array.from({ length: 1_000 }, (_, at) => threshold + ((1 - threshold) * (at + 0.5)) / 1_000);
  return steps.reduce((sum, at) => sum + wrongAt(at), 0) / steps.length;
}

describe('the bound', () => {
  it('serves nothing before it has seen enough', () => {
    const bound = createErrorBound({ shipped: false }, new Map());
    for (let at = 0; at < 407; at += 1) bound.observe(PLACE, 0.99, true);
    expect(bound.threshold(PLACE)).toBe(Number.POSITIVE_INFINITY);
    bound.observe(PLACE, 0.99, true);
    expect(bound.threshold(PLACE)).toBeCloseTo(0.99, 9);
  });

  it.each([
    ['a slope', (confidence: number) => 0.2 * (1 - confidence) ** 2],
    ['a step', (confidence: number) => (confidence > 0.6 ? 0.002 : 0.5)],
    ['wrong everywhere', () => 0.05],
    ['just above the target', () => 0.011],
  ])('keeps its target in 19 of 20 worlds: %s', (_name, wrongAt) => {
    const worlds = 200;
    let broken = 0;
    for (let seed = 1; seed <= worlds; seed += 1) {
      const threshold = simulate(wrongAt, seed, 3_000);
      if (threshold <= 1 && trueRate(wrongAt, threshold) > 0.01) broken += 1;
    }
    // 5 % of 200, and three standard deviations of it.
    expect(broken).toBeLessThanOrEqual(10 + 3 * Math.sqrt(200 * 0.05 * 0.95));
  });

  it('starts from the shipped threshold, and leaves it at the first sign against it', () => {
    const bound = createErrorBound({}, new Map());
    expect(bound.threshold(PLACE)).toBe(SHIPPED_THRESHOLD);
    for (let at = 0; at < 3; at += 1) bound.observe(PLACE, 0.99, true);
    bound.observe(PLACE, 0.951, false);
    expect(bound.threshold(PLACE)).toBeGreaterThan(0.951);
    expect(bound.threshold(PLACE)).toBeLessThan(0.99);
    bound.observe(PLACE, 1, false);
    expect(bound.threshold(PLACE)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is of use: with few errors it opens most of the range', () => {
    const mostlyRight = (confidence: number): number => (confidence > 0.5 ? 0.001 : 0.5);
    const thresholds = Array.from({ length: 50 }, (_, seed) => simulate(mostlyRight, seed, 4_000));
    expect(thresholds.filter((threshold) => threshold < 0.6).length).toBeGreaterThan(45);
  });

  it('closes again when matches turn wrong', () => {
    const bound = createErrorBound({ shipped: false }, new Map());
    for (let at = 0; at < 600; at += 1) bound.observe(PLACE, 0.95, true);
    expect(bound.threshold(PLACE)).toBeCloseTo(0.95, 9);
    for (let at = 0; at < 8; at += 1) bound.observe(PLACE, 0.95, false);
    expect(bound.threshold(PLACE)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is learned for each scope and kind alone, kept, and forgotten with its scope', () => {
    const bound = createErrorBound({ shipped: false }, new Map());
    let rows: Readonly<Record<string, string>> = {};
    for (let at = 0; at < 450; at += 1) rows = { ...rows, ...bound.observe(PLACE, 1, true) };
    expect(bound.threshold({ ...PLACE, kind: 'who' })).toBe(Number.POSITIVE_INFINITY);
    expect(bound.threshold({ ...PLACE, scopeHash: 't' })).toBe(Number.POSITIVE_INFINITY);
    const again = createErrorBound({ shipped: false }, new Map(Object.entries(rows)));
    expect(again.threshold(PLACE)).toBeCloseTo(0.995, 9);
    expect(again.forget('s')).toEqual(Object.keys(rows));
    expect(again.threshold(PLACE)).toBe(Number.POSITIVE_INFINITY);
    const damaged = new Map([[Object.keys(rows)[0] ?? '', '[[1],[2]]']]);
    expect(createErrorBound({ shipped: false }, damaged).threshold(PLACE)).toBe(Number.POSITIVE_INFINITY);
  });
});
