import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestPage, type TestPage } from '../../scripts/testing/chromium.ts';
import { type TinyModel, tinyGolden, tinyModel } from '../../scripts/testing/tiny-model.ts';
import { parseManifest } from '../models.ts';
import type { BackendId } from '../types.ts';
import type { PageFunctions, PageRun } from './fixtures/page.ts';
import { parseGolden } from './golden.ts';
import { createNodeEmbedder, nodeBackends } from './node.ts';
import { cosine } from './pooling.ts';

const MODEL = '/models/all-minilm-l6-v2/manifest.json';
const golden = parseGolden(
  readFileSync(new URL('../../models/all-minilm-l6-v2/golden.json', import.meta.url)),
);

const shortestOf = ({ inputIds, texts, embeddings }: typeof golden) =>
  inputIds
    .map((ids, at) => ({ ids, text: texts[at]!, embedding: embeddings[at]!, at }))
    .reduce((best, entry) => (entry.ids.length < best.ids.length ? entry : best));
const shortest = shortestOf(golden);
const student = parseGolden(
  readFileSync(new URL('../../models/nearfield-embed/golden.json', import.meta.url)),
);

/** Node's vectors: from ONNX Runtime, and from the kernel. */
let reference: readonly Float32Array[];
let kernelReference: readonly Float32Array[];
let tiny: { readonly base: string; close(): void };
beforeAll(async () => {
  reference = await embedInNode('ort-wasm');
  kernelReference = await embedInNode('kernel');
  tiny = await serveTiny();
});
afterAll(() => tiny?.close());

async function embedInNode(id: BackendId): Promise<readonly Float32Array[]> {
  const backends = nodeBackends.filter((row) => row.id === id);
  const node = await createNodeEmbedder({ backends, contenders: 1 });
  const { embeddings } = await node.embed(golden.texts);
  await node.dispose();
  return embeddings;
}

/** A real model with its shortest golden text alone: a software GPU takes seconds for each token. */
function briefModel(id: string): TinyModel {
  const folder = new URL(`../../models/${id}/`, import.meta.url);
  const manifest = parseManifest(JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')));
  const { text, ids, embedding } = shortestOf(parseGolden(readFileSync(new URL('golden.json', folder))));
  const brief = new TextEncoder().encode(
    JSON.stringify({ texts: [text], inputIds: [ids], embeddings: [embedding] }),
  );
  const sha256 = createHash('sha256').update(brief).digest('hex');
  const files = manifest.files.map((file) =>
    file.role === 'golden' ? { ...file, bytes: brief.byteLength, sha256 } : file,
  );
  const read = (path: string) => Uint8Array.from(readFileSync(new URL(path, folder)));
  return {
    manifest: { ...manifest, files },
    files: new Map(files.map((file) => [file.path, file.role === 'golden' ? brief : read(file.path)])),
  };
}

/** Models by folder, from another origin; the graph of `broken` is no graph. */
async function serveTiny(): Promise<{ base: string; close(): void }> {
  const good = tinyModel();
  const fourBits = briefModel('nearfield-embed');
  expect(fourBits.manifest.embedding?.bits).toBe(4);
  const junk = new Uint8Array(1870).fill(7);
  const sha256 = createHash('sha256').update(junk).digest('hex');
  const listed = good.manifest.files.map((file) => (file.role === 'weights' ? { ...file, sha256 } : file));
  const models: Readonly<Record<string, TinyModel>> = {
    good,
    brief: briefModel('all-minilm-l6-v2'),
    student: fourBits,
    broken: {
      manifest: { ...good.manifest, files: listed },
      files: new Map(good.files).set('model.onnx', junk),
    },
  };
  const server = createServer((request, response) => {
    const [, name = '', ...rest] = (request.url ?? '').split('/');
    const path = rest.join('/');
    const model = models[name];
    const body = path === 'manifest.json' ? JSON.stringify(model?.manifest) : model?.files.get(path);
    response.writeHead(body === undefined ? 404 : 200, { 'Access-Control-Allow-Origin': '*' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function openPage(options: Parameters<typeof openTestPage>[0]): Promise<TestPage> {
  const target = await openTestPage(options);
  await load(target);
  return target;
}

async function load(target: TestPage): Promise<void> {
  await target.page.addScriptTag({ type: 'module', url: '/runtime/engine/fixtures/page.ts' });
  await target.page.waitForFunction(() => 'nearfieldTest' in globalThis);
}

/** Calls a function of fixtures/page.ts in the page; what the page logged goes into a failure. */
async function call<K extends keyof PageFunctions>(
  target: TestPage,
  name: K,
  ...args: Parameters<PageFunctions[K]>
): Promise<Awaited<ReturnType<PageFunctions[K]>>> {
  try {
    return (await target.page.evaluate(
      ({ name, args }) => (globalThis.nearfieldTest[name] as (...all: unknown[]) => unknown)(...args),
      { name, args: args as unknown[] },
    )) as Awaited<ReturnType<PageFunctions[K]>>;
  } catch (error) {
    throw new Error(`${String(error)}\n${target.log.join('\n')}`);
  }
}

function expectSameVectors(run: PageRun): void {
  expect(run.embeddings).toHaveLength(reference.length);
  run.embeddings.forEach((row, at) => {
    expect(cosine(reference[at]!, Float32Array.from(row))).toBeGreaterThanOrEqual(0.999);
  });
}

/** The kernel's integers are exact, so its answers are the same wherever it runs. */
function expectKernelVectors(run: PageRun): void {
  run.embeddings.forEach((row, at) => {
    expect(cosine(kernelReference[at]!, Float32Array.from(row))).toBeGreaterThanOrEqual(0.999999);
  });
}

function expectTiny(run: PageRun): void {
  tinyGolden.embeddings.forEach((row, at) => {
    expect(cosine(Float32Array.from(row), Float32Array.from(run.embeddings[at]!))).toBeGreaterThan(0.9999);
  });
}

describe('on a plain page', () => {
  let target: TestPage;
  beforeAll(async () => {
    target = await openPage({});
  });
  afterAll(() => target?.close());

  test('WASM gives the vectors that Node gives, cosine 0.999 and more', async () => {
    expect(await call(target, 'open', { manifest: MODEL, backends: ['ort-wasm'] })).toBe('ort-wasm');
    expectSameVectors(await call(target, 'embed', golden.texts));
    await call(target, 'dispose');
  });

  test('the kernel gives the vectors that it gives in Node', async () => {
    expect(await call(target, 'open', { manifest: MODEL, backends: ['kernel', 'ort-wasm'] })).toBe('kernel');
    expectKernelVectors(await call(target, 'embed', golden.texts));
    await call(target, 'dispose');
  });

  test('a graph that can not load fails with a code, and a good one loads after it', async () => {
    const broken = { manifest: `${tiny.base}/broken/manifest.json`, backends: ['ort-wasm'] } as const;
    expect(await call(target, 'failure', 'open', broken)).toBe('model-load-failed');
    await call(target, 'open', { manifest: `${tiny.base}/good/manifest.json`, backends: ['ort-wasm'] });
    expectTiny(await call(target, 'embedEach', tinyGolden.texts));
    await call(target, 'dispose');
  });

  test('disposing ends the worker', async () => {
    await call(target, 'open', { manifest: `${tiny.base}/good/manifest.json`, backends: ['ort-wasm'] });
    expect(target.page.workers().length).toBeGreaterThan(0);
    await call(target, 'dispose');
    await expect.poll(() => target.page.workers().length, { timeout: 20_000 }).toBe(0);
  });

  test('an aborted call rejects with AbortError and the worker goes on', async () => {
    await call(target, 'open', { manifest: `${tiny.base}/good/manifest.json`, backends: ['ort-wasm'] });
    expect(await call(target, 'abortOne', ['a'])).toBe('AbortError');
    expectTiny(await call(target, 'embed', tinyGolden.texts));
    await call(target, 'dispose');
  });

  test('kept files survive a reload and nothing but the manifest is asked for again', async () => {
    const manifest = `${tiny.base}/good/manifest.json`;
    await call(target, 'open', { manifest, backends: ['ort-wasm'], store: 'indexeddb' });
    await target.page.reload();
    await load(target);
    await call(target, 'open', { manifest, backends: ['ort-wasm'], store: 'indexeddb' });
    expect(await call(target, 'events')).toEqual(['kept-copy', 'kept-copy', 'kept-copy', 'ready']);
    expectTiny(await call(target, 'embed', tinyGolden.texts));
    await call(target, 'dispose');
  });

  test('where the browser gives no room the model runs from memory', async () => {
    const session = await target.page.context().newCDPSession(target.page);
    const origin = new URL(target.url).origin;
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
    await call(target, 'open', {
      manifest: `${tiny.base}/good/manifest.json`,
      backends: ['ort-wasm'],
      store: 'indexeddb',
    });
    expect(await call(target, 'events')).toContain('not-kept');
    expectTiny(await call(target, 'embed', tinyGolden.texts));
    await call(target, 'dispose');
    await session.send('Storage.overrideQuotaForOrigin', { origin });
  });

  test('a worker that dies without a word is noticed and its request replayed on the next rung', async () => {
    const manifest = MODEL;
    await call(target, 'open', { manifest, backends: ['kernel', 'ort-wasm'], fragile: true });
    expect((await call(target, 'embed', golden.texts.slice(0, 1))).backend).toBe('kernel');
    await call(target, 'suffer', 'die');
    const run = await call(target, 'embed', golden.texts);
    expect(run).toMatchObject({ backend: 'ort-wasm', falls: ['kernel: device-lost'] });
    expectSameVectors(run);
    await call(target, 'dispose');
  });
});

describe('where the page is cross-origin isolated', () => {
  let target: TestPage;
  beforeAll(async () => {
    target = await openPage({ isolated: true });
  });
  afterAll(() => target?.close());

  test('WASM runs with threads, to the same vectors', async () => {
    expect(await target.page.evaluate(() => crossOriginIsolated)).toBe(true);
    await call(target, 'open', { manifest: MODEL, backends: ['ort-wasm'] });
    expectSameVectors(await call(target, 'embed', golden.texts));
    expect(target.page.workers().length).toBeGreaterThan(1);
    await call(target, 'dispose');
    await expect.poll(() => target.page.workers().length, { timeout: 20_000 }).toBe(0);
  });

  test('the kernel runs with threads, to the vectors that it gives in Node', async () => {
    expect(await call(target, 'open', { manifest: MODEL, backends: ['kernel-threads'] })).toBe(
      'kernel-threads',
    );
    expectKernelVectors(await call(target, 'embed', golden.texts));
    await call(target, 'dispose');
    await expect.poll(() => target.page.workers().length, { timeout: 20_000 }).toBe(0);
  });

  // Chromium ends a thread that computes two seconds after it was told to, and on a busy machine later. Nobody is told of
  // the end, so the one that was ended is waited for as long as users would.
  test.each([
    { end: 'ended', suffer: 'end-helpers', forMs: 3_000 },
    { end: 'trapped in the middle of a run', suffer: 'derail-helpers', forMs: 0 },
  ] as const)(
    'a request whose helper thread is $end is answered on one thread, the same bits',
    async (death) => {
      const backends = ['kernel-threads', 'kernel'] as const;
      await call(target, 'open', { manifest: MODEL, backends, fragile: true });
      const whole = await call(target, 'embed', golden.texts);
      expect(whole.backend).toBe('kernel-threads');
      await call(target, 'suffer', death.suffer, death.forMs);
      let run = whole;
      for (let turn = 0; turn < 100 && run.backend === 'kernel-threads'; turn += 1) {
        run = await call(target, 'embed', golden.texts);
        expect(run.embeddings).toEqual(whole.embeddings);
      }
      expect(run).toMatchObject({ backend: 'kernel', falls: ['kernel-threads: device-lost'] });
      expect((await call(target, 'embed', golden.texts)).embeddings).toEqual(whole.embeddings);
      await call(target, 'dispose');
    },
  );
});

describe('WebGPU', () => {
  let target: TestPage;
  beforeAll(async () => {
    target = await openPage({ webgpu: true });
  });
  afterAll(() => target?.close());

  test('runs the same file wholly on the GPU, to the same vector', async () => {
    const manifest = `${tiny.base}/brief/manifest.json`;
    expect(await call(target, 'open', { manifest, backends: ['ort-webgpu'] })).toBe('ort-webgpu');
    const run = await call(target, 'embed', [shortest.text]);
    expect(run.falls).toEqual([]);
    const similarity = cosine(reference[shortest.at]!, Float32Array.from(run.embeddings[0]!));
    expect(similarity).toBeGreaterThanOrEqual(0.999);
    await call(target, 'dispose');
  });

  test.each(['ort-webgpu', 'ort-wasm', 'kernel'] as const)(
    'a word table of four bits reads alike: %s',
    async (id) => {
      expect(
        await call(target, 'open', { manifest: `${tiny.base}/student/manifest.json`, backends: [id] }),
      ).toBe(id);
      const { text, embedding } = shortestOf(student);
      const run = await call(target, 'embed', [text]);
      expect(run.falls).toEqual([]);
      expect(
        cosine(Float32Array.from(embedding), Float32Array.from(run.embeddings[0]!)),
      ).toBeGreaterThanOrEqual(0.99);
      await call(target, 'dispose');
    },
  );

  test('a lost device falls to WASM and the request is replayed', async () => {
    await call(target, 'open', {
      manifest: `${tiny.base}/brief/manifest.json`,
      backends: ['ort-webgpu', 'ort-wasm'],
      fragile: true,
    });
    const run = call(target, 'embed', golden.texts);
    await call(target, 'suffer', 'lose-device');
    expect(await run).toMatchObject({ backend: 'ort-wasm', falls: ['ort-webgpu: device-lost'] });
    expectSameVectors(await run);
    await call(target, 'dispose');
  });
});
