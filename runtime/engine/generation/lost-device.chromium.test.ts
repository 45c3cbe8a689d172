// A GPU lost in the middle of an answer, on a real WebGPU (a software one where there is no GPU).
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type { ChatRequest } from '../../types.ts';
import type { GeneratorPage } from './fixtures/page.ts';
import { tinyChatModel } from './fixtures/tiny-chat-model.ts';

let server: Server;
let manifest = '';
let test: TestPage;

beforeAll(async () => {
  const model = await tinyChatModel();
  server = createServer((request, response) => {
    const bytes = model[(request.url ?? '').slice(1)];
    response.writeHead(bytes === undefined ? 404 : 200, { 'access-control-allow-origin': '*' });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  manifest = `http://127.0.0.1:${(server.address() as AddressInfo).port}/manifest.json`;
  test = await openTestPage({ webgpu: true });
  await test.page.addScriptTag({ url: '/runtime/engine/generation/fixtures/page.ts', type: 'module' });
  await test.page.waitForFunction('globalThis.nearfieldGenerator !== undefined');
});
afterAll(async () => {
  await test?.close();
  server?.close();
});

const LONG: ChatRequest = {
  messages: [{ role: 'user', content: 'Hi' }],
  max_completion_tokens: 24,
  // Never the end of its turn.
  logit_bias: { '2': -100 },
};

type WithPage = { readonly nearfieldGenerator: GeneratorPage };

const askAndLose = (after: number) =>
  test.page.evaluate(
    ([request, after]) => (globalThis as unknown as WithPage).nearfieldGenerator.askAndLose(request, after),
    [LONG, after] as const,
  );

it('goes on on the GPU opened again, then on the kernel, with the next token', {
  timeout: 120_000,
}, async () => {
  const backend = await test.page.evaluate(
    (url) => (globalThis as unknown as WithPage).nearfieldGenerator.open(url, { fragile: true }),
    manifest,
  );
  expect(backend).toBe('ort-webgpu');
  const whole = await askAndLose(1000);
  expect(whole).toMatchObject({ finish: 'length', backend: 'ort-webgpu' });
  expect(await askAndLose(3)).toMatchObject({ text: whole.text, finish: 'length', backend: 'ort-webgpu' });
  const second = await askAndLose(3);
  expect(second).toMatchObject({ finish: 'length', backend: 'kernel' });
  // What had been said stays said; the kernel may round the rest to other words.
  expect(second.text.slice(0, 3)).toBe(whole.text.slice(0, 3));
  expect(await askAndLose(1000)).toMatchObject({ finish: 'length', backend: 'kernel' });
});
