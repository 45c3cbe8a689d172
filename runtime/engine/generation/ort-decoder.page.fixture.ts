// What the page runs for ort-decoder.chromium.test.ts: a tiny model on WebGPU against the plain loops.

import { parseManifest } from '../../models.ts';
import { shapeOf } from '../kernel/decoder-weights.ts';
import { openOrtGpu } from '../ort-browser.ts';
import { referenceLogits, TINY, tinyTensors } from './fixtures/tiny-llama.ts';
import { createOrtDecoder } from './ort-decoder.ts';
import type { GraphShape } from './ort-decoder-graph.ts';
import { readOrtWeights } from './ort-weights.ts';
import type { Decoder } from './types.ts';

const CONTEXT = 64;

export interface Variant {
  readonly qkvBias?: boolean;
  readonly qkNorm?: boolean;
  readonly cacheSequences?: number;
}

async function open(variant: Variant): Promise<{ decoder: Decoder; shape: GraphShape; device: GPUDevice }> {
  const shape = { ...TINY, qkvBias: variant.qkvBias ?? false, qkNorm: variant.qkNorm ?? false };
  const { ort, device } = await openOrtGpu();
  const sequenceBytes = shape.layers * 2 * shape.kvHeads * shape.headDims * CONTEXT * 4;
  const decoder = await createOrtDecoder(ort, shape, tinyTensors(shape, CONTEXT), {
    device,
    context: CONTEXT,
    cacheBytes: sequenceBytes * (variant.cacheSequences ?? 4),
  });
  return { decoder, shape, device };
}

const difference = (ours: Float32Array, theirs: readonly number[]): number =>
  theirs.reduce((most, value, at) => Math.max(most, Math.abs(value - ours[at]!)), 0);

/** Largest difference of a logit, over a prompt at once, then token by token, then a chunk after that. */
export async function forced(variant: Variant): Promise<{ differences: number[]; spread: number }> {
  const { decoder, shape } = await open(variant);
  const ids = Array.from({ length: 20 }, (_, at) => (at * 37 + 11) % shape.vocab);
  const truth = referenceLogits(shape, tinyTensors(shape, CONTEXT), ids);
  const sequence = decoder.open();
  const differences: number[] = [];
  const [prompt] = await decoder.forward([{ sequence, tokens: ids.slice(0, 9), logits: 'all' }]);
  for (let row = 0; row < 9; row += 1) {
    differences.push(difference(prompt!.subarray(row * shape.vocab, (row + 1) * shape.vocab), truth[row]!));
  }
  for (let at = 9; at < 14; at += 1) {
    const [one] = await decoder.forward([{ sequence, tokens: [ids[at]!], logits: 'last' }]);
    differences.push(difference(one!, truth[at]!));
  }
  const [chunk] = await decoder.forward([{ sequence, tokens: ids.slice(14), logits: 'last' }]);
  differences.push(difference(chunk!, truth[19]!));
  await decoder.dispose();
  return { differences, spread: Math.max(...truth[19]!) - Math.min(...truth[19]!) };
}

/** Two sequences in turns, one cut back and gone on, one forked. */
export async function juggled(): Promise<number[]> {
  const { decoder, shape } = await open({});
  const tensors = tinyTensors(shape, CONTEXT);
  const [a, b] = [
    [3, 5, 7, 9, 11, 13],
    [40, 41, 42, 43, 44],
  ];
  const [one, two] = [decoder.open(), decoder.open()];
  await decoder.forward([
    { sequence: one, tokens: [...a!.slice(0, 4), 70, 71], logits: 'none' },
    { sequence: two, tokens: b!.slice(0, 4), logits: 'none' },
  ]);
  one.truncate(4);
  const three = two.fork(3);
  const out = await decoder.forward([
    { sequence: one, tokens: a!.slice(4), logits: 'last' },
    { sequence: two, tokens: b!.slice(4), logits: 'last' },
    { sequence: three, tokens: [60], logits: 'last' },
  ]);
  const wanted = [a!, b!, [40, 41, 42, 60]].map((ids) => referenceLogits(shape, tensors, ids).at(-1)!);
  await decoder.dispose();
  return wanted.map((row, at) => difference(out[at]!, row));
}

/** Codes of the errors a caller can cause, and that lengths stand as before. */
export async function refused(): Promise<{ codes: string[]; lengths: number[] }> {
  const { decoder, shape } = await open({ cacheSequences: 2 });
  const sequence = decoder.open();
  await decoder.forward([{ sequence, tokens: [1, 2, 3], logits: 'none' }]);
  const other = decoder.open();
  const stop = new AbortController();
  stop.abort();
  const attempts: (() => unknown)[] = [
    () => decoder.open(),
    () => decoder.forward([{ sequence, tokens: [shape.vocab], logits: 'last' }]),
    () => decoder.forward([{ sequence, tokens: [], logits: 'last' }]),
    () => decoder.forward([{ sequence, tokens: new Array<number>(CONTEXT).fill(1), logits: 'last' }]),
    () => decoder.forward([{ sequence, tokens: [1], logits: 'last' }], { signal: stop.signal }),
    () => sequence.truncate(9),
    () => {
      other.close();
      return decoder.forward([
        { sequence, tokens: [4], logits: 'last' },
        { sequence: other, tokens: [1], logits: 'last' },
      ]);
    },
  ];
  const codes: string[] = [];
  for (const attempt of attempts) codes.push(await codeOf(attempt));
  const lengths = [sequence.length, decoder.memory().cacheBytes];
  await decoder.dispose();
  return { codes, lengths };
}

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code === undefined || (error as Error).name === 'AbortError'
      ? (error as Error).name
      : String((error as { code?: string }).code);
  }
}

/** A built model's golden texts on the GPU: share of positions whose likeliest token is the reference's. */
export async function golden(
  folder: string,
  texts: number,
): Promise<{ agreement: number; worst: number; msAToken: number }> {
  const read = async (path: string) => await (await fetch(`${folder}/${path}`)).arrayBuffer();
  const json = async (path: string) => JSON.parse(new TextDecoder().decode(await read(path))) as unknown;
  const shape = shapeOf(parseManifest(await json('manifest.json')), 128);
  const tensors = await readOrtWeights(new Uint8Array(await read('model.safetensors')), shape, 128);
  const { ort, device } = await openOrtGpu();
  const decoder = await createOrtDecoder(ort, shape, tensors, { device, context: 128 });
  const file = (await json('golden.json')) as {
    inputIds: number[][];
    top: { ids: number[]; logits: number[] }[][];
  };
  let [same, all, worst, spent] = [0, 0, 0, 0];
  for (const [at, ids] of file.inputIds.slice(0, texts).entries()) {
    const sequence = decoder.open();
    const started = performance.now();
    const [logits] = await decoder.forward([{ sequence, tokens: ids, logits: 'all' }]);
    spent += performance.now() - started;
    for (const [row, top] of file.top[at]!.entries()) {
      const own = logits!.subarray(row * shape.vocab, (row + 1) * shape.vocab);
      same += own.indexOf(own.reduce((most, value) => Math.max(most, value))) === top.ids[0] ? 1 : 0;
      all += 1;
      worst = Math.max(worst, Math.abs(own[top.ids[0]!]! - top.logits[0]!));
    }
    sequence.close();
  }
  await decoder.dispose();
  return { agreement: same / all, worst, msAToken: spent / all };
}
