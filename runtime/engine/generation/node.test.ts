import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { D_OWN_BYTES } from '../kernel/decoder-layout.ts';
import { watchMemories } from '../kernel/fixtures/watch-memories.ts';
import { type TinyChatOptions, tinyChatModel } from './fixtures/tiny-chat-model.ts';
import { tinyWeights } from './fixtures/tiny-weights.ts';
import type { Generator } from './generator.ts';
import { createNodeGenerator, findModel } from './node.ts';

let folder = '';

async function writeModel(
  name: string,
  options: TinyChatOptions = {},
  change: Record<string, Uint8Array> = {},
) {
  const at = join(folder, name);
  await mkdir(at, { recursive: true });
  for (const [path, bytes] of Object.entries({ ...(await tinyChatModel(options)), ...change })) {
    await writeFile(join(at, path), bytes);
  }
  return at;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nearfield-generator-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const signal = new AbortController().signal;

/** An answer of eight tokens; `midway` is called at its second part. */
async function say(generator: Generator, midway: () => void = () => undefined): Promise<string> {
  let text = '';
  let parts = 0;
  const request = {
    messages: [{ role: 'user' as const, content: 'Hi' }],
    max_completion_tokens: 8,
    // Never the end of its turn.
    logit_bias: { '2': -100 },
  };
  for await (const part of generator.stream(request, { signal })) {
    parts += 1;
    if (parts === 2) midway();
    if (part.type === 'text-delta') text += part.text;
  }
  return text;
}

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
    expect(generator).toMatchObject({ model: 'tiny-llama', backend: 'kernel' });
    expect(await say(generator)).toBe(await say(generator));
    expect(progress.at(-1)).toBe(1);
    await generator.dispose();
  });

  it('goes on in the middle of an answer though its helper thread traps, whatever became of the load’s signal', async () => {
    const model = await writeModel('threads');
    const memories = watchMemories();
    const load = new AbortController();
    const generator = await createNodeGenerator({ model, threads: 2, signal: load.signal });
    load.abort();
    const whole = await say(generator);
    expect(whole).not.toBe('');
    for (const backend of ['kernel-threads', 'kernel']) {
      const halved = await say(generator, () => memories.derail(D_OWN_BYTES));
      expect([halved, generator.backend]).toEqual([whole, backend]);
    }
    memories.stop();
    await generator.dispose();
  });

  it('refuses weights that are not the manifest’s', async () => {
    const at = await writeModel('changed', {}, { 'model.safetensors': tinyWeights.file(4) });
    await expect(createNodeGenerator({ model: at, threads: 1 })).rejects.toMatchObject({
      code: 'integrity-mismatch',
    });
  });

  it('refuses a tokenizer that gives other ids than the golden file', async () => {
    const at = await writeModel('wrong-golden', { goldenIds: [8, 9] });
    await expect(createNodeGenerator({ model: at, threads: 1 })).rejects.toMatchObject({
      code: 'golden-mismatch',
    });
  });

  it('refuses a decoder that finds none of the reference’s favourites', async () => {
    const at = await writeModel('wrong-top', { rightTop: false });
    await expect(createNodeGenerator({ model: at, threads: 1 })).rejects.toMatchObject({
      code: 'golden-mismatch',
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
