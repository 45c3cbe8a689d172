// What the Chromium tests run inside the page: a module of the page's own, as a test's functions cannot
// import there. Put on `globalThis.cachePage`.
import { openDB } from 'idb';
import type { CacheLookup } from '../types.ts';
import { openBrowserCacheKeys, openBrowserCacheStore } from './browser.ts';
import { type ControllableCache, createSemanticCache } from './index.ts';
import { openIndexedDbCacheStore } from './indexeddb.ts';
import { openLibsqlWasmCacheStore } from './libsql-wasm.ts';
import { allHeads, STORE_CHECKS, sampleEntry } from './store.contract.ts';
import type { CacheStore } from './store.ts';
import { answerOf, ask, embedWords } from './testing.fixture.ts';

let cache: ControllableCache | undefined;
let confirmed = -1;

function openStore(kind: string, name: string): Promise<CacheStore> {
  return kind === 'libsql-opfs' ? openLibsqlWasmCacheStore({ name }) : openIndexedDbCacheStore({ name });
}

export const cachePage = {
  /** Runs one check of the battery at a fresh place; gives the failure, or undefined. */
  async check(kind: string, name: string): Promise<string | undefined> {
    const place = crypto.randomUUID();
    const open = () => openStore(kind, place);
    try {
      await STORE_CHECKS.find((check) => check.name === name)?.run(open);
      return undefined;
    } catch (error) {
      return error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : 'unknown';
    }
  },

  /** Opens a cache; gives its store's kind and what was told on the way down. */
  async open(name: string, workerUrl?: string): Promise<readonly string[]> {
    const told: string[] = [];
    const store = await openBrowserCacheStore({
      name,
      ...(workerUrl !== undefined && { workerUrl }),
      onFallback: (kind, error) => told.push(`${kind}: ${error instanceof Error ? error.message : ''}`),
    });
    cache = createSemanticCache({ store, embed: embedWords, threshold: 0.8 });
    return [store.kind, ...told];
  },

  /** Writes entries for ever, one after another; what is confirmed so far is told by `confirmed`. */
  async startWriting(kind: string, place: string): Promise<void> {
    const store = await openStore(kind, place);
    void (async () => {
      for (let at = 0; ; at += 1) {
        const answer = JSON.stringify({ text: `${at} `.repeat(2_000) });
        const remove = at % 10 === 9 ? [sampleEntry(at - 5).id] : [];
        await store.apply({ put: [sampleEntry(at, { answer })], remove, meta: { last: String(at) } });
        confirmed = at;
      }
    })();
  },

  confirmed: (): number => confirmed,

  /** The ids kept, and the number of the last entry the store knows of. */
  async kept(
    kind: string,
    place: string,
  ): Promise<{ readonly ids: readonly string[]; readonly last: number }> {
    const store = await openStore(kind, place);
    const ids = (await allHeads(store)).map((head) => head.id);
    const last = Number((await store.meta('last')).get('last'));
    await store.close();
    return { ids, last };
  },

  /** A cache whose store is encrypted or not, in libSQL on OPFS or in IndexedDB. */
  async openEncrypted(name: string, kind: string, encrypt: boolean): Promise<string> {
    const workerUrl = kind === 'indexeddb' ? '/no-such-worker.js' : undefined;
    const store = await openBrowserCacheStore({
      name,
      encrypt,
      ...(workerUrl !== undefined && { workerUrl }),
    });
    cache = createSemanticCache({ store, embed: embedWords, threshold: 0.8 });
    return store.kind;
  },

  async close(): Promise<void> {
    await cache?.close();
  },

  async forgetKeys(name: string): Promise<void> {
    await (await openBrowserCacheKeys(name)).shred();
  },

  /** Every byte this origin keeps in IndexedDB and OPFS, one character a byte. Keys cannot be read, so they are not. */
  async rawBytes(): Promise<string> {
    const rows: string[] = [];
    for (const { name } of await indexedDB.databases()) {
      if (name !== undefined && name !== 'nearfield-cache-keys') rows.push(...(await databaseRows(name)));
    }
    for await (const file of filesOf(await navigator.storage.getDirectory())) {
      rows.push(bytesAsText(new Uint8Array(await file.arrayBuffer())));
    }
    return rows.join('\n');
  },

  /** Tries to read the key out, as a script of the page could. */
  async exportKey(name: string): Promise<string> {
    const { key } = (await openBrowserCacheKeys(name)).current();
    return await crypto.subtle.exportKey('raw', key).then(
      () => 'exported',
      (error: unknown) => (error instanceof DOMException ? error.name : 'unknown'),
    );
  },

  async write(question: string, answer: string): Promise<void> {
    await cache?.write(ask(question), answerOf(answer));
  },

  async lookup(question: string): Promise<CacheLookup | undefined> {
    return await cache?.lookup(ask(question));
  },

  async questions(): Promise<readonly string[]> {
    return ((await cache?.exportScope('alice')) ?? []).map((entry) => entry.text).sort();
  },

  storeFailures: (): number | undefined => cache?.details().storeFailures,
};

async function databaseRows(name: string): Promise<string[]> {
  const database = await openDB(name);
  const rows: string[] = [];
  for (const store of database.objectStoreNames) {
    const [keys, values] = await Promise.all([database.getAllKeys(store), database.getAll(store)]);
    rows.push(JSON.stringify([keys, values], bytesToText));
  }
  database.close();
  return rows;
}

function bytesToText(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value)
    ? bytesAsText(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    : value;
}

function bytesAsText(bytes: Uint8Array): string {
  let text = '';
  for (let from = 0; from < bytes.length; from += 8_192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8_192));
  }
  return text;
}

async function* filesOf(directory: FileSystemDirectoryHandle): AsyncGenerator<File> {
  for await (const handle of directory.values()) {
    if (handle instanceof FileSystemFileHandle) yield await handle.getFile();
    else if (handle instanceof FileSystemDirectoryHandle) yield* filesOf(handle);
  }
}

Object.assign(globalThis, { cachePage });
