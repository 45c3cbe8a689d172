// Weights on their way into place in a real page: never whole anywhere but in WebAssembly's memory, whatever way they
// come, and never used when they are not the manifest's.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type { GeneratorPage } from './fixtures/page.ts';
import { tinyChatModel } from './fixtures/tiny-chat-model.ts';

const MIB = 2 ** 20;
const PADDING = 24 * MIB;

let server: Server;
let base = '';
let key = '';
let test: TestPage;
const asked: string[] = [];

beforeAll(async () => {
  const good = await tinyChatModel({ padding: PADDING });
  const weights = good['model.safetensors']!;
  const wrong = { ...good, 'model.safetensors': weights.slice().fill(1, MIB, MIB + 3) };
  const manifest = JSON.parse(new TextDecoder().decode(good['manifest.json']));
  key = manifest.files.find(({ role }: { role: string }) => role === 'weights').sha256;
  const models: Record<string, Record<string, Uint8Array>> = { good, wrong };
  let cut = false;
  server = createServer((request, response) => {
    const [, name = '', path = ''] = (request.url ?? '').split('/');
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push([name, path, request.headers.range].filter(Boolean).join(' '));
    const bytes = models[name === 'cut' ? 'good' : name]?.[path];
    response.writeHead(bytes === undefined ? 404 : from > 0 ? 206 : 200, {
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'range',
      'access-control-expose-headers': 'content-range',
      'cross-origin-resource-policy': 'cross-origin',
      ...(from > 0 && { 'content-range': `bytes ${from}-${bytes!.length - 1}/${bytes!.length}` }),
    });
    if (name === 'cut' && path.endsWith('.safetensors') && !cut) {
      cut = true;
      // A page throws away what it has not read when the socket dies; it has a second.
      response.write(bytes!.subarray(0, 10 * MIB), () => setTimeout(() => response.destroy(), 1000));
    } else response.end(bytes?.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  test = await openTestPage({ isolated: true });
  await test.page.addScriptTag({
    url: '/runtime/engine/generation/fixtures/watched-page.ts',
    type: 'module',
  });
  await test.page.waitForFunction('globalThis.nearfieldLongest !== undefined');
});
afterAll(async () => {
  await test?.close();
  server?.close();
});

/** Runs a function's text in the page with `page` its functions. */
async function onPage<T>(body: (page: GeneratorPage, given: string) => Promise<T>, given = ''): Promise<T> {
  return (await test.page.evaluate(
    `(${body.toString()})(globalThis.nearfieldGenerator, ${JSON.stringify(given)})`,
  )) as T;
}

const open = (name: string, keep = true): Promise<string> =>
  test.page.evaluate(
    async ([manifest, keep]) => {
      const { nearfieldGenerator: page } = globalThis as unknown as { nearfieldGenerator: GeneratorPage };
      return await page.failure(async () => {
        await page.open(manifest as string, { backends: ['kernel'], keep: keep as boolean, watched: true });
        await page.ask({ messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 3 });
      });
    },
    [`${base}/${name}/manifest.json`, keep] as const,
  );

const events = () => onPage((page) => page.events());
const weightsAsked = (from: number) => asked.slice(from).filter((line) => line.includes('.safetensors'));

async function expectPieces(): Promise<void> {
  const longest = (await test.page.evaluate('globalThis.nearfieldLongest()')) as Record<string, number>;
  // A checkpoint on the page, one piece in the worker; the watch itself works.
  expect(longest).toEqual({ page: 4 * MIB, worker: MIB });
}

it('streams from the network to the store and into place', async () => {
  expect(await open('good')).toBe('none');
  expect(await events()).toEqual(expect.arrayContaining(['download', 'ready']));
  expect(await onPage((page) => page.memory())).toBeGreaterThan(PADDING);
  expect(await onPage((page) => page.kept())).toContain(key);
  await expectPieces();
  await onPage((page) => page.dispose());
});

it('streams from the store', async () => {
  const before = asked.length;
  expect(await open('good')).toBe('none');
  expect(await events()).toContain('kept-copy');
  expect(weightsAsked(before)).toEqual([]);
  await expectPieces();
  await onPage((page) => page.dispose());
});

it('goes on after a cut, keeping nothing', async () => {
  const before = asked.length;
  expect(await open('cut', false)).toBe('none');
  expect(weightsAsked(before)).toEqual([
    'cut model.safetensors',
    expect.stringMatching(/^cut model.safetensors bytes=\d+-$/),
  ]);
  await expectPieces();
  await onPage((page) => page.dispose());
});

it('drops a damaged copy and fetches it again, and refuses what the network gives wrongly', async () => {
  await onPage((page, given) => page.damage(given), key);
  expect(await open('good')).toBe('none');
  expect(await events()).toEqual(expect.arrayContaining(['kept-copy-dropped', 'download', 'ready']));
  await onPage((page) => page.dispose());
  await onPage((page, given) => page.damage(given), key);
  expect(await open('wrong')).toBe('integrity-mismatch');
  expect(await onPage((page) => page.kept())).not.toContain(key);
});

it('leaves nothing of a load that was aborted', async () => {
  const ended = await test.page.evaluate(
    ([url, bytes]) => {
      const { nearfieldGenerator: page } = globalThis as unknown as { nearfieldGenerator: GeneratorPage };
      return page.abortLoad(url, bytes);
    },
    [`${base}/good/manifest.json`, 9 * MIB] as const,
  );
  expect(ended).toBe('AbortError');
  const kept = async () => (await onPage((page) => page.kept())).filter((name) => name.startsWith(key));
  await expect.poll(kept).toEqual([]);
});
