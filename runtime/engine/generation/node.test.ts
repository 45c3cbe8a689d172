import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TINY_TEMPLATE, tinyTokenizerJson } from './fixtures/tiny-tokenizer.ts';
import { tinyWeights } from './fixtures/tiny-weights.ts';
import { createNodeGenerator, findModel } from './node.ts';
import { createVocabulary } from './vocabulary.ts';

let folder = '';
const manifestOf = (files: Record<string, Uint8Array>, roles: Record<string, string>) => ({
  schema: 1,
  id: 'tiny-llama',
  task: 'generate',
  architecture: 'llama',
  ...tinyWeights.shape,
  pooling: 'none',
  decoder: tinyWeights.decoder,
  sampling: { temperature: 0 },
  files: Object.entries(files).map(([path, bytes]) => ({
    path,
    role: roles[path],
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  })),
});

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

async function writeModel(
  name: string,
  change: (files: Record<string, Uint8Array>) => void = () => undefined,
  goldenIds?: readonly number[],
  goldenTop: readonly object[] = [],
) {
  const tokenizer = tinyTokenizerJson();
  const vocabulary = createVocabulary(tokenizer);
  const files: Record<string, Uint8Array> = {
    'model.safetensors': tinyWeights.file(3),
    'tokenizer.json': json(tokenizer),
    'tokenizer_config.json': json({ chat_template: TINY_TEMPLATE, eos_token: { content: '<|im_end|>' } }),
    'golden.json': json({
      texts: ['Hello'],
      inputIds: [goldenIds ?? vocabulary.encodePlain('Hello')],
      top: [goldenTop],
    }),
  };
  const roles = {
    'model.safetensors': 'weights',
    'tokenizer.json': 'tokenizer',
    'tokenizer_config.json': 'config',
    'golden.json': 'golden',
  };
  const manifest = manifestOf(files, roles);
  change(files);
  const at = join(folder, name);
  await mkdir(at, { recursive: true });
  for (const [path, bytes] of Object.entries(files)) await writeFile(join(at, path), bytes);
  await writeFile(join(at, 'manifest.json'), JSON.stringify(manifest));
  return at;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nearfield-generator-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;

describe('createNodeGenerator', () => {
  it('opens a model from its folder on the kernel and answers the same each time', async () => {
    await writeModel('tiny-llama');
    const progress: number[] = [];
    const generator = await createNodeGenerator({
      model: 'tiny-llama',
      modelsFolder: folder,
      threads: 1,
      onProgress: (bytes, of) => progress.push(bytes / of),
    });
    const say = async () => {
      let text = '';
      const request = { messages: [{ role: 'user' as const, content: 'Hi' }], max_completion_tokens: 8 };
      for await (const part of generator.stream(request, { signal }))
        if (part.type === 'text-delta') text += part.text;
      return text;
    };
    expect(generator).toMatchObject({ model: 'tiny-llama', backend: 'kernel' });
    expect(await say()).toBe(await say());
    expect(progress.at(-1)).toBe(1);
    await generator.dispose();
  });

  it('refuses weights that are not the manifest’s', async () => {
    const at = await writeModel('changed', (files) => {
      files['model.safetensors'] = tinyWeights.file(4);
    });
    await expect(createNodeGenerator({ model: at, threads: 1 })).rejects.toMatchObject({
      code: 'integrity-mismatch',
    });
  });

  it('refuses a tokenizer that gives other ids than the golden file', async () => {
    const at = await writeModel('wrong-golden', undefined, [1, 2]);
    await expect(createNodeGenerator({ model: at, threads: 1 })).rejects.toMatchObject({
      code: 'golden-mismatch',
    });
  });

  it('refuses a decoder that finds none of the reference’s favourites', async () => {
    const at = await writeModel('wrong-top', undefined, undefined, [{ ids: [7] }, { ids: [9] }]);
    const opening = createNodeGenerator({ model: at, threads: 1 });
    await expect(opening).rejects.toMatchObject({
      code: 'golden-mismatch',
      message: expect.stringContaining('of 2 places'),
    });
  });

  it('says how to get a model that is not there', async () => {
    expect(await findModel({ model: 'none', modelsFolder: folder })).toBeUndefined();
    await expect(createNodeGenerator({ model: 'none', modelsFolder: folder })).rejects.toMatchObject({
      code: 'model-not-found',
      message: expect.stringContaining('npm run models -- build none'),
    });
  });

  it('leaves nothing open when aborted while reading', async () => {
    const at = await writeModel('aborted');
    await expect(createNodeGenerator({ model: at, signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
