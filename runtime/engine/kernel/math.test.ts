import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import * as at from './layout.ts';
import { assignSlots } from './outliers.ts';
import { gelu, softmax } from './reference.ts';
import { type KernelBench, openKernel } from './testing.ts';

let bench: KernelBench;
beforeAll(async () => {
  bench = await openKernel('relaxed', 4);
});

function inPlace(values: readonly number[], work: (address: number) => void): number[] {
  const room = bench.floats(bench.scratch, values.length);
  room.set(values);
  work(bench.scratch);
  return [...room];
}

const floats = (min: number, max: number, length: number) =>
  fc.array(fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true }), {
    minLength: length,
    maxLength: length,
  });

it('exp is right to 3e-7 of its value down to -87, and nothing below', () => {
  fc.assert(
    fc.property(floats(-87, 0, 32), (values) => {
      const found = inPlace(values, (x) => bench.kernel.expRow(x, 32));
      for (const [i, value] of values.entries())
        expect(Math.abs(found[i]! / Math.exp(value) - 1)).toBeLessThan(3e-7);
    }),
  );
  for (const tiny of inPlace([-88, -1000, -Infinity, -87.5], (x) => bench.kernel.expRow(x, 4))) {
    expect(tiny).toBeGreaterThanOrEqual(0);
    expect(tiny).toBeLessThan(1e-37);
  }
});

it('GELU is right to 1e-4 everywhere', () => {
  const values = Array.from({ length: 4000 }, (_, i) => (i - 2000) / 150);
  const found = inPlace(values, (x) => bench.kernel.geluRow(x, values.length));
  for (const [i, value] of values.entries()) expect(Math.abs(found[i]! - gelu(value))).toBeLessThan(1e-4);
});

it('layer norm and RMS norm are right to 1e-5', () => {
  fc.assert(
    fc.property(floats(-50, 50, 48), floats(-2, 2, 96), (values, parameters) => {
      // A row that does not vary has no norm to speak of.
      fc.pre(Math.max(...values) - Math.min(...values) > 0.1);
      const norm = bench.scratch + 4096;
      bench.floats(norm, 96).set(parameters);
      const found = inPlace(values, (x) => bench.kernel.layerNorm(x, 48, norm, 1e-12));
      const mean = values.reduce((sum, value) => sum + value, 0) / 48;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 48);
      values.forEach((value, i) => {
        const unit = (value - mean) / deviation;
        const expected = unit * parameters[i]! + parameters[48 + i]!;
        expect(Math.abs(found[i]! - expected)).toBeLessThan(1e-5 * (4 + (Math.abs(mean) / deviation) * 4));
      });
      const root = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / 48 + 1e-6);
      const scaled = inPlace(values, (x) => bench.kernel.rmsNorm(x, 48, norm, 1e-6));
      for (const [i, value] of values.entries())
        expect(scaled[i]!).toBeCloseTo((value / root) * parameters[i]!, 4);
    }),
  );
});

it('softmax sums to one, agrees to 1e-6, and gives padding nothing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), floats(-300, 300, 48), (tokens, values) => {
      const padded = (tokens + 15) & ~15;
      const found = inPlace(values, (x) => bench.kernel.softmax(x, tokens, padded, 0.25));
      const expected = softmax(values.slice(0, tokens).map((value) => value * 0.25));
      for (const [i, weight] of expected.entries())
        expect(Math.abs(found[i]! - weight)).toBeLessThan(1e-6 + 4e-6 * weight);
      for (const weight of found.slice(tokens, padded)) expect(weight).toBeLessThan(1e-37);
    }),
  );
});

describe('quantised rows', () => {
  const K = 40;
  /** Sum of a channel's codes, less the zero point each, times the scale. */
  function roundTrip(
    values: readonly number[],
    spread: boolean,
  ): { readonly found: number[]; readonly scale: number } {
    const [shares, slots, codes, meta] = [4096, 8192, 12288, 16384].map((offset) => bench.scratch + offset);
    const peaks = Float32Array.from(values, Math.abs);
    const chosen = assignSlots(peaks);
    bench.floats(shares!, K).set(spread ? chosen.shares : new Float32Array(K).fill(1));
    bench.ints(slots!, at.SLOTS).set(spread ? chosen.slots : new Int32Array(at.SLOTS).fill(-1));
    new Uint8Array(bench.memory.buffer, codes!, (K + at.SLOTS) * at.TILE).fill(0);
    inPlace(values, (x) => bench.kernel.quantizeRow(x, K, shares!, slots!, codes!, 2, meta!));
    const [scale, offset] = bench.floats(meta!, 2);
    const zero = scale === 0 ? 0 : Math.round(offset! / scale!);
    const bytes = new Uint8Array(bench.memory.buffer, codes!, (K + at.SLOTS) * at.TILE);
    const code = (k: number) => bytes[(k >> 3) * 32 + 16 + (k & 7)]! - zero;
    expect(bytes.every((byte) => byte <= 127)).toBe(true);
    const found = values.map((_, k) => code(k));
    if (spread) {
      chosen.slots.forEach((entry, slot) => {
        found[entry & 0xffff]! += code(K + slot);
      });
    }
    return { found: found.map((value) => value * scale!), scale: scale! };
  }

  it('are right to half a step, outliers spread over slots or not', () => {
    fc.assert(
      fc.property(floats(-30, 30, K), fc.boolean(), (values, spread) => {
        const { found, scale } = roundTrip(values, spread);
        // The zero point is rounded too, so the ends of the range may lose half a step more.
        for (const [i, value] of values.entries())
          expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(scale * 4.6 + 1e-5);
        const inner = values.filter((value, i) => Math.abs(found[i]! - value) > scale * 0.51 + 1e-5);
        expect(inner.length).toBeLessThanOrEqual(K / 2);
      }),
    );
  });

  it('have a step a third as coarse when one channel stands out', () => {
    const values = Array.from({ length: K }, (_, i) => (i === 7 ? 30 : Math.sin(i) * 3));
    const plain = roundTrip(values, false);
    const spread = roundTrip(values, true);
    expect(spread.scale).toBeLessThan(plain.scale / 3);
    expect(Math.abs(spread.found[7]! - 30)).toBeLessThan(spread.scale * 5);
  });

  it('of nothing but zeros stay zero', () => {
    expect(roundTrip(new Array<number>(K).fill(0), false).found).toEqual(new Array<number>(K).fill(0));
  });
});
