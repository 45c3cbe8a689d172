import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { createSampler, likelihoods, maskAllows, type Sampling } from './sampler.ts';

/** The definition, spelled out: every id, sorted, cut, drawn. */
function reference(row: readonly number[], allowed: readonly boolean[], s: Sampling, chance: number): number {
  const temperature = s.temperature ?? 1;
  const filtered = (s.topK ?? 0) > 0 || (s.topP ?? 1) < 1;
  let ids = row.map((_, id) => id).filter((id) => allowed[id]);
  const ranked = [...ids].sort((a, b) => row[b]! - row[a]! || a - b);
  if (temperature <= 0) return ranked[0]!;
  const weight = (id: number) => Math.exp((row[id]! - row[ranked[0]!]!) / temperature);
  if (filtered) ids = ranked;
  if (s.topK) ids = ids.slice(0, s.topK);
  const mass = ids.reduce((sum, id) => sum + weight(id), 0);
  if ((s.topP ?? 1) < 1) {
    let sum = 0;
    ids = ids.filter((id) => {
      const before = sum;
      sum += weight(id);
      return before < s.topP! * mass;
    });
    if (ids.length === 0) ids = ranked.slice(0, 1);
  }
  ids = ids.filter((id) => weight(id) >= (s.minP ?? 0));
  let left = chance * ids.reduce((sum, id) => sum + weight(id), 0);
  for (const id of ids) {
    left -= weight(id);
    if (left < 0) return id;
  }
  return ids[ids.length - 1]!;
}

const maskOf = (allowed: readonly boolean[]): Uint32Array => {
  const mask = new Uint32Array(Math.ceil(allowed.length / 32));
  allowed.forEach((yes, id) => {
    if (yes) mask[id >>> 5]! |= 1 << (id & 31);
  });
  return mask;
};

// Eighths are exact in float32 and far enough apart that rounding of sums decides nothing.
const logit = fc.integer({ min: -160, max: 160 }).map((n) => n / 8);
const sampling = fc.record({
  temperature: fc.constantFrom(0, 0.5, 1, 2),
  topK: fc.constantFrom(0, 0, 1, 3, 40),
  topP: fc.constantFrom(1, 1, 0.05, 0.5, 0.93),
  minP: fc.constantFrom(0, 0, 0.031, 0.2),
  seed: fc.integer(),
});

describe('createSampler', () => {
  it('chooses as the definition does, whatever the settings, mask and logits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(logit, fc.boolean()), { minLength: 1, maxLength: 80 }),
        sampling,
        (pairs, settings) => {
          const row = pairs.map(([value]) => value);
          const allowed = pairs.map(([, yes], at) => yes || at === 0);
          const chance = createRandom(settings.seed)();
          const got = createSampler(settings).pick(Float32Array.from(row), maskOf(allowed));
          expect(got).toBe(reference(row, allowed, settings, chance));
        },
      ),
      { numRuns: 600 },
    );
  });

  it('never chooses a masked token', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 40, maxLength: 70 }), sampling, (allowed, settings) => {
        fc.pre(allowed.includes(true));
        const row = Float32Array.from(allowed, (yes) => (yes ? -50 : 50));
        const mask = maskOf(allowed);
        expect(maskAllows(mask, createSampler(settings).pick(row, mask))).toBe(true);
      }),
    );
  });

  it('says the same words for the same seed and others for another', () => {
    const rows = Array.from({ length: 50 }, (_, at) =>
      Float32Array.from({ length: 100 }, (_, id) => Math.sin(at * 31 + id)),
    );
    const say = (seed: number) => {
      const sampler = createSampler({ seed });
      return rows.map((row) => sampler.pick(row)).join();
    };
    expect(say(7)).toBe(say(7));
    expect(say(7)).not.toBe(say(8));
    expect(say(7)).not.toBe(say(7 + 2 ** 32));
  });

  it('draws as often as the logits say', () => {
    const row = Float32Array.from([Math.log(0.5), Math.log(0.3), Math.log(0.2)]);
    const sampler = createSampler({ seed: 3 });
    const counts = [0, 0, 0];
    for (let i = 0; i < 20_000; i += 1) counts[sampler.pick(row)]! += 1;
    // Three standard deviations of a binomial with 20,000 draws are under 0.011.
    expect(counts.map((count) => count / 20_000)).toEqual([
      expect.closeTo(0.5, 1.6),
      expect.closeTo(0.3, 1.6),
      expect.closeTo(0.2, 1.6),
    ]);
  });

  it('divides a positive and multiplies a negative logit of a token seen before', () => {
    const sampler = createSampler({ seed: 0, temperature: 0, repetitionPenalty: 2 });
    sampler.accept(0, 'prompt');
    expect(sampler.pick(Float32Array.from([3, 1.6]))).toBe(1);
    expect(sampler.pick(Float32Array.from([3.5, 1.6]))).toBe(0);
    expect(sampler.pick(Float32Array.from([-1, -1.5]))).toBe(1);
  });

  it('counts the answer, not the prompt, for frequency and presence', () => {
    const sampler = createSampler({ seed: 0, temperature: 0, frequencyPenalty: 1, presencePenalty: 0.5 });
    sampler.accept(0, 'prompt');
    expect(sampler.pick(Float32Array.from([1, 0.9]))).toBe(0);
    sampler.accept(0, 'answer');
    expect(sampler.pick(Float32Array.from([2.6, 1]))).toBe(0);
    sampler.accept(0, 'answer');
    expect(sampler.pick(Float32Array.from([2.6, 1]))).toBe(1);
  });

  it('adds the bias and leaves the decoder’s row alone', () => {
    const row = Float32Array.from([1, 0]);
    const sampler = createSampler({ seed: 0, temperature: 0, logitBias: new Map([[1, 2]]) });
    expect(sampler.pick(row)).toBe(1);
    expect([...row]).toEqual([1, 0]);
  });

  it('says so when no logit can be used', () => {
    const sampler = createSampler({ seed: 0 });
    expect(() => sampler.pick(Float32Array.from([Number.NaN]))).toThrow(/no usable logit/);
    expect(() => sampler.pick(Float32Array.from([1]), new Uint32Array(1))).toThrow(/no usable logit/);
  });
});

describe('likelihoods', () => {
  it('are natural logarithms of a distribution that sums to one', () => {
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 60 }), fc.nat(), (row, at) => {
        const chosen = at % row.length;
        const told = likelihoods(Float32Array.from(row), chosen, row.length);
        const sum = told.top.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
        expect(sum).toBeCloseTo(1, 9);
        expect(told.top.map(({ id }) => id)).toEqual(
          row.map((_, id) => id).sort((a, b) => row[b]! - row[a]! || a - b),
        );
        expect(told.chosen.logprob).toBe(told.top.find(({ id }) => id === chosen)!.logprob);
      }),
    );
  });

  it('tells what can not be as very unlikely, for JSON has no infinity', () => {
    const row = Float32Array.from([0, Number.NEGATIVE_INFINITY]);
    const { chosen, top } = likelihoods(row, 1, 2);
    expect([chosen.logprob, ...top.map(({ logprob }) => logprob)]).toEqual([-9999, 0, -9999]);
  });

  it('tells no more alternatives than asked', () => {
    expect(likelihoods(Float32Array.from([1, 3, 2]), 0, 2).top.map(({ id }) => id)).toEqual([1, 2]);
    expect(likelihoods(Float32Array.from([1, 3, 2]), 0, 0).top).toEqual([]);
  });
});
