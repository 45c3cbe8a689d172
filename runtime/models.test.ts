import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type TinyModel, tinyModel } from '../scripts/testing/tiny-model.ts';
import { sha256Hex } from './hash.ts';
import { createMemoryStore } from './model-files/memory.ts';
import {
  type LoadEvent,
  type LoadModelOptions,
  loadModel,
  type ModelStore,
  parseManifest,
} from './models.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Served {
  readonly base: string;
  /** `METHOD path range` of each request. */
  readonly asked: string[];
  /** Bytes that the loader has read, by path. */
  readonly read: Map<string, number>;
}

/** Serves a model from loopback; `cutAfter` destroys the n-th response to a path once so many bytes were read. */
async function serve(
  model: TinyModel,
  options: { cutAfter?: (path: string, nth: number) => number | undefined; ranges?: boolean } = {},
): Promise<Served> {
  const asked: string[] = [];
  const read = new Map<string, number>();
  const counts = new Map<string, number>();
  const listener: RequestListener = (request, response) => {
    const path = (request.url ?? '/').slice(1);
    const nth = (counts.get(path) ?? 0) + 1;
    counts.set(path, nth);
    asked.push([path, request.headers.range].filter(Boolean).join(' '));
    const whole =
      path === 'manifest.json' ? Buffer.from(JSON.stringify(model.manifest)) : model.files.get(path);
    if (whole === undefined) return void response.writeHead(404).end();
    const start =
      options.ranges === false ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range =
      start > 0 ? { 'Content-Range': `bytes ${start}-${whole.byteLength - 1}/${whole.byteLength}` } : {};
    response.writeHead(start > 0 ? 206 : 200, { 'Content-Length': whole.byteLength - start, ...range });
    const cut = options.cutAfter?.(path, nth);
    if (cut === undefined) return void response.end(whole.subarray(start));
    response.write(whole.subarray(start, start + cut), () => {
      // A client throws away what it has not read when its socket dies.
      const waiting = setInterval(() => {
        if ((read.get(path) ?? 0) < start + cut && !request.socket.destroyed) return;
        clearInterval(waiting);
        request.socket.destroy();
      }, 2);
    });
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked, read };
}

function load(served: Served, options: Partial<LoadModelOptions> = {}): ReturnType<typeof loadModel> {
  return loadModel({
    manifest: `${served.base}manifest.json`,
    fetch: (input, init) => fetch(input, init),
    sleep: async () => undefined,
    ...options,
    onProgress(event) {
      if (event.type === 'download') served.read.set(event.path, event.loadedBytes);
      options.onProgress?.(event);
    },
  });
}

/** A tiny model whose weights file is `bytes` long, so that checkpoints happen. */
async function bigModel(bytes: number): Promise<TinyModel> {
  const tiny = tinyModel();
  const weights = Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + (at >> 8)) & 255);
  const sha256 = await sha256Hex(weights);
  const files = new Map(tiny.files).set('model.onnx', weights);
  const listed = tiny.manifest.files.map((file) =>
    file.role === 'weights' ? { ...file, bytes, sha256 } : file,
  );
  return { files, manifest: { ...tiny.manifest, files: listed } };
}

/** By bytes: element-wise equality of megabytes takes the test runner seconds. */
function expectSame(weights: Uint8Array, model: TinyModel): void {
  expect(Buffer.compare(weights, model.files.get('model.onnx')!)).toBe(0);
}

describe('manifest', () => {
  test('names the field at fault', () => {
    const { manifest } = tinyModel();
    const wrong = { ...manifest, files: [{ ...manifest.files[0], sha256: 'abc' }] };
    expect(() => parseManifest(wrong)).toThrow(/files\.0\.sha256/);
  });

  test.each([
    'https://elsewhere.test/w.onnx',
    '//elsewhere.test/w',
    '../w',
    'a/../../w',
    '/etc/passwd',
    'a\\b',
  ])('refuses the path %s, which would leave the model folder', (path) => {
    const { manifest } = tinyModel();
    const files = [{ ...manifest.files[0], path }];
    expect(() => parseManifest({ ...manifest, files })).toThrow(/files\.0\.path/);
  });

  test('keeps fields it does not know', () => {
    expect(parseManifest({ ...tinyModel().manifest, shard: 3 })).toHaveProperty('shard', 3);
  });
});

describe('loadModel', () => {
  test('brings every file whole and says how far it is', async () => {
    const model = tinyModel();
    const events: LoadEvent[] = [];
    const loaded = await load(await serve(model), { onProgress: (event) => events.push(event) });
    expectSame(loaded.file('weights'), model);
    expect(loaded.weightsHash).toBe(model.manifest.files[0]?.sha256);
    const last = events.filter((event) => event.type === 'download' && event.path === 'model.onnx').at(-1);
    expect(last).toMatchObject({ loadedBytes: 1870, totalBytes: 1870, resumedBytes: 0 });
    expect(events.at(-1)?.type).toBe('ready');
  });

  test('a changed byte is integrity-mismatch and nothing is kept', async () => {
    const model = tinyModel();
    const store = createMemoryStore();
    const files = new Map(model.files);
    files.set(
      'model.onnx',
      model.files.get('model.onnx')!.map((byte, at) => (at === 900 ? byte ^ 1 : byte)),
    );
    const served = await serve({ ...model, files });
    await expect(load(served, { store })).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(await store.keys()).toEqual([]);
  });

  test('more and fewer bytes than promised are refused too', async () => {
    const model = tinyModel();
    const weights = model.files.get('model.onnx')!;
    const longer = new Map(model.files).set('model.onnx', Uint8Array.of(...weights, 0));
    await expect(load(await serve({ ...model, files: longer }))).rejects.toMatchObject({
      code: 'integrity-mismatch',
    });
    const shorter = new Map(model.files).set('model.onnx', weights.slice(0, -1));
    await expect(load(await serve({ ...model, files: shorter }))).rejects.toMatchObject({
      code: expect.stringMatching(/integrity-mismatch|model-load-failed/),
    });
  });

  test('a missing file is model-not-found', async () => {
    const model = tinyModel();
    const files = new Map(model.files);
    files.delete('model.onnx');
    await expect(load(await serve({ ...model, files }))).rejects.toMatchObject({ code: 'model-not-found' });
  });

  test('the second start asks only for the manifest', async () => {
    const served = await serve(tinyModel());
    const store = createMemoryStore();
    await load(served, { store });
    const before = served.asked.length;
    await load(served, { store });
    expect(served.asked.slice(before)).toEqual(['manifest.json']);
  });

  test('a corrupted kept copy is dropped and fetched again', async () => {
    const model = tinyModel();
    const served = await serve(model);
    const store = createMemoryStore();
    await load(served, { store });
    const key = model.manifest.files[0]!.sha256;
    const kept = await store.get(key);
    kept![5]! ^= 255;
    await store.put(key, kept!);
    const events: string[] = [];
    const loaded = await load(served, { store, onProgress: (event) => events.push(event.type) });
    expect(events).toContain('kept-copy-dropped');
    expectSame(loaded.file('weights'), model);
    expect(await store.get(key)).toEqual(model.files.get('model.onnx'));
  });

  test('a full store is said and does not fail the load', async () => {
    const events: LoadEvent[] = [];
    const store = createMemoryStore({ quotaBytes: 100 });
    const loaded = await load(await serve(tinyModel()), { store, onProgress: (event) => events.push(event) });
    expect(loaded.has('weights')).toBe(true);
    expect(events).toContainEqual({ type: 'not-kept', path: 'model.onnx', code: 'quota-exceeded' });
  });

  test('a store that always throws is as no store', async () => {
    const broken = () => Promise.reject(new Error('disk on fire'));
    const store: ModelStore = { id: 'broken', get: broken, put: broken, delete: broken, keys: broken };
    expect((await load(await serve(tinyModel()), { store })).has('tokenizer')).toBe(true);
  });
});

describe('a cut download', () => {
  test('resumes with Range and brings each byte once', async () => {
    const model = await bigModel(300_000);
    const served = await serve(model, {
      cutAfter: (path, nth) => (path === 'model.onnx' && nth < 3 ? 100_000 : undefined),
    });
    const loaded = await load(served);
    expectSame(loaded.file('weights'), model);
    expect(served.asked.filter((line) => line.startsWith('model.onnx'))).toEqual([
      'model.onnx',
      'model.onnx bytes=100000-',
      'model.onnx bytes=200000-',
    ]);
  });

  test('starts over where the server knows no Range', async () => {
    const model = await bigModel(300_000);
    const served = await serve(model, {
      ranges: false,
      cutAfter: (path, nth) => (path === 'model.onnx' && nth === 1 ? 100_000 : undefined),
    });
    expectSame((await load(served)).file('weights'), model);
  });

  test('gives up with model-load-failed and resumes from its checkpoint at the next start', async () => {
    const model = await bigModel(9_000_000);
    const store = createMemoryStore();
    const first = await serve(model, {
      cutAfter: (path, nth) => (path === 'model.onnx' ? (nth === 1 ? 6_000_000 : 0) : undefined),
    });
    await expect(load(first, { store })).rejects.toMatchObject({ code: 'model-load-failed' });
    expect((await store.keys()).filter((key) => key.includes('.part'))).toHaveLength(1);
    const second = await serve(model);
    expectSame((await load(second, { store })).file('weights'), model);
    expect(second.asked).toContain(`model.onnx bytes=${4 * 2 ** 20}-`);
    expect((await store.keys()).filter((key) => key.includes('.part'))).toEqual([]);
  });

  test('a checkpoint of other bytes is thrown away and the file comes whole', async () => {
    const model = await bigModel(9_000_000);
    const store = createMemoryStore();
    const key = model.manifest.files.find((file) => file.role === 'weights')!.sha256;
    await store.put(`${key}.part0`, new Uint8Array(4 * 2 ** 20));
    expectSame((await load(await serve(model), { store })).file('weights'), model);
  });

  test('an abort leaves nothing, checkpoints included', async () => {
    const model = await bigModel(9_000_000);
    const store = createMemoryStore();
    const abort = new AbortController();
    const served = await serve(model, {
      cutAfter: (path) => (path === 'model.onnx' ? 8_900_000 : undefined),
    });
    const loading = load(served, {
      store,
      roles: ['weights'],
      signal: abort.signal,
      onProgress: (event) => {
        if (event.type === 'download' && event.loadedBytes > 5_000_000) abort.abort();
      },
    });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
    expect(await store.keys()).toEqual([]);
  });
});
