// Owns the cache's rows in IndexedDB: heads and answers in two object stores, so that rebuilding the
// index reads no answers.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { CacheStore, EntryHead, StoreChange, StoredEntry } from './store.ts';
import { guardStore } from './store-errors.ts';

interface Schema extends DBSchema {
  heads: { key: string; value: EntryHead };
  answers: { key: string; value: string };
  meta: { key: string; value: string };
}

export interface IndexedDbCacheStoreOptions {
  /** Database name. Default `nearfield-cache`. */
  readonly name?: string;
}

const PAGE_ROWS = 2_000;
const STORES = ['heads', 'answers', 'meta'] as const;

/** A cache store in IndexedDB. @throws storage-failed when it cannot be opened */
export async function openIndexedDbCacheStore(options: IndexedDbCacheStoreOptions = {}): Promise<CacheStore> {
  const database = await guardStore('open', () => open(options.name ?? 'nearfield-cache'));
  return {
    kind: 'indexeddb',
    heads: (after) =>
      guardStore('read entries', () =>
        database.getAll('heads', IDBKeyRange.lowerBound(after, true), PAGE_ROWS),
      ),
    answer: (id) => guardStore('read an answer', () => database.get('answers', id)),
    apply: (change) => guardStore('write', () => applyChange(database, change)),
    meta: (prefix) => guardStore('read meta', () => readMeta(database, prefix)),
    claim: (key, value) => guardStore('claim a key', () => claimKey(database, key, value)),
    async close() {
      database.close();
    },
  };
}

async function open(name: string): Promise<IDBPDatabase<Schema>> {
  const database: IDBPDatabase<Schema> = await openDB<Schema>(name, 1, {
    upgrade(fresh) {
      for (const store of STORES) fresh.createObjectStore(store);
    },
    // Another tab wants a newer version: give way, or it waits forever.
    blocking: () => database.close(),
  });
  return database;
}

async function readMeta(
  database: IDBPDatabase<Schema>,
  prefix: string,
): Promise<ReadonlyMap<string, string>> {
  const transaction = database.transaction('meta');
  const [keys, values] = await Promise.all([transaction.store.getAllKeys(), transaction.store.getAll()]);
  const rows = keys.map((key, at) => [key, values[at] ?? ''] as const);
  return new Map(rows.filter(([key]) => key.startsWith(prefix)));
}

async function claimKey(database: IDBPDatabase<Schema>, key: string, value: string): Promise<string> {
  const transaction = database.transaction('meta', 'readwrite', { durability: 'strict' });
  const kept = await transaction.store.get(key);
  if (kept === undefined) await transaction.store.put(value, key);
  await transaction.done;
  return kept ?? value;
}

/** One transaction; `done` is awaited with the requests, so a quota failure rejects once and aborts all. */
async function applyChange(database: IDBPDatabase<Schema>, change: StoreChange): Promise<void> {
  const transaction = database.transaction(STORES, 'readwrite', { durability: 'strict' });
  const heads = transaction.objectStore('heads');
  const answers = transaction.objectStore('answers');
  const meta = transaction.objectStore('meta');
  const work: Promise<unknown>[] = [transaction.done];
  for (const id of change.remove ?? []) work.push(heads.delete(id), answers.delete(id));
  for (const entry of change.put ?? []) work.push(...putEntry(entry));
  for (const touch of change.touch ?? []) work.push(touchHead(touch));
  for (const [key, value] of Object.entries(change.meta ?? {})) {
    work.push(value === null ? meta.delete(key) : meta.put(value, key));
  }
  await Promise.all(work);

  function putEntry({ answer, ...head }: StoredEntry): Promise<unknown>[] {
    return [heads.put(head, head.id), answers.put(answer, head.id)];
  }

  async function touchHead(touch: NonNullable<StoreChange['touch']>[number]): Promise<void> {
    const head = await heads.get(touch.id);
    if (head !== undefined) await heads.put({ ...head, ...touch }, touch.id);
  }
}
