import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatRequest } from '../../types.ts';
import { tinyCausalModel } from './fixtures/tiny-causal-model.ts';
import type { Generator } from './generator.ts';
import { createTransformersGenerator } from './transformers.ts';

let folder = '';
const asked: string[] = [];
let generator: Generator;

const fetchFile = async (input: Request | URL | string): Promise<Response> => {
  const url = new URL(input instanceof Request ? input.url : input);
  asked.push(url.pathname.split('/').at(-1)!);
  const bytes = await readFile(fileURLToPath(url)).catch(() => undefined);
  return bytes === undefined ? new Response(null, { status: 404 }) : new Response(bytes);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nearfield-transformers-'));
  await mkdir(join(folder, 'tiny/onnx'), { recursive: true });
  for (const [path, content] of Object.entries(tinyCausalModel()))
    await writeFile(join(folder, 'tiny', path), content);
  generator = await createTransformersGenerator({
    baseUrl: pathToFileURL(folder),
    model: 'tiny',
    fetch: fetchFile,
    dtype: 'fp32',
    defaults: { temperature: 0 },
  });
});
afterAll(async () => {
  await generator?.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function say(request: Partial<ChatRequest>, on = generator): Promise<string> {
  const whole: ChatRequest = {
    messages: [{ role: 'user', content: 'Hi' }],
    max_completion_tokens: 16,
    ...request,
  };
  let text = '';
  for await (const part of on.stream(whole, { signal: new AbortController().signal })) {
    if (part.type === 'text-delta') text += part.text;
  }
  return text;
}

describe('createTransformersGenerator', () => {
  it('answers on the library’s model, the same each time, with its cache and without', async () => {
    expect(generator.backend).toBe('transformers-cpu');
    const first = await say({ logit_bias: { '2': -100 } });
    expect(first.length).toBeGreaterThan(4);
    // Another scope shares no cache; the same scope goes on from the kept prompt.
    expect(await say({ logit_bias: { '2': -100 }, scope: 'other' })).toBe(first);
    expect(await say({ logit_bias: { '2': -100 } })).toBe(first);
  });

  it('is held by a grammar like any other', async () => {
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
    const text = await say({ response_format: { type: 'json_schema', json_schema: { name: 's', schema } } });
    expect(JSON.parse(text)).toEqual({ ok: expect.any(Boolean) });
  });

  it('fetches the model’s own files and nothing else', () => {
    expect(asked).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json', 'tokenizer_config.json']));
    expect(asked.filter((name) => !/\.(json|onnx)$/.test(name))).toEqual([]);
  });

  it('says what is missing', async () => {
    const opening = createTransformersGenerator({
      baseUrl: pathToFileURL(folder),
      model: 'none',
      fetch: fetchFile,
    });
    await expect(opening).rejects.toMatchObject({ code: 'model-not-found' });
  });
});
