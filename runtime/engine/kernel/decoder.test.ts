import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../models.ts';
import type { Decoder, DecoderSequence } from '../generation/types.ts';
import { createKernelDecoder, type KernelDecoderOptions } from './decoder.ts';
import { type RandomDecoder, randomDecoder, TINY } from './decoder-random-model.ts';
import { rotaryFrequencies } from './decoder-rope.ts';
import { compileKernel } from './module.ts';

const tiny = randomDecoder();
const open = (options: KernelDecoderOptions = {}): Promise<Decoder> =>
  createKernelDecoder(tiny.weights, tiny.manifest, options);
const ids = (length: number, step = 7): number[] =>
  Array.from({ length }, (_, at) => (at * step + 3) % TINY.vocab);

async function logitsOf(decoder: Decoder, tokens: readonly number[], sequence = decoder.open()) {
  const [logits] = await decoder.forward([{ sequence, tokens, logits: 'all' }]);
  return logits!;
}

const VARIANTS: Readonly<Record<string, RandomDecoder>> = {
  'grouped queries, four and eight bits': TINY,
  'eight bits': { ...TINY, bits: 8 },
  'four bits, untied head': { ...TINY, bits: 4, decoder: { ...TINY.decoder, tiedEmbeddings: false } },
  'biases (Qwen 2)': { ...TINY, decoder: { ...TINY.decoder, qkvBias: true } },
  'query and key norms (Qwen 3)': { ...TINY, decoder: { ...TINY.decoder, qkNorm: true, headDims: 32 } },
  'one key-value head a query': { ...TINY, decoder: { ...TINY.decoder, kvHeads: 4 } },
  'linear positions': {
    ...TINY,
    decoder: { ...TINY.decoder, rope: { theta: 500, scaling: { type: 'linear', factor: 4 } } },
  },
  'Llama 3 positions': {
    ...TINY,
    decoder: {
      ...TINY.decoder,
      rope: {
        theta: 1000,
        scaling: {
          type: 'llama3',
          factor: 8,
          lowFrequencyFactor: 1,
          highFrequencyFactor: 4,
          originalContext: 32,
        },
      },
    },
  },
};

describe('what it computes', () => {
  it.each(Object.entries(VARIANTS))('%s: as the formulas say', async (_, model) => {
    const built = randomDecoder(model, 5);
    const decoder = await createKernelDecoder(
      built.weights,
      parseManifest({ ...built.manifest, files: FILES }),
    );
    const tokens = ids(40);
    const logits = await logitsOf(decoder, tokens);
    const expected = built.reference(tokens);
    const square = (sum: number, value: number) => sum + value * value;
    const error = expected.flatMap((row, t) =>
      [...row].map((value, id) => logits[t * model.vocab + id]! - value),
    );
    const size = expected.reduce((sum, row) => row.reduce(square, sum), 0);
    expect(Math.sqrt(error.reduce(square, 0) / size)).toBeLessThan(0.01);
    await decoder.dispose();
  });

  it('the scaling cases differ from plain positions, so the check above can fail', () => {
    const plain = rotaryFrequencies(TINY.decoder);
    for (const name of ['linear positions', 'Llama 3 positions']) {
      const model = VARIANTS[name]!.decoder;
      const unscaled = rotaryFrequencies({ headDims: model.headDims, rope: { theta: model.rope.theta } });
      expect(rotaryFrequencies(model)).not.toEqual(unscaled);
    }
    expect(plain[0]).toBe(1);
  });
});

const FILES = [{ path: 'model.safetensors', role: 'weights', bytes: 1, sha256: '0'.repeat(64) }];

describe('the same bits', () => {
  it('token by token as in one prompt of more than a step holds', async () => {
    const decoder = await open();
    const tokens = ids(150);
    const whole = await logitsOf(decoder, tokens);
    const sequence = decoder.open();
    for (const [at, id] of tokens.entries()) {
      const [step] = await decoder.forward([{ sequence, tokens: [id], logits: 'last' }]);
      expect(step).toEqual(whole.slice(at * TINY.vocab, (at + 1) * TINY.vocab));
    }
    await decoder.dispose();
  });

  it('beside any other rows, and in any order', async () => {
    const decoder = await open();
    const texts = [ids(9, 5), ids(33, 11), ids(1, 13), ids(70, 3), ids(17, 2)];
    const alone = [];
    for (const text of texts) alone.push(await logitsOf(decoder, text));
    const work = texts.map((tokens) => ({ sequence: decoder.open(), tokens, logits: 'all' as const }));
    expect(await decoder.forward(work)).toEqual(alone);
    const next = await decoder.forward(
      work.toReversed().map(({ sequence }) => ({ sequence, tokens: [4], logits: 'last' as const })),
    );
    const lone = await decoder.forward([
      { sequence: await grown(decoder, texts[1]!), tokens: [4], logits: 'last' },
    ]);
    expect(next[3]).toEqual(lone[0]);
    await decoder.dispose();
  });

  it.each(['relaxed', 'plain'] as const)('in the %s build', async (build) => {
    const reference = await open();
    const module = await compileKernel(false, build, 'decoder');
    const decoder = await open({ module });
    for (const length of [1, 2, 3, 4, 5, 66]) {
      expect(await logitsOf(decoder, ids(length))).toEqual(await logitsOf(reference, ids(length)));
    }
    await reference.dispose();
    await decoder.dispose();
  });

  it('on three threads', async () => {
    const one = await open();
    const three = await open({ threads: 3 });
    expect(three.backend).toBe('kernel-threads');
    expect(await logitsOf(three, ids(75))).toEqual(await logitsOf(one, ids(75)));
    expect(await logitsOf(three, ids(1))).toEqual(await logitsOf(one, ids(1)));
    await one.dispose();
    await three.dispose();
  });
});

async function grown(decoder: Decoder, tokens: readonly number[]): Promise<DecoderSequence> {
  const sequence = decoder.open();
  await decoder.forward([{ sequence, tokens, logits: 'none' }]);
  return sequence;
}

describe('sequences', () => {
  it('go on from a kept prefix: truncated, or forked with both going their own ways', async () => {
    const decoder = await open();
    const fresh = await logitsOf(decoder, [...ids(21), 5, 6]);
    const tail = fresh.slice(21 * TINY.vocab);
    const trunk = await grown(decoder, [...ids(21), 9, 9, 9]);
    const branch = trunk.fork(21);
    expect([trunk.length, branch.length]).toEqual([24, 21]);
    trunk.truncate(20);
    await decoder.forward([{ sequence: trunk, tokens: [80, 81, 82], logits: 'none' }]);
    expect(await logitsOf(decoder, [5, 6], branch)).toEqual(tail);
    trunk.truncate(20);
    await decoder.forward([{ sequence: trunk, tokens: [ids(21)[20]!], logits: 'none' }]);
    expect(await logitsOf(decoder, [5, 6], trunk)).toEqual(tail);
    await decoder.dispose();
  });

  it('share pages until one of them writes, and give all back', async () => {
    const decoder = await open();
    const trunk = await grown(decoder, ids(40));
    const page = decoder.memory().cacheBytes / 3;
    const branches = [trunk.fork(40), trunk.fork(32), trunk.fork(0)];
    expect(decoder.memory().cacheBytes).toBe(page * 3);
    await decoder.forward(branches.map((sequence) => ({ sequence, tokens: [1], logits: 'none' })));
    expect(decoder.memory().cacheBytes).toBe(page * 6);
    for (const sequence of [trunk, ...branches]) sequence.close();
    expect(decoder.memory().cacheBytes).toBe(0);
    const before = decoder.memory().totalBytes;
    for (let turn = 0; turn < 10; turn += 1) (await grown(decoder, ids(100))).close();
    await grown(decoder, ids(100));
    expect(decoder.memory().totalBytes - before).toBeLessThan(5 * 2 ** 20);
    await decoder.dispose();
    expect(decoder.memory()).toEqual({ weightBytes: 0, cacheBytes: 0, totalBytes: 0 });
  });

  it('refuse what does not fit, and stay as they were', async () => {
    const pageBytes = TINY.layers * 2 * 16 * (16 * 3 + 8);
    const decoder = await open({ cacheBytes: pageBytes * 2 });
    const sequence = await grown(decoder, ids(20));
    const code = (tokens: readonly number[], other = sequence) =>
      decoder.forward([{ sequence: other, tokens, logits: 'none' }]).then(
        () => 'done',
        (error: { code: string }) => error.code,
      );
    expect(await code(ids(20))).toBe('out-of-memory');
    expect(await code(ids(141))).toBe('context-overflow');
    expect(await code([])).toBe('invalid-request');
    expect(await code([TINY.vocab])).toBe('invalid-request');
    expect(await code([1], (await open()).open())).toBe('invalid-request');
    expect(() => sequence.truncate(21)).toThrow('0…20');
    expect(sequence.length).toBe(20);
    expect(decoder.memory().cacheBytes).toBe(pageBytes * 2);
    expect(await code(ids(12))).toBe('done');
    sequence.close();
    expect(await code([1])).toBe('invalid-request');
    await decoder.dispose();
    expect(() => decoder.open()).toThrow('disposed');
  });

  it('stay as they were when a step is aborted between its parts', async () => {
    const decoder = await open();
    const sequence = await grown(decoder, ids(20));
    const before = decoder.memory().cacheBytes;
    const abort = new AbortController();
    const running = decoder.forward([{ sequence, tokens: ids(100), logits: 'last' }], {
      signal: abort.signal,
    });
    abort.abort();
    await expect(running).rejects.toThrow('aborted');
    expect([sequence.length, decoder.memory().cacheBytes]).toEqual([20, before]);
    const again = await logitsOf(decoder, [2], sequence);
    expect(again).toEqual((await logitsOf(decoder, [...ids(20), 2])).slice(20 * TINY.vocab));
    await decoder.dispose();
  });

  it('take their turns when steps are asked for at once', async () => {
    const decoder = await open();
    const texts = [ids(70, 5), ids(64, 9), ids(3, 4)];
    const together = await Promise.all(texts.map((tokens) => logitsOf(decoder, tokens)));
    for (const [at, tokens] of texts.entries()) expect(await logitsOf(decoder, tokens)).toEqual(together[at]);
    await decoder.dispose();
  });
});

describe('weights', () => {
  it.each([1, 7, 1000, 2 ** 20])('arrive in parts of %i bytes', async (size) => {
    const parts = [];
    for (let from = 0; from < tiny.weights.length; from += size) {
      parts.push(tiny.weights.subarray(from, from + size));
    }
    const told: number[] = [];
    const decoder = await createKernelDecoder(parts, tiny.manifest, {
      onProgress: (bytes) => told.push(bytes),
    });
    const whole = await open();
    expect(await logitsOf(decoder, ids(5))).toEqual(await logitsOf(whole, ids(5)));
    expect(told.at(-1)).toBe(decoder.memory().weightBytes);
    await decoder.dispose();
    await whole.dispose();
  });

  const code = (weights: Uint8Array, manifest = tiny.manifest) =>
    createKernelDecoder(weights, manifest).then(
      () => 'opened',
      (error: { code: string }) => error.code,
    );

  it.each([0, 5, 200, tiny.weights.length - 1])('cut after %i bytes are refused', async (length) => {
    expect(await code(tiny.weights.slice(0, length))).toBe('model-load-failed');
  });

  it('of another model are refused', async () => {
    const longer = new Uint8Array(tiny.weights.length + 64);
    longer.set(tiny.weights);
    expect(await code(longer)).toBe('model-load-failed');
    expect(await code(randomDecoder({ ...TINY, hidden: 96 }).weights)).toBe('model-load-failed');
    const { manifest } = randomDecoder({ ...TINY, decoder: { ...TINY.decoder, qkvBias: true } });
    expect(await code(tiny.weights, manifest)).toBe('model-load-failed');
    expect(await code(tiny.weights, { ...tiny.manifest, architecture: 'bert' })).toBe('model-unsupported');
    expect(await code(tiny.weights, { ...tiny.manifest, vocab: 90 })).toBe('model-unsupported');
  });

  it('stop coming when the caller aborts', async () => {
    const signal = AbortSignal.abort();
    await expect(open({ signal })).rejects.toThrow('aborted');
  });
});
