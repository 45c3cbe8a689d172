import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { EncoderInput, EncoderSession } from '../../types.ts';
import { watchMemories } from './fixtures/watch-memories.ts';
import { goldenVectors, openGolden } from './golden-input.ts';
import { createKernelEncoder, type KernelOptions } from './index.ts';
import { compileKernel } from './module.ts';
import { readInitializers } from './onnx.ts';
import { createNoise, randomModel, type Shape } from './random-model.ts';
import { referenceStates, referenceVectors } from './reference.ts';

const SMALL: Shape = {
  dims: 64,
  hidden: 64,
  layers: 2,
  heads: 2,
  intermediate: 160,
  vocab: 90,
  maxTokens: 60,
};
const SHAPES: readonly (readonly [string, Shape])[] = [
  ['one width throughout', SMALL],
  ['factorised embeddings', { ...SMALL, embedding: { dims: 24 } }],
  ['a word table of half bytes, two blocks a row', { ...SMALL, embedding: { dims: 160, bits: 4 } }],
  ['a head of another width', { ...SMALL, dims: 40 }],
  ['types of tokens', { ...SMALL, dims: 32, types: 5 }],
  ['heads of 16, three of them', { ...SMALL, dims: 48, hidden: 48, heads: 3, intermediate: 96 }],
];

const sessions: EncoderSession[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.dispose()));
});

async function open(model: ReturnType<typeof randomModel>, options: KernelOptions = {}) {
  const session = await createKernelEncoder(model.weights, model.manifest, options);
  sessions.push(session);
  return session;
}

/** Texts for a shape: ids, and types where the shape has them. */
function textsOf(shape: Shape, lengths: readonly number[], seed = 7): EncoderInput {
  const input = texts(lengths, shape.vocab, seed);
  if (shape.types === undefined) return input;
  return { ...input, typeIds: texts(lengths, shape.types, seed + 1).inputIds };
}

function texts(lengths: readonly number[], vocab: number, seed = 7): EncoderInput {
  const noise = createNoise(seed);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const id = () => Math.min(vocab - 1, Math.floor(((noise() + 1) / 2) * vocab));
  return { inputIds: Int32Array.from({ length: total }, id), rowTokens: Int32Array.from(lengths) };
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}

const rowsOf = (values: Float32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, at) => values.subarray(at * width, (at + 1) * width));

it('refuses a word table of half bytes whose scales it could not keep exactly', async () => {
  const shape: Shape = { ...SMALL, embedding: { dims: 160, bits: 4 } };
  const { manifest, weights } = randomModel(shape);
  const { bytes } = readInitializers(weights).get('embeddings.word.scale')!;
  // The second block of the first row: 1.5 fifteenths.
  const scales = new DataView(bytes.buffer, bytes.byteOffset);
  scales.setFloat32(4, scales.getFloat32(0, true) / 10, true);
  await expect(createKernelEncoder(weights, manifest)).rejects.toMatchObject({ code: 'model-unsupported' });
});

describe.each(SHAPES)('encoder with %s', (_, shape) => {
  const model = randomModel(shape);
  const tensors = readInitializers(model.weights);
  const input = textsOf(shape, [1, 2, 3, 17, 60, 5]);

  it('agrees with the same model in doubles, pooled and token by token', async () => {
    const session = await open(model);
    const pooled = rowsOf(await session.run(input, 'pooled'), shape.dims);
    referenceVectors(tensors, model.manifest, input).forEach((expected, at) => {
      expect(cosine(expected, pooled[at]!)).toBeGreaterThan(0.999);
      expect(Math.hypot(...pooled[at]!)).toBeCloseTo(1, 5);
    });
    const states = rowsOf(await session.run(input, 'tokens'), shape.dims);
    referenceStates(tensors, model.manifest, input).forEach((expected, at) => {
      expect(cosine(expected, states[at]!)).toBeGreaterThan(0.99);
    });
  });

  it('gives the same bits from both builds, on one thread and on three', async () => {
    const relaxed = await open(model, { module: await compileKernel(false, 'relaxed') });
    const plain = await open(model, { module: await compileKernel(false, 'plain') });
    const threads = await open(model, { threads: 3 });
    expect([relaxed.backend, threads.backend]).toEqual(['kernel', 'kernel-threads']);
    for (const lengths of [[7], [60], [1, 2, 3, 17, 60, 5], new Array<number>(40).fill(9)]) {
      const batch = textsOf(shape, lengths, lengths.length);
      for (const output of ['pooled', 'tokens'] as const) {
        const expected = await relaxed.run(batch, output);
        expect(await plain.run(batch, output)).toEqual(expected);
        expect(await threads.run(batch, output)).toEqual(expected);
      }
    }
  });
});

describe('batches', () => {
  const model = randomModel(SMALL);

  it('give each text the bits it gets alone, wherever it stands', async () => {
    const session = await open(model);
    const lengths = fc.array(fc.integer({ min: 1, max: SMALL.maxTokens }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.nat(), async (chosen, seed) => {
        const batch = texts(chosen, SMALL.vocab, seed);
        const together = rowsOf(await session.run(batch, 'pooled'), SMALL.dims);
        let start = 0;
        for (const [at, length] of chosen.entries()) {
          const inputIds = batch.inputIds.subarray(start, start + length);
          const alone = await session.run({ inputIds, rowTokens: Int32Array.of(length) }, 'pooled');
          expect(alone).toEqual(together[at]);
          start += length;
        }
      }),
      { numRuns: 15 },
    );
  });

  it('longer than a job are cut and joined again', async () => {
    const session = await open(model);
    const many = texts(new Array<number>(120).fill(41), SMALL.vocab);
    const states = await session.run(many, 'tokens');
    expect(states.length).toBe(120 * 41 * SMALL.dims);
    const last = { inputIds: many.inputIds.subarray(-41), rowTokens: Int32Array.of(41) };
    expect(await session.run(last, 'tokens')).toEqual(states.slice(-41 * SMALL.dims));
    expect(
      await session.run({ inputIds: new Int32Array(0), rowTokens: new Int32Array(0) }, 'pooled'),
    ).toEqual(new Float32Array(0));
  });
});

it('never grows: a thousand runs leave the memory at its first size', async () => {
  const { made, stop } = watchMemories();
  const session = await open(randomModel(SMALL)).finally(stop);
  const buffer = made[0]!.buffer;
  const bytes = buffer.byteLength;
  for (let run = 0; run < 1000; run += 1) await session.run(texts([1 + (run % 60), 4], 90, run), 'pooled');
  expect(made).toHaveLength(1);
  expect(made[0]!.buffer).toBe(buffer);
  expect(buffer.byteLength).toBe(bytes);
});

describe('refuses', () => {
  const model = randomModel(SMALL);

  it.each([
    ['a text too long', [61], undefined, 'context-overflow'],
    ['an empty text', [3, 0], undefined, 'context-overflow'],
    ['ids beyond the vocabulary', [2], Int32Array.of(1, 90), 'invalid-request'],
    ['negative ids', [2], Int32Array.of(-1, 3), 'invalid-request'],
    ['fewer ids than rows say', [3], Int32Array.of(1, 2), 'invalid-request'],
  ])('%s', async (_, lengths, ids, code) => {
    const session = await open(model);
    const input = texts(lengths, 90);
    await expect(session.run({ ...input, inputIds: ids ?? input.inputIds }, 'pooled')).rejects.toMatchObject({
      code,
    });
  });

  it('models it cannot read, and says which weights are missing', async () => {
    const { manifest, weights } = model;
    const other = { ...manifest, architecture: 'llama' };
    await expect(createKernelEncoder(weights, other)).rejects.toMatchObject({ code: 'model-unsupported' });
    const deeper = { ...manifest, layers: 3 };
    await expect(createKernelEncoder(weights, deeper)).rejects.toThrow(/layer\.2\.attention\.qkv/);
    const larger = { ...manifest, vocab: 91 };
    await expect(createKernelEncoder(weights, larger)).rejects.toMatchObject({ code: 'model-load-failed' });
  });

  it('work after dispose, and opening once aborted', async () => {
    const session = await open(model, { threads: 2 });
    await session.dispose();
    await session.dispose();
    await expect(session.run(texts([2], 90), 'pooled')).rejects.toMatchObject({
      code: 'backend-unavailable',
    });
    await expect(open(model, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

it('reproduces the golden vectors of all-minilm-l6-v2, one thread and two', async () => {
  const model = await openGolden();
  const vectors = await goldenVectors(model);
  const { dims } = model.manifest;
  const cosines = rowsOf(vectors, dims).map((row, at) => cosine(row, model.golden.embeddings[at]!));
  expect(Math.min(...cosines)).toBeGreaterThan(0.99);
  expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThan(0.997);
  expect(await goldenVectors(model, { threads: 2 })).toEqual(vectors);
});

it('refuses types it has no rows for, and their lack', async () => {
  const model = randomModel({ ...SMALL, types: 4 });
  const session = await open(model);
  const input = texts([3], SMALL.vocab);
  await expect(session.run(input, 'tokens')).rejects.toMatchObject({ code: 'invalid-request' });
  for (const typeIds of [Int32Array.of(0, 1), Int32Array.of(0, 4, 0), Int32Array.of(0, -1, 0)]) {
    await expect(session.run({ ...input, typeIds }, 'tokens')).rejects.toMatchObject({
      code: 'invalid-request',
    });
  }
  const other = await open(randomModel(SMALL));
  const typed = { ...input, typeIds: Int32Array.of(0, 1, 2) };
  await expect(other.run(typed, 'tokens')).rejects.toMatchObject({ code: 'invalid-request' });
});
