// Owns which store a browser gets: libSQL on OPFS, else IndexedDB, else memory. The page sees which, by
// `kind`, and is told why. Encrypted where it is asked for; then what cannot be encrypted is not kept.
import { openBrowserCacheKeys } from './browser-keys.ts';
import { encryptStore } from './encrypted-store.ts';
import { type IndexedDbCacheStoreOptions, openIndexedDbCacheStore } from './indexeddb.ts';
import { type LibsqlWasmCacheStoreOptions, openLibsqlWasmCacheStore } from './libsql-wasm.ts';
import { createMemoryCacheStore } from './memory.ts';
import type { CacheStore } from './store.ts';

export interface BrowserCacheStoreOptions extends LibsqlWasmCacheStoreOptions {
  /** Keep questions, answers and vectors encrypted, under a key that no script can read out. Default false. */
  readonly encrypt?: boolean;
  /** Told of every store that could not be opened. */
  readonly onFallback?: (kind: 'libsql-opfs' | 'indexeddb' | 'keys', error: unknown) => void;
}

/** The best durable store this browser can hold. Never throws: the last resort is memory. */
export async function openBrowserCacheStore(options: BrowserCacheStoreOptions = {}): Promise<CacheStore> {
  if (options.encrypt !== true) return await openPlain(options);
  try {
    const keys = await openBrowserCacheKeys(options.name);
    const name = `${options.name ?? 'default'}-encrypted`;
    const store = await openPlain({ ...options, name });
    return store.kind === 'memory' ? store : encryptStore(store, keys);
  } catch (error) {
    options.onFallback?.('keys', error);
    return createMemoryCacheStore();
  }
}

async function openPlain(options: BrowserCacheStoreOptions): Promise<CacheStore> {
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

export { openBrowserCacheKeys } from './browser-keys.ts';
export { type CacheKeys, type EncryptedCacheStore, encryptStore } from './encrypted-store.ts';
