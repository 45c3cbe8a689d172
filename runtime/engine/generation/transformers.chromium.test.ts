// Any other model through transformers.js in a real page: on WASM and on WebGPU (a software one where there is no
// GPU), the same words on both, and nobody asked but the app's own hosts.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type { ChatRequest } from '../../types.ts';
import { tinyCausalModel } from './fixtures/tiny-causal-model.ts';
import type { TransformersPage } from './fixtures/transformers-page.ts';

let server: Server;
let baseUrl = '';
let test: TestPage;
const hosts = new Set<string>();

beforeAll(async () => {
  const files = tinyCausalModel();
  server = createServer((request, response) => {
    const content = files[(request.url ?? '').replace('/models/tiny/', '')];
    response.writeHead(content === undefined ? 404 : 200, {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models`;
});
afterAll(() => server?.close());

/** A page of its own for each build: ONNX Runtime starts once on a page. */
async function openPage(): Promise<void> {
  test = await openTestPage({ webgpu: true, isolated: true });
  test.page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'blob:' && protocol !== 'data:') hosts.add(hostname);
  });
  await test.page.addScriptTag({
    url: '/runtime/engine/generation/fixtures/transformers-page.ts',
    type: 'module',
  });
  await test.page.waitForFunction('globalThis.nearfieldTransformers !== undefined');
}

async function call<Name extends keyof TransformersPage>(
  name: Name,
  ...given: Parameters<TransformersPage[Name]>
): Promise<Awaited<ReturnType<TransformersPage[Name]>>> {
  return (await test.page.evaluate(
    ([key, values]) => {
      const { nearfieldTransformers: page } = globalThis as unknown as {
        nearfieldTransformers: Record<string, (...all: unknown[]) => unknown>;
      };
      return page[key as string]!(...(values as unknown[]));
    },
    [name, given] as const,
  )) as never;
}

const ask = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content: 'Hi' }],
  max_completion_tokens: 10,
  logit_bias: { '2': -100 },
  ...more,
});
const build = (name: string) => new URL(`/node_modules/onnxruntime-web/dist/${name}`, test.url).href;
const said = new Map<string, string>();

describe.each([
  { device: 'wasm', files: 'ort-wasm-simd-threaded' },
  { device: 'webgpu', files: 'ort-wasm-simd-threaded.asyncify' },
] as const)('on $device', ({ device, files }) => {
  beforeAll(openPage);
  afterAll(() => test?.close());

  it('answers, the same each time, held by a grammar, ended by an abort', async () => {
    expect(await call('open', { baseUrl, device, build: build(files) })).toBe(`transformers-${device}`);
    const text = await call('say', ask());
    expect(text.length).toBeGreaterThan(4);
    said.set(device, text);
    expect(await call('say', ask({ scope: 'other' }))).toBe(text);
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
    const held = await call('say', {
      ...ask({ max_completion_tokens: 16 }),
      response_format: { type: 'json_schema', json_schema: { name: 's', schema } },
    });
    expect(JSON.parse(held)).toEqual({ ok: expect.any(Boolean) });
    expect(await call('abort', ask({ max_completion_tokens: 200 }))).toBe('AbortError');
    expect(await call('say', ask())).toBe(text);
    const asked = (await call('asked')).map((url) => url.replace(`${baseUrl}/tiny/`, ''));
    expect(asked).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json', 'onnx/model.onnx']));
    await call('dispose');
  });
});

describe('whatever the device', () => {
  beforeAll(openPage);
  afterAll(() => test?.close());

  it('refuses to ask a CDN for ONNX Runtime', async () => {
    expect(await call('failure', { baseUrl, device: 'wasm' })).toBe('invalid-request');
  });

  it('says the same, and asked nobody but this machine', () => {
    expect([...said.keys()]).toEqual(['wasm', 'webgpu']);
    expect(said.get('webgpu')).toBe(said.get('wasm'));
    expect([...hosts]).toEqual(['127.0.0.1']);
  });
});
