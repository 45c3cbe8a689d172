// Owns the store that forgets: for tests, private windows and processes that must leave no trace.
import { NearfieldError } from '../errors.ts';
import { PIECE_BYTES } from './read-through.ts';
import type { ModelStore } from './store.ts';

export interface MemoryStoreOptions {
  /** Largest sum of bytes kept. Default unlimited. */
  readonly quotaBytes?: number;
}

export function createMemoryStore(options: MemoryStoreOptions = {}): ModelStore {
  const quotaBytes = options.quotaBytes ?? Number.POSITIVE_INFINITY;
  const entries = new Map<string, Uint8Array<ArrayBuffer>>();
  const usedWithout = (key: string) =>
    [...entries].reduce((sum, [name, bytes]) => (name === key ? sum : sum + bytes.byteLength), 0);
  return {
    id: 'memory',
    // Copies in and out: a caller may transfer or overwrite its buffer.
    get: async (key) => entries.get(key)?.slice(),
    async read(key) {
      const bytes = entries.get(key);
      return bytes && piecesOf(bytes);
    },
    async put(key, bytes) {
      if (usedWithout(key) + bytes.byteLength > quotaBytes) {
        throw new NearfieldError('quota-exceeded', `The memory store may keep ${quotaBytes} bytes.`);
      }
      entries.set(key, bytes.slice());
    },
    async join(key, parts) {
      const found = parts.map((part) => entries.get(part));
      if (found.includes(undefined)) {
        throw new NearfieldError('storage-failed', 'A part of the file is not in the memory store.');
      }
      entries.set(key, new Uint8Array(await new Blob(found as Uint8Array<ArrayBuffer>[]).arrayBuffer()));
      for (const part of parts) entries.delete(part);
    },
    async delete(key) {
      entries.delete(key);
    },
    keys: async () => [...entries.keys()],
  };
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let from = 0; from < bytes.byteLength; from += PIECE_BYTES)
    yield bytes.slice(from, from + PIECE_BYTES);
}
