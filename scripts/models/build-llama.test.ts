// What `npm run models -- build llama` makes of a checkpoint, as the Python that users run made it
// (fixtures/convert.ts): read back here tensor by tensor against the checkpoint, and decoded on the kernel against
// Hugging Face's fp32 logits. Python is not among the tests' dependencies, so a changed converter fails until its
// results are made again.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { checkDecoder, parseDecoderGolden } from '../../runtime/engine/generation/decoder-golden.ts';
import { readOrtWeights } from '../../runtime/engine/generation/ort-weights.ts';
import { createVocabulary } from '../../runtime/engine/generation/vocabulary.ts';
import { createKernelDecoder } from '../../runtime/engine/kernel/decoder.ts';
import { shapeOf } from '../../runtime/engine/kernel/decoder-weights.ts';
import { type Manifest, parseManifest } from '../../runtime/models.ts';
import { checkpoint, KINDS, type Kind } from './fixtures/checkpoint.ts';
import { converterHash } from './fixtures/converted.ts';

const AGAIN = 'run: node scripts/models/fixtures/convert.ts PYTHON';

const read = async (kind: Kind, path: string): Promise<Uint8Array<ArrayBuffer>> =>
  Uint8Array.from(await readFile(new URL(`./fixtures/tiny-${kind}/${path}`, import.meta.url)));
const manifestOf = async (kind: Kind): Promise<Manifest> =>
  parseManifest(JSON.parse(new TextDecoder().decode(await read(kind, 'manifest.json'))));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('was made by the converter as it is', async () => {
  const made = await readFile(new URL('./fixtures/converter.sha256', import.meta.url), 'utf8');
  expect(made.trim(), AGAIN).toBe(await converterHash());
});

describe.each(KINDS)('a converted checkpoint of %s', (kind) => {
  it('is described by its manifest, files and all', async () => {
    const manifest = await manifestOf(kind);
    expect(manifest).toMatchObject({
      id: `tiny-${kind}`,
      vocab: 296,
      decoder: {
        kvHeads: 1,
        headDims: 16,
        rope: { theta: 10_000 },
        qkvBias: kind === 'qwen2',
        qkNorm: kind === 'qwen3',
        tiedEmbeddings: kind !== 'qwen2',
        stopTokens: [2, 0],
        bosToken: 1,
      },
      sampling: { temperature: 0.6, topP: 0.9 },
      source: { model: 'somebody/tiny' },
    });
    const given = checkpoint(kind).files;
    for (const { path, bytes, sha256: hash } of manifest.files) {
      const file = given[path] ?? (await read(kind, path));
      expect([path, file.byteLength, sha256(file)], AGAIN).toEqual([path, bytes, hash]);
    }
  });

  it('holds every number of the checkpoint, to half a step of its block', async () => {
    const manifest = await manifestOf(kind);
    const { tensors } = checkpoint(kind);
    const file = await read(kind, 'nearfield.safetensors');
    const found = await readOrtWeights(file, shapeOf(manifest), 16);
    let matrices = 0;
    for (const [name, values] of tensors) {
      if (!/(proj|embed_tokens|lm_head)\.weight$/.test(name)) {
        expect(found.vector(name), name).toEqual(values);
        continue;
      }
      matrices += 1;
      const { codes, scales, block } = found.matrix(name);
      expect(codes).toHaveLength(values.length);
      const worst = values.reduce((most, value, at) => {
        const scale = scales[Math.floor(at / block)]!;
        return Math.max(most, Math.abs((codes[at]! - 128) * scale - value) / scale);
      }, 0);
      // Half a step by rounding; a scale's own sixteen bits move the largest code by little more.
      expect(worst, name).toBeLessThan(0.51);
      expect(worst, name).toBeGreaterThan(0.1);
    }
    expect(matrices).toBe(2 * 7 + (kind === 'qwen2' ? 2 : 1));
  });

  it('says on the kernel what the fp32 model says', async () => {
    const manifest = await manifestOf(kind);
    const golden = parseDecoderGolden(await read(kind, 'golden.json'));
    const vocabulary = createVocabulary(checkpoint(kind).files['tokenizer.json']!);
    const decoder = await createKernelDecoder(await read(kind, 'nearfield.safetensors'), manifest);
    await checkDecoder(decoder, golden);
    let worst = 0;
    let spread = 0;
    for (const [text, ids] of golden.inputIds.entries()) {
      expect(vocabulary.encodePlain(golden.texts[text]!)).toEqual(ids);
      const sequence = decoder.open();
      const [rows] = await decoder.forward([{ sequence, tokens: ids, logits: 'all' }]);
      for (const [position, best] of golden.top[text]!.entries()) {
        const row = rows!.subarray(position * decoder.vocab, (position + 1) * decoder.vocab);
        best.ids.forEach((id, at) => {
          worst = Math.max(worst, Math.abs(row[id]! - best.logits[at]!));
        });
        spread = Math.max(spread, row.reduce((most, value) => Math.max(most, value)) - Math.min(...row));
      }
      sequence.close();
    }
    // Eight bits against fp32; a wrong order, norm or bias moves logits by as much as they spread.
    expect(worst).toBeLessThan(0.02 * spread);
    expect(golden.texts.length).toBeGreaterThan(2);
    await decoder.dispose();
  });
});
