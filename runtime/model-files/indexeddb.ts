// Owns keeping model files in the browser's IndexedDB: one transaction a file, so a closed tab leaves the
// whole file or none. A file joined of parts stays in parts, for the browser would copy it. Works on the page and in workers.
import { type DBSchema, type IDBPDatabase, type IDBPObjectStore, openDB } from 'idb';
import { NearfieldError } from '../errors.ts';
import { readThrough } from './read-through.ts';
import type { ModelStore } from './store.ts';

interface Schema extends DBSchema {
  files: { key: string; value: Kept };
}

/** A file, or the keys of its parts in order. */
type Kept = Blob | { readonly parts: readonly string[] };
type Files<Mode extends IDBTransactionMode = 'readonly'> = IDBPObjectStore<Schema, ['files'], 'files', Mode>;

export interface IndexedDbStoreOptions {
  /** Database name. Default `nearfield-models`. */
  readonly name?: string;
}

export function createIndexedDbStore(options: IndexedDbStoreOptions = {}): ModelStore {
  const name = options.name ?? 'nearfield-models';
  let opening: Promise<IDBPDatabase<Schema>> | undefined;
  const database = () => {
    opening ??= open(name, () => {
      opening = undefined;
    });
    return opening;
  };
  const guarded = async <T>(work: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> => {
    try {
      return await work(await database());
    } catch (error) {
      throw failed(error);
    }
  };
  return {
    id: 'indexeddb',
    get: (key) =>
      guarded(async (db) => {
        const blob = await find(db.transaction('files').store, key);
        return blob && new Uint8Array(await blob.arrayBuffer());
      }),
    read: (key) =>
      guarded(async (db) => {
        const blob = await find(db.transaction('files').store, key);
        return blob && readThrough(blob.stream());
      }),
    put: (key, bytes) => guarded((db) => replace(db, key, async () => new Blob([bytes]))),
    join: (key, parts) =>
      guarded((db) =>
        replace(db, key, async (files) => {
          const found = await Promise.all(parts.map((part) => files.getKey(part)));
          if (found.includes(undefined)) throw new Error('A part of the file is not there.');
          return { parts };
        }),
      ),
    delete: (key) => guarded((db) => replace(db, key, async () => undefined)),
    keys: () => guarded((db) => visibleKeys(db.transaction('files').store)),
  };
}

/** By reference: nothing is read yet. */
async function find(files: Files, key: string): Promise<Blob | undefined> {
  const kept = await files.get(key);
  if (kept === undefined || kept instanceof Blob) return kept;
  const parts = await Promise.all(kept.parts.map((part) => files.get(part)));
  const blobs = parts.filter((part) => part instanceof Blob);
  return blobs.length === parts.length ? new Blob(blobs) : undefined;
}

/** What a key held goes, its parts too, and the new comes, in one transaction. */
async function replace(
  db: IDBPDatabase<Schema>,
  key: string,
  make: (files: Files<'readwrite'>) => Promise<Kept | undefined>,
): Promise<void> {
  const transaction = db.transaction('files', 'readwrite');
  const { store: files } = transaction;
  const change = async () => {
    const before = await files.get(key);
    const kept = await make(files);
    // Two tabs may have brought the same parts.
    const gone = partsOf(before).filter((part) => !partsOf(kept).includes(part));
    await Promise.all([key, ...gone].map((each) => files.delete(each)));
    if (kept !== undefined) await files.put(kept, key);
  };
  const changing = change().catch((error) => {
    abort(transaction);
    throw error;
  });
  await Promise.all([changing, transaction.done]);
}

function partsOf(kept: Kept | undefined): readonly string[] {
  return kept === undefined || kept instanceof Blob ? [] : kept.parts;
}

/** It may have ended by itself already, over its quota. */
function abort(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {}
}

/** All but the parts that joined files are made of. */
async function visibleKeys(files: Files): Promise<readonly string[]> {
  const keys = await files.getAllKeys();
  const wholes = new Set(keys.flatMap((key) => /^(.*)\.part\d+$/.exec(key)?.[1] ?? []));
  const hidden = new Set<string>();
  for (const key of keys.filter((each) => wholes.has(each))) {
    for (const part of partsOf(await files.get(key))) hidden.add(part);
  }
  return keys.filter((key) => !hidden.has(key));
}

/** A database that was closed under us (storage cleared, another version) is opened anew at the next use. */
async function open(name: string, onClosed: () => void): Promise<IDBPDatabase<Schema>> {
  try {
    return await openDB<Schema>(name, 1, {
      upgrade: (db) => {
        db.createObjectStore('files');
      },
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase).close();
        onClosed();
      },
      terminated: onClosed,
    });
  } catch (error) {
    onClosed();
    throw error;
  }
}

function failed(cause: unknown): NearfieldError {
  const name = cause instanceof Error ? cause.name : 'unknown';
  return name === 'QuotaExceededError'
    ? new NearfieldError('quota-exceeded', 'The browser gives this site no more room.', { cause })
    : new NearfieldError('storage-failed', `IndexedDB could not be used (${name}).`, { cause });
}
