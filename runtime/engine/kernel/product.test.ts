import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { KernelBuild } from './module.ts';
import { type KernelBench, openKernel, rawProduct, referenceProduct, setProduct, WAYS } from './testing.ts';

const kernels = new Map<KernelBuild, KernelBench>();

beforeAll(async () => {
  for (const build of ['plain', 'relaxed'] as const) kernels.set(build, await openKernel(build));
});

function sums(way: (typeof WAYS)[number], weights: Int8Array, codes: Uint8Array, shape: Shape) {
  const bench = kernels.get(way.build)!;
  const product = setProduct(bench, way.build, way.mode, weights, codes, shape);
  return { values: [...rawProduct(bench, product, shape.rows)], fixes: product.fixes };
}

interface Shape {
  readonly rows: number;
  readonly n: number;
  readonly k: number;
}

const shapes = fc
  .tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 24 }))
  .map(([rows, n, k]): Shape => ({ rows, n: n * 8, k: k * 8 }));

/** Weights and codes as models have them, and as nobody would: all at the ends of their ranges. */
const products = shapes.chain((shape) => {
  const weight = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.constantFrom(-128, -127, 127, 0));
  const code = fc.oneof(fc.integer({ min: 0, max: 127 }), fc.constantFrom(0, 127));
  const many = (arbitrary: fc.Arbitrary<number>, length: number) =>
    fc.array(arbitrary, { minLength: length, maxLength: length });
  return fc.record({
    shape: fc.constant(shape),
    weights: many(weight, shape.n * shape.k).map((values) => Int8Array.from(values)),
    codes: many(code, shape.rows * shape.k).map((values) => Uint8Array.from(values)),
  });
});

describe.each(WAYS)('integer product, $name', (way) => {
  it('is exact on any shape', () => {
    fc.assert(
      fc.property(products, ({ shape, weights, codes }) => {
        expect(sums(way, weights, codes, shape).values).toEqual(referenceProduct(weights, codes, shape));
      }),
      { numRuns: 60 },
    );
  });

  it.each([127, -127, -128])('is exact when every weight is %d and every code 127', (weight) => {
    const shape = { rows: 5, n: 16, k: 1536 };
    const weights = new Int8Array(shape.n * shape.k).fill(weight);
    const codes = new Uint8Array(shape.rows * shape.k).fill(127);
    const { values } = sums(way, weights, codes, shape);
    expect(new Set(values)).toEqual(new Set([weight * 127 * 1536]));
  });
});

describe('packing', () => {
  const way = WAYS.find(({ name }) => name === 'relaxed, paired')!;

  it('moves the excess of a group to the fixes, and the sums stay exact', () => {
    const shape = { rows: 4, n: 8, k: 384 };
    const weights = Int8Array.from({ length: shape.n * shape.k }, (_, i) => ((i * 37) % 41) - 20);
    // Four weights of one int16 lane: 508 > 258; and 512 downwards in another column.
    for (const i of [0, 1, 4, 5]) {
      weights[i] = 127;
      weights[3 * shape.k + 80 + i] = -128;
    }
    const codes = Uint8Array.from({ length: shape.rows * shape.k }, (_, i) => 127 - (i % 3));
    const { values, fixes } = sums(way, weights, codes, shape);
    expect(fixes).toBeGreaterThan(2);
    expect(values).toEqual(referenceProduct(weights, codes, shape));
  });

  it('gives up on a panel that would need more fixes than k / 8', () => {
    const shape = { rows: 2, n: 8, k: 64 };
    const weights = new Int8Array(shape.n * shape.k).fill(127);
    const codes = new Uint8Array(shape.rows * shape.k).fill(100);
    const { values, fixes } = sums(way, weights, codes, shape);
    expect(fixes).toBe(0);
    expect(values).toEqual(referenceProduct(weights, codes, shape));
  });
});
