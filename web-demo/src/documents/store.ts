// Owns the documents kept in this browser, in IndexedDB. Text only: the file itself is not kept. Refuses
// nothing a quota allows; a full disk is told to the caller.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';

export interface StoredDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly kind: string;
  /** Bytes of the file as it was added. */
  readonly bytes: number;
  readonly addedAtMs: number;
}

export interface DocumentStore {
  all(): Promise<readonly StoredDocument[]>;
  put(document: StoredDocument): Promise<void>;
  remove(id: string): Promise<void>;
}

interface Schema extends DBSchema {
  documents: { key: string; value: StoredDocument };
}

export function createDocumentStore(name = 'nearfield-demo'): DocumentStore {
  let opening: Promise<IDBPDatabase<Schema>> | undefined;
  const open = (): Promise<IDBPDatabase<Schema>> => {
    opening ??= openDB<Schema>(name, 1, {
      upgrade: (database) => {
        database.createObjectStore('documents', { keyPath: 'id' });
      },
    }).catch((error: unknown) => {
      opening = undefined; // one refused open (private window, full disk) must not refuse the next
      throw error;
    });
    return opening;
  };
  return {
    async all() {
      const documents = await (await open()).getAll('documents');
      return documents.sort((a, b) => a.addedAtMs - b.addedAtMs);
    },
    async put(document) {
      await (await open()).put('documents', document);
    },
    async remove(id) {
      await (await open()).delete('documents', id);
    },
  };
}
