import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadModel } from '../models.ts';
import { fetchHubFile, listHubModel } from './hub.ts';
import { createMemoryStore } from './memory.ts';

const COMMIT = 'c0ffee'.padEnd(40, '0');
const WEIGHTS = Uint8Array.from({ length: 9 * 2 ** 20 }, (_, at) => (at * 31) & 255);
const CONFIG = new TextEncoder().encode('{"model_type":"llama"}');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const blobId = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');

interface Hub {
  readonly host: string;
  readonly asked: string[];
  readonly server: Server;
}

/** A hub's paths on loopback: the listing, small files in place, large ones behind a redirect. */
async function startHub(faults: { cutAt?: number; corrupt?: boolean } = {}): Promise<Hub> {
  const asked: string[] = [];
  let cuts = faults.cutAt === undefined ? 0 : 1;
  const files: Record<string, Uint8Array> = {
    'config.json': CONFIG,
    'onnx/model weights.bin': faults.corrupt ? WEIGHTS.slice().fill(1, 0, 5) : WEIGHTS,
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://hub');
    const path = decodeURIComponent(url.pathname);
    asked.push([path, request.headers.range].filter(Boolean).join(' '));
    if (path === '/api/models/owner/name/revision/v1.0') {
      const siblings = [
        { rfilename: 'config.json', size: CONFIG.byteLength, blobId: blobId(CONFIG) },
        {
          rfilename: 'onnx/model weights.bin',
          size: WEIGHTS.byteLength,
          blobId: 'a'.repeat(40),
          lfs: { sha256: sha256(WEIGHTS), size: WEIGHTS.byteLength, pointerSize: 130 },
        },
        { rfilename: '../escape', size: 1, blobId: 'b'.repeat(40) },
      ];
      return void response.end(JSON.stringify({ sha: COMMIT, siblings, private: false }));
    }
    const resolved = path.replace(`/owner/name/resolve/${COMMIT}/`, '');
    if (resolved === 'onnx/model weights.bin')
      return void response.writeHead(302, { location: '/lfs/blob' }).end();
    const bytes = path === '/lfs/blob' ? files['onnx/model weights.bin'] : files[resolved];
    if (bytes === undefined) return void response.writeHead(404).end();
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(
      from > 0 ? 206 : 200,
      from > 0 ? { 'content-range': `bytes ${from}-${bytes.byteLength - 1}/${bytes.byteLength}` } : {},
    );
    if (cuts > 0 && path === '/lfs/blob') {
      cuts -= 1;
      response.write(bytes.subarray(from, faults.cutAt), () => response.destroy());
    } else response.end(bytes.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
}

let hub: Hub;
beforeEach(async () => {
  hub = await startHub();
});
afterEach(() => hub.server.close());

const restart = async (faults: Parameters<typeof startHub>[0]) => {
  hub.server.close();
  hub = await startHub(faults);
};
const list = () => listHubModel({ host: hub.host, id: 'owner/name', revision: 'v1.0', fetch });
const sleep = async () => {};

describe('a model hub', () => {
  it('is asked for a revision once, then for files of its commit alone', async () => {
    const listing = await list();
    expect(listing.commit).toBe(COMMIT);
    expect(listing.files.map(({ path }) => path)).toEqual(['config.json', 'onnx/model weights.bin']);
    const [config, weights] = listing.files;
    expect(await fetchHubFile({ listing, file: config!, fetch })).toEqual({
      bytes: CONFIG,
      sha256: sha256(CONFIG),
    });
    const loaded = await fetchHubFile({ listing, file: weights!, fetch });
    expect(sha256(loaded.bytes)).toBe(sha256(WEIGHTS));
    expect(hub.asked.slice(1)).toEqual([
      `/owner/name/resolve/${COMMIT}/config.json`,
      `/owner/name/resolve/${COMMIT}/onnx/model weights.bin`,
      '/lfs/blob',
    ]);
  });

  it('goes on after a cut, behind the redirect too', async () => {
    await restart({ cutAt: 5 * 2 ** 20 });
    const listing = await list();
    const seen: number[] = [];
    const { bytes } = await fetchHubFile({
      listing,
      file: listing.files[1]!,
      fetch,
      sleep,
      onProgress: ({ loadedBytes }) => seen.push(loadedBytes),
    });
    expect(sha256(bytes)).toBe(sha256(WEIGHTS));
    expect(hub.asked.some((line) => /\/lfs\/blob bytes=\d+-/.test(line))).toBe(true);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('refuses bytes that are not the commit’s, and keeps none of them', async () => {
    await restart({ corrupt: true });
    const listing = await list();
    const store = createMemoryStore();
    const fetching = fetchHubFile({ listing, file: listing.files[1]!, fetch, store });
    await expect(fetching).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(await store.keys()).toEqual([]);
    const small = { ...listing.files[0]!, blobId: '0'.repeat(40) };
    await expect(fetchHubFile({ listing, file: small, fetch })).rejects.toMatchObject({
      code: 'integrity-mismatch',
    });
  });

  it('ends at an abort with nothing left behind', async () => {
    const listing = await list();
    const store = createMemoryStore();
    const stop = new AbortController();
    const fetching = fetchHubFile({
      listing,
      file: listing.files[1]!,
      fetch,
      store,
      signal: stop.signal,
      onProgress: ({ loadedBytes }) => loadedBytes > 2 ** 20 && stop.abort(),
    });
    await expect(fetching).rejects.toMatchObject({ name: 'AbortError' });
    expect(await store.keys()).toEqual([]);
  });

  it('says what is wrong with a name, a revision or an answer', async () => {
    const listing = (id: string, revision?: string) => listHubModel({ host: hub.host, id, revision, fetch });
    await expect(listing('../etc')).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(listing('owner/none')).rejects.toMatchObject({ code: 'model-not-found' });
    const odd = () => Promise.resolve(Response.json({ sha: 'not a commit' }));
    await expect(listHubModel({ host: hub.host, id: 'a/b', fetch: odd })).rejects.toMatchObject({
      code: 'model-load-failed',
    });
  });

  it('is a place like any other to loadModel, where it holds a manifest', async () => {
    const listing = await list();
    const files = [
      { path: 'config.json', role: 'weights' as const, bytes: CONFIG.byteLength, sha256: sha256(CONFIG) },
    ];
    const store = createMemoryStore();
    const model = await loadModel({
      manifest: {
        schema: 1,
        id: 'm',
        task: 'generate',
        architecture: 'llama',
        dims: 1,
        hidden: 1,
        layers: 1,
        heads: 1,
        intermediate: 1,
        vocab: 1,
        maxTokens: 1,
        layerNormEps: 1,
        pooling: 'none',
        files,
      },
      baseUrl: listing.url(''),
      fetch,
      store,
    });
    expect(model.file('weights')).toEqual(CONFIG);
    expect(await store.keys()).toEqual([sha256(CONFIG)]);
  });
});
