import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { LoadEvent, ModelFile } from '../models.ts';
import type { GuardedFetch } from '../types.ts';
import { createMemoryStore } from './memory.ts';
import { PIECE_BYTES } from './read-through.ts';
import { createFileSource, verifiedFile } from './source.ts';
import type { ModelStore } from './store.ts';

const BYTES = Uint8Array.from({ length: 9 * 2 ** 20 + 5 }, (_, at) => (at * 31 + (at >> 9)) & 255);
const FILE: ModelFile = {
  path: 'w.bin',
  role: 'weights',
  bytes: BYTES.byteLength,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
};
const CHUNK = 100_000;

/** Serves ranges; `cutAt` ends the first body there with an error. */
function network(bytes: Uint8Array = BYTES, cutAt?: number) {
  const asked: (string | undefined)[] = [];
  let cut = cutAt;
  const fetch: GuardedFetch = async (_, init) => {
    const range = new Headers(init?.headers).get('range') ?? undefined;
    asked.push(range);
    let at = Number(/\d+/.exec(range ?? '0')?.[0]);
    const headers = { 'content-range': `bytes ${at}-${bytes.length - 1}/${bytes.length}` };
    const stop = cut;
    cut = undefined;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (stop !== undefined && at >= stop) return controller.error(new Error('cut'));
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + CHUNK));
        at += CHUNK;
      },
    });
    return new Response(body, { status: at > 0 ? 206 : 200, headers });
  };
  return { fetch, asked };
}

function open(fetch: GuardedFetch, store?: ModelStore, signal?: AbortSignal) {
  const events: LoadEvent[] = [];
  const source = createFileSource({
    file: FILE,
    url: new URL('http://models.test/w.bin'),
    fetch,
    store,
    signal,
    sleep: async () => undefined,
    onProgress: (event) => events.push(event),
  });
  return { source, events, file: verifiedFile(source, FILE) };
}

/** Its hash and its longest part. */
async function drain(parts: AsyncIterable<Uint8Array>): Promise<{ hash: string; longest: number }> {
  const hash = createHash('sha256');
  let longest = 0;
  for await (const part of parts) {
    hash.update(part);
    longest = Math.max(longest, part.byteLength);
  }
  return { hash: hash.digest('hex'), longest };
}

/** Counts the longest string of bytes that goes in or out. */
function watched(store: ModelStore) {
  const seen = { longest: 0 };
  const note = (bytes: Uint8Array<ArrayBuffer> | undefined) => {
    seen.longest = Math.max(seen.longest, bytes?.byteLength ?? 0);
    return bytes;
  };
  const watching: ModelStore = {
    ...store,
    get: async (key) => note(await store.get(key)),
    put: async (key, bytes) => store.put(key, note(bytes)!),
  };
  return { store: watching, seen };
}

const last = (events: readonly LoadEvent[], type: LoadEvent['type']) =>
  events.filter((event) => event.type === type).at(-1);

describe('a file from the network', () => {
  test('is kept on its way, never whole, and read from the store piece by piece the next time', async () => {
    const { store, seen } = watched(createMemoryStore());
    const { fetch, asked } = network();
    const first = open(fetch, store);
    expect((await drain(first.file.parts())).hash).toBe(FILE.sha256);
    expect(await first.file.verdict()).toBe('right');
    expect(first.source.fetchedBytes()).toBe(FILE.bytes);
    expect(last(first.events, 'download')).toMatchObject({ loadedBytes: FILE.bytes, totalBytes: FILE.bytes });
    expect(await store.keys()).toEqual([FILE.sha256]);
    const second = open(fetch, store);
    const { hash, longest } = await drain(second.file.parts());
    expect(hash).toBe(FILE.sha256);
    expect(longest).toBeLessThanOrEqual(PIECE_BYTES);
    expect(second.events).toEqual([{ type: 'kept-copy', path: 'w.bin', bytes: FILE.bytes }]);
    expect(asked).toEqual([undefined]);
    expect(seen.longest).toBe(4 * 2 ** 20);
  });

  test('goes on after a cut and, where it was left, at the next start', async () => {
    const store = createMemoryStore();
    const { fetch, asked } = network(BYTES, 5_000_000);
    const left = open(fetch, store);
    for await (const _ of left.source.parts())
      if (left.source.fetchedBytes() === 0 && asked.length > 1) break;
    expect(asked).toEqual([undefined, 'bytes=5000000-']);
    const next = open(fetch, store);
    expect((await drain(next.file.parts())).hash).toBe(FILE.sha256);
    expect(asked.at(-1)).toBe(`bytes=${4 * 2 ** 20}-`);
    expect(last(next.events, 'download')).toMatchObject({ resumedBytes: 4 * 2 ** 20 });
    expect(await store.keys()).toEqual([FILE.sha256]);
  });

  test('that is wrong is refused at its end and leaves nothing', async () => {
    const store = createMemoryStore();
    const { file } = open(network(BYTES.slice().fill(1, 7_000_000, 7_000_009)).fetch, store);
    await expect(drain(file.parts())).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(await file.verdict()).toBe('wrong');
    expect(await store.keys()).toEqual([]);
  });

  test('with another one’s checkpoint is worth reading again', async () => {
    const store = createMemoryStore();
    await store.put(`${FILE.sha256}.part0`, new Uint8Array(4 * 2 ** 20));
    const { file } = open(network().fetch, store);
    await expect(drain(file.parts())).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(await file.verdict()).toBe('again');
    expect((await drain(file.parts())).hash).toBe(FILE.sha256);
    expect(await file.verdict()).toBe('right');
  });

  test('comes whole where the store has no room for it', async () => {
    const { file, events } = open(network().fetch, createMemoryStore({ quotaBytes: 5 * 2 ** 20 }));
    expect((await drain(file.parts())).hash).toBe(FILE.sha256);
    expect(last(events, 'not-kept')).toMatchObject({ code: 'quota-exceeded' });
  });

  test('is kept by a store that knows neither pieces nor parts', async () => {
    const { read: _read, join: _join, ...plain } = createMemoryStore();
    const { fetch, asked } = network();
    await drain(open(fetch, plain).file.parts());
    expect(await plain.keys()).toEqual([FILE.sha256]);
    expect((await drain(open(fetch, plain).file.parts())).hash).toBe(FILE.sha256);
    expect(asked).toHaveLength(1);
  });

  test('ends at an abort and leaves nothing', async () => {
    const store = createMemoryStore();
    const stop = new AbortController();
    const { source, events } = open(network().fetch, store, stop.signal);
    const reading = async () => {
      for await (const _ of source.parts()) if (events.length > 50) stop.abort();
    };
    await expect(reading()).rejects.toMatchObject({ name: 'AbortError' });
    expect(await store.keys()).toEqual([]);
  });
});

describe('a kept copy', () => {
  test('that was damaged is dropped at its end and worth reading again, also where its reader gave up early', async () => {
    const store = createMemoryStore();
    const damaged = BYTES.slice().fill(9, 0, 3);
    await store.put(FILE.sha256, damaged);
    const { file, events } = open(network().fetch, store);
    for await (const _ of file.parts()) break;
    expect(await file.verdict()).toBe('again');
    expect(events).toEqual([{ type: 'kept-copy-dropped', path: 'w.bin' }]);
    expect((await drain(file.parts())).hash).toBe(FILE.sha256);
  });

  test('that the browser threw away under its reader counts as damaged', async () => {
    const store = createMemoryStore();
    async function* gone(): AsyncGenerator<Uint8Array, void, void> {
      yield BYTES.slice(0, 100);
      throw new Error('gone');
    }
    const { file } = open(network().fetch, { ...store, read: async () => gone() });
    await expect(drain(file.parts())).rejects.toMatchObject({ code: 'integrity-mismatch' });
    expect(await file.verdict()).toBe('again');
  });
});
