// A GPU lost in the middle of an answer, on a real WebGPU (a software one where there is no GPU), and a helper thread of
// the kernel likewise.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type { ChatRequest } from '../../types.ts';
import type { GeneratorPage } from './fixtures/page.ts';
import { tinyChatModel } from './fixtures/tiny-chat-model.ts';

let server: Server;
let manifest = '';
let test: TestPage | undefined;

beforeAll(async () => {
  const model = await tinyChatModel();
  server = createServer((request, response) => {
    const bytes = model[(request.url ?? '').slice(1)];
    response.writeHead(bytes === undefined ? 404 : 200, {
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  manifest = `http://127.0.0.1:${(server.address() as AddressInfo).port}/manifest.json`;
});
afterAll(() => server?.close());
afterEach(() => test?.close());

type WithPage = { readonly nearfieldGenerator: GeneratorPage };

/** Opens the tiny model on what can be lost; answers with the backend. */
async function open(fragile: 'gpu' | 'threads'): Promise<string> {
  test = await openTestPage(fragile === 'gpu' ? { webgpu: true } : { isolated: true });
  await test.page.addScriptTag({ url: '/runtime/engine/generation/fixtures/page.ts', type: 'module' });
  await test.page.waitForFunction('globalThis.nearfieldGenerator !== undefined');
  return await test.page.evaluate(
    ([url, fragile]) => (globalThis as unknown as WithPage).nearfieldGenerator.open(url, { fragile }),
    [manifest, fragile] as const,
  );
}

const long = (tokens: number): ChatRequest => ({
  messages: [{ role: 'user', content: 'Hi' }],
  max_completion_tokens: tokens,
  // Never the end of its turn.
  logit_bias: { '2': -100 },
});

const askAndLose = (after: number, tokens = 24) =>
  test!.page.evaluate(
    ([request, after]) => (globalThis as unknown as WithPage).nearfieldGenerator.askAndLose(request, after),
    [long(tokens), after] as const,
  );

it('goes on on the GPU opened again, then on the kernel, with the next token', async () => {
  expect(await open('gpu')).toBe('ort-webgpu');
  const whole = await askAndLose(1000);
  expect(whole).toMatchObject({ finish: 'length', backend: 'ort-webgpu' });
  expect(await askAndLose(3)).toMatchObject({ text: whole.text, finish: 'length', backend: 'ort-webgpu' });
  const second = await askAndLose(3);
  expect(second).toMatchObject({ finish: 'length', backend: 'kernel' });
  // What had been said stays said; the kernel may round the rest to other words.
  expect(second.text.slice(0, 3)).toBe(whole.text.slice(0, 3));
  expect(await askAndLose(1000)).toMatchObject({ finish: 'length', backend: 'kernel' });
});

it('goes on on new threads of the kernel, then on one, with the next token: the same words', async () => {
  // So many that the word of the loss, which takes its way, still meets the answer.
  const tokens = 300;
  expect(await open('threads')).toBe('kernel-threads');
  const whole = await askAndLose(1000, tokens);
  expect(whole).toMatchObject({ finish: 'length', backend: 'kernel-threads' });
  expect(await askAndLose(3, tokens)).toEqual(whole);
  expect(await askAndLose(3, tokens)).toEqual({ ...whole, backend: 'kernel' });
});
