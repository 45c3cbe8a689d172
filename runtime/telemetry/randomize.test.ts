import { describe, expect, it } from 'vitest';
import { estimateShares } from './estimate.ts';
import { createSeededRandom } from './random.fixture.ts';
import {
  chainedOdds,
  cryptoRandom,
  randomize,
  randomNonce,
  responseOdds,
  uniformInt,
  weightedIndex,
} from './randomize.ts';
import { EPSILON, METRICS } from './schema.ts';

const KS = [...new Set(Object.values(METRICS).map((values) => values.length))];

/** Bytes read from a list of 32-bit draws, in order, then over again. */
function scripted(...draws: readonly number[]) {
  let at = 0;
  return (bytes: Uint8Array<ArrayBuffer>): void => {
    new DataView(bytes.buffer).setUint32(0, draws[at % draws.length] ?? 0);
    at += 1;
  };
}

describe('k-ary randomised response', () => {
  it.each(KS)('has p / q of at most e^epsilon for k = %i, and barely less', (k) => {
    for (const epsilon of [0.1, 1, EPSILON.instant, EPSILON.permanent, 4]) {
      const odds = responseOdds(k, epsilon);
      expect(odds.p + (k - 1) * odds.q).toBeCloseTo(1, 12);
      expect(odds.epsilon).toBeLessThanOrEqual(epsilon);
      expect(odds.epsilon).toBeGreaterThan(epsilon - 1e-6);
    }
  });

  it('is Warner’s coin for two values', () => {
    const { p, q } = responseOdds(2, Math.log(3));
    expect(p).toBeCloseTo(0.75, 8);
    expect(q).toBeCloseTo(0.25, 8);
  });

  it('keeps the truth below its threshold and answers uniformly from it on, to the last draw', () => {
    const k = 4;
    const gamma = Math.expm1(1) / (Math.E + 3);
    const threshold = Math.floor(gamma * 2 ** 32);
    expect(randomize(2, k, 1, scripted(threshold - 1, 0))).toBe(2);
    expect(randomize(2, k, 1, scripted(threshold, 0))).toBe(0);
    expect(randomize(2, k, 1, scripted(threshold, 3))).toBe(3);
  });

  it('draws as many bytes whatever the truth and whatever it answers', () => {
    for (const first of [0, 2 ** 32 - 1]) {
      let drawn = 0;
      const source = scripted(first, 1);
      randomize(1, 4, 1, (bytes) => {
        drawn += bytes.length;
        source(bytes);
      });
      expect(drawn).toBe(8);
    }
  });

  it('refuses what it cannot randomise', () => {
    expect(() => randomize(4, 4, 1, cryptoRandom)).toThrow(RangeError);
    expect(() => randomize(0, 1, 1, cryptoRandom)).toThrow(RangeError);
    expect(() => randomize(0, 4, 0, cryptoRandom)).toThrow(RangeError);
    expect(() => randomize(0, 4, Number.NaN, cryptoRandom)).toThrow(RangeError);
  });
});

describe('the two stages in a row', () => {
  it('cost one report less than epsilon 1, whatever the metric', () => {
    for (const k of KS) expect(chainedOdds(k, EPSILON.permanent, EPSILON.instant).epsilon).toBeLessThan(1);
  });

  it('equal the product of their two matrices', () => {
    const k = 5;
    const matrix = (epsilon: number) => {
      const { p, q } = responseOdds(k, epsilon);
      return (from: number, to: number) => (from === to ? p : q);
    };
    const [first, second] = [matrix(2), matrix(1.5)];
    const all = [...Array(k).keys()];
    const through = (from: number, to: number) =>
      all.reduce((sum, middle) => sum + first(from, middle) * second(middle, to), 0);
    const odds = chainedOdds(k, 2, 1.5);
    expect(odds.p).toBeCloseTo(through(0, 0), 12);
    expect(odds.q).toBeCloseTo(through(0, 3), 12);
  });
});

describe('random draws', () => {
  it('reject the draws that would make some numbers likelier', () => {
    const limit = 2 ** 32 - (2 ** 32 % 7);
    expect(uniformInt(7, scripted(limit, limit + 1, 12))).toBe(5);
  });

  it('follow the weights, and never pick a weight of zero', () => {
    const picks = [0, 1, 2, 3].map((draw) => weightedIndex([0, 3, 0, 1], scripted(draw)));
    expect(picks).toEqual([1, 1, 1, 3]);
  });

  it('give nonces of 128 bits that do not repeat', () => {
    const nonces = new Set(Array.from({ length: 1000 }, () => randomNonce(cryptoRandom)));
    expect(nonces.size).toBe(1000);
    for (const nonce of nonces) expect(nonce).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});

describe('debiasing', () => {
  it('gives back the true shares from expected counts, exactly', () => {
    const truth = [0.6, 0.25, 0.1, 0.05];
    const odds = chainedOdds(4, EPSILON.permanent, EPSILON.instant);
    const counts = truth.map((share) => 1e6 * (share * odds.p + (1 - share) * odds.q));
    estimateShares(counts, odds).forEach(({ share }, at) => {
      expect(share).toBeCloseTo(truth[at] ?? 0, 10);
    });
  });

  it('covers the truth with its 95 % bars about 95 % of the time', () => {
    const random = createSeededRandom(1);
    const truth = [0.6, 0.25, 0.1, 0.05];
    const cumulative = [60, 85, 95, 100];
    const odds = responseOdds(4, 1);
    let covered = 0;
    const runs = 400;
    for (let run = 0; run < runs; run += 1) {
      const counts = [0, 0, 0, 0];
      for (let device = 0; device < 800; device += 1) {
        const draw = uniformInt(100, random);
        const value = cumulative.findIndex((bound) => draw < bound);
        counts[randomize(value, 4, 1, random)]! += 1;
      }
      const first = estimateShares(counts, odds)[0];
      if (first !== undefined && first.low <= truth[0]! && truth[0]! <= first.high) covered += 1;
    }
    // Binomial(400, 0.95): outside 0.91…0.985 with fewer than one seed in a thousand.
    expect(covered / runs).toBeGreaterThan(0.91);
    expect(covered / runs).toBeLessThan(0.985);
  });
});
