// Owns which store a browser gets: libSQL on OPFS, else IndexedDB, else memory. The page sees which, by
// `kind`, and is told why.
import { type IndexedDbCacheStoreOptions, openIndexedDbCacheStore } from './indexeddb.ts';
import { type LibsqlWasmCacheStoreOptions, openLibsqlWasmCacheStore } from './libsql-wasm.ts';
import { createMemoryCacheStore } from './memory.ts';
import type { CacheStore } from './store.ts';

export interface BrowserCacheStoreOptions extends LibsqlWasmCacheStoreOptions {
  /** Told of every store that could not be opened. */
  readonly onFallback?: (kind: 'libsql-opfs' | 'indexeddb', error: unknown) => void;
}

/** The best durable store this browser can hold. Never throws: the last resort is memory. */
export async function openBrowserCacheStore(options: BrowserCacheStoreOptions = {}): Promise<CacheStore> {
  try {
    return await openLibsqlWasmCacheStore(options);
  } catch (error) {
    options.onFallback?.('libsql-opfs', error);
  }
  try {
    const inIndexedDb: IndexedDbCacheStoreOptions =
      options.name === undefined ? {} : { name: `nearfield-cache-${options.name}` };
    return await openIndexedDbCacheStore(inIndexedDb);
  } catch (error) {
    options.onFallback?.('indexeddb', error);
    return createMemoryCacheStore();
  }
}
