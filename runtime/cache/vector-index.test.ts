// The index against plain arithmetic: flat and sketched partitions, growth, replacement and removal.
import { describe, expect, it } from 'vitest';
import { compileScan } from '../../scripts/build-scan-kernel.ts';
import { mulberry32 } from '../../scripts/report.ts';
import { scanBase64 } from './kernel/scan.generated.ts';
import { cosine, quantise } from './quantise.ts';
import { createVectorIndex } from './vector-index.ts';

/** Vectors in loose groups, as questions lie; `near` gives one like another. */
function createVectors(dims: number, seed: number) {
  const random = mulberry32(seed);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const any = (): Float32Array => Float32Array.from({ length: dims }, gauss);
  const near = (vector: Float32Array, noise: number): Float32Array =>
    vector.map((value) => value + noise * gauss());
  return { any, near, random };
}

describe.each([
  ['flat', 500, 384],
  ['sketched', 6_000, 384],
  ['sketched, odd length', 3_000, 100],
] as const)('%s', (_name, count, dims) => {
  const { any, near, random } = createVectors(dims, 7);
  const kept = new Map<string, Int8Array>();
  const index = createVectorIndex();
  for (let at = 0; at < count; at += 1) {
    const values = quantise(any()).values;
    kept.set(`id${at}`, values);
    index.add('p', `id${at}`, values);
  }

  function best(values: Int8Array): readonly [string, number] {
    let found: [string, number] = ['', -2];
    for (const [id, other] of kept) {
      const similarity = cosine(values, other);
      if (similarity > found[1]) found = [id, similarity];
    }
    return found;
  }

  function checkSome(): void {
    const ids = [...kept.keys()];
    for (let at = 0; at < 25; at += 1) {
      const source = kept.get(ids[Math.floor(random() * ids.length)] ?? '')!;
      const asked = quantise(near(Float32Array.from(source), 25)).values;
      const [id, similarity] = best(asked);
      const [nearest, ...rest] = index.search('p', asked, 4);
      expect(nearest?.id).toBe(id);
      expect(nearest?.similarity).toBeCloseTo(similarity, 5);
      expect(rest).toHaveLength(3);
    }
  }

  it('finds the true nearest, most similar first', checkSome);

  it('still does after removals and replacements', () => {
    for (let at = 0; at < count; at += 3) {
      kept.delete(`id${at}`);
      index.remove('p', `id${at}`);
    }
    for (let at = 1; at < count; at += 30) {
      const values = quantise(any()).values;
      kept.set(`id${at}`, values);
      index.add('p', `id${at}`, values);
    }
    expect(index.size()).toBe(kept.size);
    checkSome();
  });

  it('finds one of two identical vectors when the other is gone', () => {
    const values = quantise(any()).values;
    index.add('p', 'twin-a', values);
    index.add('p', 'twin-b', values);
    index.remove('p', 'twin-a');
    expect(index.search('p', values, 1)[0]?.id).toBe('twin-b');
    index.remove('p', 'twin-b');
  });

  it('knows nothing of other partitions, nor of other lengths', () => {
    const values = [...kept.values()][0]!;
    expect(index.search('q', values, 3)).toEqual([]);
    expect(index.search('p', values.slice(1), 3)).toEqual([]);
    expect(index.bytes()).toBeGreaterThan(kept.size * dims);
  });

  it('forgets everything', () => {
    for (const id of kept.keys()) index.remove('p', id);
    expect(index.size()).toBe(0);
    expect(index.search('p', new Int8Array(dims).fill(1), 1)).toEqual([]);
  });
});

it('carries the kernel that its source compiles to', async () => {
  expect(scanBase64).toBe(Buffer.from(await compileScan()).toString('base64'));
});
