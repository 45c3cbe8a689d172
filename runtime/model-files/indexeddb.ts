// Owns keeping model files in the browser's IndexedDB: one transaction a file, so a closed tab leaves the
// whole file or none. Works on the page and in workers.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { NearfieldError } from '../errors.ts';
import type { ModelStore } from './store.ts';

interface Schema extends DBSchema {
  files: { key: string; value: Blob };
}

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
        const blob = await db.get('files', key);
        return blob === undefined ? undefined : new Uint8Array(await blob.arrayBuffer());
      }),
    put: (key, bytes) =>
      guarded(async (db) => {
        await db.put('files', new Blob([bytes]), key);
      }),
    delete: (key) => guarded((db) => db.delete('files', key)),
    keys: () => guarded((db) => db.getAllKeys('files')),
  };
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
