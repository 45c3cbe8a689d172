// Owns receipts kept in the browser: one chain, for a page serves one person. One key a sequence number, added and never
// put: a second tab that grew the chain meanwhile makes `append` refuse instead of forking it.
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { NearfieldError } from '../errors.ts';
import type { Receipt } from '../types.ts';
import { type ReceiptStore, SequenceTaken } from './receipts.ts';

interface ReceiptSchema extends DBSchema {
  receipts: { key: number; value: Receipt };
}

export interface IndexedDbReceiptStore extends ReceiptStore {
  close(): Promise<void>;
}

/** Default database name: `nearfield-receipts`. Opened at the first use. */
export function createIndexedDbReceiptStore(name = 'nearfield-receipts'): IndexedDbReceiptStore {
  let opened: Promise<IDBPDatabase<ReceiptSchema>> | undefined;
  const open = () => {
    opened ??= openDB<ReceiptSchema>(name, 1, {
      upgrade: (database) => void database.createObjectStore('receipts', { keyPath: 'sequence' }),
      // Another version wants in, or the browser shut it: open again at the next use.
      blocking: () => void close(),
      terminated: () => {
        opened = undefined;
      },
    });
    // One failed opening never breaks the next.
    opened.catch(() => {
      opened = undefined;
    });
    return opened;
  };
  const close = async () => {
    const closing = opened;
    opened = undefined;
    (await closing?.catch(() => undefined))?.close();
  };
  return {
    async last(chain) {
      if (chain !== undefined) return undefined;
      const cursor = await (await open()).transaction('receipts').store.openCursor(null, 'prev');
      return cursor?.value;
    },
    async append(receipt) {
      if (receipt.chain !== undefined) throw new NearfieldError('invalid-request', 'A page keeps one chain.');
      try {
        await (await open()).add('receipts', receipt);
      } catch (error) {
        if (error instanceof DOMException && error.name === 'ConstraintError') throw new SequenceTaken();
        throw error;
      }
    },
    async all() {
      return (await open()).getAll('receipts');
    },
    close,
  };
}
