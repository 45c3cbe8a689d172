// Owns the keys of an encrypted cache in the browser: AES-256-GCM keys that no script can read out, kept in an
// IndexedDB database of their own. Whoever copies the cache's files has no key; whoever runs in the page can use it.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { CacheKeys } from './encrypted-store.ts';
import { guardStore } from './store-errors.ts';

interface KeyRecord {
  readonly epoch: number;
  readonly key: CryptoKey;
}

interface Schema extends DBSchema {
  keys: { key: string; value: readonly KeyRecord[] };
}

const DATABASE = 'nearfield-cache-keys';

/** The keys of the cache of this name, the newest last; made at the first opening. @throws storage-failed */
export async function openBrowserCacheKeys(name = 'default'): Promise<CacheKeys> {
  const database = await guardStore('open the keys', () =>
    openDB<Schema>(DATABASE, 1, { upgrade: (fresh) => void fresh.createObjectStore('keys') }),
  );
  let records = await change(database, name, (kept, made) => (kept.length > 0 ? kept : [made]));

  return {
    current: () => records.at(-1)!,
    async find(epoch) {
      const find = (): CryptoKey | undefined => records.find((record) => record.epoch === epoch)?.key;
      if (find() === undefined) {
        records = await guardStore(
          'read the keys',
          async () => (await database.get('keys', name)) ?? records,
        );
      }
      return find();
    },
    async rotate() {
      records = await change(database, name, (kept, made) => [...kept, made]);
    },
    async retire() {
      records = await change(database, name, (kept) => kept.slice(-1));
    },
    async shred() {
      records = await change(database, name, (_kept, made) => [made]);
    },
  };
}

/** One transaction, so that two tabs agree. The key is made before it: a transaction waits for no WebCrypto. */
async function change(
  database: IDBPDatabase<Schema>,
  name: string,
  next: (kept: readonly KeyRecord[], made: KeyRecord) => readonly KeyRecord[],
): Promise<readonly KeyRecord[]> {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
  // Epochs tell keys apart, no more; chance makes two tabs' differ.
  const epoch = crypto.getRandomValues(new Uint32Array(1))[0]!;
  return await guardStore('keep the keys', async () => {
    const transaction = database.transaction('keys', 'readwrite', { durability: 'strict' });
    const kept = (await transaction.store.get(name)) ?? [];
    const records = next(kept, { epoch, key });
    await transaction.store.put(records, name);
    await transaction.done;
    return records;
  });
}
