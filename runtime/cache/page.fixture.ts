// What the Chromium tests run inside the page: a module of the page's own, as a test's functions cannot
// import there. Put on `globalThis.cachePage`.
import type { CacheLookup } from '../types.ts';
import { openBrowserCacheStore } from './browser.ts';
import { type ControllableCache, createSemanticCache } from './index.ts';
import { openIndexedDbCacheStore } from './indexeddb.ts';
import { openLibsqlWasmCacheStore } from './libsql-wasm.ts';
import { STORE_CHECKS } from './store.contract.ts';
import { answerOf, ask, embedWords } from './testing.fixture.ts';

let cache: ControllableCache | undefined;

export const cachePage = {
  /** Runs one check of the battery at a fresh place; gives the failure, or undefined. */
  async check(kind: string, name: string): Promise<string | undefined> {
    const place = crypto.randomUUID();
    const open = () =>
      kind === 'libsql-opfs'
        ? openLibsqlWasmCacheStore({ name: place })
        : openIndexedDbCacheStore({ name: place });
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

Object.assign(globalThis, { cachePage });
