// Helper threads that really die: ended from outside, or trapped in the middle of a run. The run fails soon, nothing of
// it is used, and on the ladder the same request is answered with the same bits.
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackendId, EncoderInput } from '../../types.ts';
import { createLocalEmbedder } from '../embedder.ts';
import { type DecoderModel, type DecoderRow, openDecoder } from '../generation/decoder-choice.ts';
import type { Decoder } from '../generation/types.ts';
import { kernel, kernelThreads } from '../kernel-rows.ts';
import { loadNodeModel } from '../node.ts';
import { createKernelDecoder } from './decoder.ts';
import { D_OWN_BYTES } from './decoder-layout.ts';
import { randomDecoder, TINY } from './decoder-random-model.ts';
import { type WatchedMemories, watchMemories } from './fixtures/watch-memories.ts';
import { goldenVectors, openGolden } from './golden-input.ts';
import { createKernelEncoder, type KernelOptions } from './index.ts';
import { ARENA_BYTES } from './layout.ts';

const golden = await openGolden();
const expected = await goldenVectors(golden);
/** Less than the default, so that a death nobody tells of is not waited out for 10 s; more than a busy machine's pauses. */
const SILENCE_MS = 1_500;

const helpers: Worker[] = [];
const noteWorker = (worker: Worker) => void helpers.push(worker);
let memories: WatchedMemories;

beforeEach(() => {
  process.on('worker', noteWorker);
  memories = watchMemories();
});
afterEach(() => {
  process.off('worker', noteWorker);
  memories.stop();
  helpers.length = 0;
});

/** Ends the newest helper as another's terminate would: its event finds this thread inside the kernel. */
function terminate(): void {
  void helpers.at(-1)!.terminate();
}

const openEncoder = (options: KernelOptions) =>
  createKernelEncoder(golden.weights, golden.manifest, { threads: 2, ...options });

const firstText: EncoderInput = {
  inputIds: golden.input.inputIds.slice(0, golden.input.rowTokens[0]),
  rowTokens: golden.input.rowTokens.slice(0, 1),
};

describe('an encoder', () => {
  it.each([
    ['all threads on each chunk', firstText],
    ['a chunk each', golden.input],
  ])('whose helper was ended fails the run, and every one after it (%s)', async (_, input) => {
    const session = await openEncoder({ silenceMs: SILENCE_MS });
    expect(await session.run(golden.input, 'pooled')).toEqual(expected);
    terminate();
    await expect(session.run(input, 'pooled')).rejects.toMatchObject({
      code: 'device-lost',
      retryable: true,
    });
    const start = performance.now();
    await expect(session.run(input, 'pooled')).rejects.toMatchObject({ code: 'device-lost' });
    expect(performance.now() - start).toBeLessThan(SILENCE_MS);
    await session.dispose();
  });

  it.each([
    ['all threads on each chunk', firstText],
    ['a chunk each', golden.input],
  ])('whose helper traps in the middle of a run hears of it at once (%s)', async (_, input) => {
    const session = await openEncoder({});
    memories.derail(ARENA_BYTES);
    const start = performance.now();
    const run = async () => {
      // Chunks go to whoever comes first: the helper may come late.
      for (let turn = 0; turn < 300; turn += 1) await session.run(input, 'pooled');
    };
    await expect(run()).rejects.toMatchObject({ code: 'device-lost' });
    expect(performance.now() - start).toBeLessThan(5_000);
    await session.dispose();
  });

  it('ends the other helpers with the one that died', async () => {
    const session = await openEncoder({ threads: 3, silenceMs: SILENCE_MS });
    const exits = helpers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    terminate();
    await expect(session.run(golden.input, 'pooled')).rejects.toMatchObject({ code: 'device-lost' });
    expect(exits).toHaveLength(2);
    await Promise.all(exits);
  });

  it.each([
    ['ended', terminate],
    ['trapped', () => memories.derail(ARENA_BYTES)],
  ])('on the ladder answers the same request on one thread, the same bits (%s)', async (_, kill) => {
    const falls: string[] = [];
    const impatient = {
      ...kernelThreads,
      available: () => true,
      create: () => openEncoder({ silenceMs: SILENCE_MS }),
    };
    const embedder = createLocalEmbedder({
      model: await loadNodeModel(),
      backends: [impatient, kernel],
      contenders: 1,
      onFall: (from, error) => falls.push(`${from} ${(error as { code: string }).code}`),
    });
    expect(await embedder.warm()).toBe('kernel-threads');
    kill();
    const { texts } = golden.golden;
    const runs = [await embedder.embed(texts), await embedder.embed(texts)];
    for (const { embeddings } of runs) {
      expect(embeddings.flatMap((row) => [...row])).toEqual([...expected]);
    }
    expect([embedder.backend(), falls]).toEqual(['kernel', ['kernel-threads device-lost']]);
    await embedder.dispose();
  });
});

describe('a decoder', () => {
  const tiny = randomDecoder();
  const prompt = Array.from({ length: 30 }, (_, at) => (at * 7 + 3) % TINY.vocab);
  const model: DecoderModel = {
    manifest: tiny.manifest,
    weightsHash: 'tiny',
    weights: () => tiny.weights,
  };
  const row = (id: BackendId, threads: number): DecoderRow => ({
    id,
    available: () => true,
    create: (_, limits) =>
      createKernelDecoder(tiny.weights, tiny.manifest, { ...limits, threads, silenceMs: SILENCE_MS }),
  });

  /** Logits of the prompt and of 12 tokens after it; `before` is told how many steps were made. */
  async function say(decoder: Decoder, before: (step: number) => void = () => undefined) {
    const sequence = decoder.open();
    const said: Float32Array[] = [];
    for (let step = 0; step < 12; step += 1) {
      before(step);
      const tokens = step === 0 ? prompt : [(step * 5) % TINY.vocab];
      const [logits] = await decoder.forward([{ sequence, tokens, logits: 'last' }]);
      said.push(logits!.slice());
    }
    return said;
  }

  it.each([
    ['ended', terminate],
    ['trapped', () => memories.derail(D_OWN_BYTES)],
  ])('whose helper %s fails that forward and every one after it', async (_, kill) => {
    const decoder = await createKernelDecoder(tiny.weights, tiny.manifest, {
      threads: 2,
      silenceMs: SILENCE_MS,
    });
    await say(decoder);
    kill();
    await expect(say(decoder)).rejects.toMatchObject({ code: 'device-lost', retryable: true });
    await expect(say(decoder)).rejects.toMatchObject({ code: 'device-lost' });
    await decoder.dispose();
  });

  it.each([
    ['ended', terminate],
    ['trapped', () => memories.derail(D_OWN_BYTES)],
  ])('goes on where it stood, on new threads, then on one: the same bits (%s)', async (_, kill) => {
    const alone = await createKernelDecoder(tiny.weights, tiny.manifest);
    const whole = await say(alone);
    await alone.dispose();
    const falls: string[] = [];
    const decoder = await openDecoder(model, [row('kernel-threads', 2), row('kernel', 1)], {
      onFall: (from, error) => falls.push(`${from} ${(error as { code: string }).code}`),
    });
    const backends: string[] = [];
    const said = await say(decoder, (step) => {
      backends.push(decoder.backend);
      if (step === 0 || step === 5) kill();
    });
    expect(said).toEqual(whole);
    expect(falls).toEqual(['kernel-threads device-lost', 'kernel-threads device-lost']);
    expect([backends[4], backends[11]]).toEqual(['kernel-threads', 'kernel']);
    await decoder.dispose();
  });
});
