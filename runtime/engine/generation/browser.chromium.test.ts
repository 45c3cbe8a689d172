import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type { ChatRequest } from '../../types.ts';
import type { GeneratorPage } from './fixtures/page.ts';
import { tinyChatModel } from './fixtures/tiny-chat-model.ts';

let server: Server;
let manifest = '';
let broken = '';
const requests: string[] = [];

beforeAll(async () => {
  const models = { good: await tinyChatModel(), broken: await tinyChatModel({ rightTop: false }) };
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const [, name = '', path = ''] = (request.url ?? '').split('/');
    const bytes = models[name as keyof typeof models]?.[path];
    response.writeHead(bytes === undefined ? 404 : 200, {
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  manifest = `${base}/good/manifest.json`;
  broken = `${base}/broken/manifest.json`;
});
afterAll(() => server.close());

const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content }],
  max_completion_tokens: 12,
  ...more,
});

describe.each([
  { name: 'an isolated page', isolated: true, backend: 'kernel-threads' },
  { name: 'a page without isolation', isolated: false, backend: 'kernel' },
])('createBrowserGenerator on $name', ({ isolated, backend }) => {
  let test: TestPage;
  const call = async <K extends keyof GeneratorPage>(
    name: K,
    ...given: Parameters<GeneratorPage[K]>
  ): Promise<Awaited<ReturnType<GeneratorPage[K]>>> =>
    (await test.page.evaluate(
      async ([key, values]) => {
        const page = (
          globalThis as unknown as { nearfieldGenerator: Record<string, (...all: unknown[]) => unknown> }
        ).nearfieldGenerator;
        return await page[key as string]!(...(values as unknown[]));
      },
      [name, given] as const,
    )) as Awaited<ReturnType<GeneratorPage[K]>>;

  beforeAll(async () => {
    test = await openTestPage({ isolated });
    await test.page.addScriptTag({ url: '/runtime/engine/generation/fixtures/page.ts', type: 'module' });
    await test.page.waitForFunction('globalThis.nearfieldGenerator !== undefined');
  });
  afterAll(() => test.close());

  it('answers in parts from a worker, with its steps, on the backend that fits', async () => {
    expect(await call('open', manifest, { backends: ['kernel-threads', 'kernel'] })).toBe(backend);
    const answer = await call('ask', ask('Hi'));
    expect(answer.steps).toEqual(['queue', 'prefill', 'decode']);
    expect(answer.finish).toMatch(/stop|length/);
    expect(await call('ask', ask('Hi'))).toMatchObject({ text: answer.text });
    expect(await call('events')).toContain('ready');
    const json = await call(
      'ask',
      ask('Hi', { response_format: { type: 'json_object' }, max_completion_tokens: 30 }),
    );
    expect(JSON.parse(json.text)).toBeTypeOf('object');
    expect(await call('memory')).toBeGreaterThan(10_000);
  });

  it('ends an answer when told to, and answers the next', async () => {
    const long = ask('Hi', { max_completion_tokens: 400, logit_bias: { '2': -100 } });
    expect(await call('abort', long)).toBe('AbortError');
    expect(await call('leave', long)).toBe('left');
    expect((await call('ask', ask('Hi'))).finish).not.toBe('');
  });

  it('fails what is asked when it is unloaded, and what is opened when it is aborted', async () => {
    expect(
      await call('askAndUnload', ask('Hi', { max_completion_tokens: 400, logit_bias: { '2': -100 } })),
    ).toBe('backend-unavailable');
    expect(await call('openAborted', manifest)).toBe('AbortError');
  });

  it('loads from the store the second time, and refuses a decoder that computes wrongly', async () => {
    await call('open', manifest, { keep: true, backends: ['kernel'] });
    await call('dispose');
    const before = requests.length;
    expect(await call('open', manifest, { keep: true, backends: ['kernel'] })).toBe('kernel');
    expect(await call('events')).toContain('kept-copy');
    expect(requests.slice(before).filter((path) => !path.endsWith('manifest.json'))).toEqual([]);
    await call('dispose');
    const refused = test.page.evaluate(async (url) => {
      const page = (globalThis as unknown as { nearfieldGenerator: GeneratorPage }).nearfieldGenerator;
      return await page.failure(() => page.open(url, { backends: ['kernel'] }));
    }, broken);
    expect(await refused).toBe('golden-mismatch');
  });
});
