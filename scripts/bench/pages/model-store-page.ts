// What `bench -- model-store` runs inside the page: the same bytes written and read in three places.
import { createIndexedDbStore } from '../../../runtime/model-files/indexeddb.ts';

export interface StorePage {
  /** Milliseconds to write `bytes` bytes. */
  write(place: Place, bytes: number): Promise<number>;
  /** Milliseconds to read them back. @throws when fewer came */
  read(place: Place, bytes: number): Promise<number>;
}

type Place = 'indexeddb' | 'cache-api' | 'opfs';

interface Store {
  put(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  get(): Promise<ArrayBuffer | undefined>;
}

const KEY = 'bench-model';
const indexedDb = createIndexedDbStore({ name: 'nearfield-bench' });

const STORES: Readonly<Record<Place, Store>> = {
  indexeddb: {
    put: (bytes) => indexedDb.put(KEY, bytes),
    get: async () => (await indexedDb.get(KEY))?.buffer,
  },
  'cache-api': {
    put: async (bytes) => (await caches.open(KEY)).put('/model', new Response(bytes)),
    get: async () => (await (await caches.open(KEY)).match('/model'))?.arrayBuffer(),
  },
  opfs: {
    async put(bytes) {
      const folder = await navigator.storage.getDirectory();
      const file = await (await folder.getFileHandle(KEY, { create: true })).createWritable();
      await file.write(bytes);
      await file.close();
    },
    async get() {
      const folder = await navigator.storage.getDirectory();
      return await (await (await folder.getFileHandle(KEY)).getFile()).arrayBuffer();
    },
  },
};

const page: StorePage = {
  async write(place, bytes) {
    const content = new Uint8Array(bytes);
    // Bytes that do not compress: IndexedDB would store zeros for nothing.
    for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(content.subarray(at, at + 65536));
    const begun = performance.now();
    await STORES[place].put(content);
    return performance.now() - begun;
  },
  async read(place, bytes) {
    const begun = performance.now();
    const buffer = await STORES[place].get();
    const ms = performance.now() - begun;
    if (buffer?.byteLength !== bytes) throw new RangeError(`${place} gave ${buffer?.byteLength} bytes.`);
    return ms;
  },
};
globalThis.nearfieldStores = page;
