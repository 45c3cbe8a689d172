// Owns the store that forgets when the process ends. The reference the other stores are held against.
import { NearfieldError } from '../errors.ts';
import type { CacheStore, EntryHead, StoreChange, StoredEntry } from './store.ts';

export interface MemoryCacheStoreOptions {
  /** Throws `quota-exceeded` past this many bytes of entries. Default: no limit. */
  readonly quotaBytes?: number;
}

/** A cache store in memory. */
export function createMemoryCacheStore(options: MemoryCacheStoreOptions = {}): CacheStore {
  const quotaBytes = options.quotaBytes ?? Number.POSITIVE_INFINITY;
  const entries = new Map<string, StoredEntry>();
  const meta = new Map<string, string>();
  let bytes = 0;
  let closed = false;

  function checkOpen(): void {
    if (closed) throw new NearfieldError('storage-failed', 'The memory cache store is closed.');
  }

  function grownBy(change: StoreChange): number {
    const gone = new Set([...(change.remove ?? []), ...(change.put ?? []).map((entry) => entry.id)]);
    const freed = [...gone].reduce((sum, id) => sum + (entries.get(id)?.bytes ?? 0), 0);
    return (change.put ?? []).reduce((sum, entry) => sum + entry.bytes, 0) - freed;
  }

  return {
    kind: 'memory',
    async heads(after) {
      checkOpen();
      const later = [...entries.values()].filter((entry) => entry.id > after);
      return later.sort((a, b) => (a.id < b.id ? -1 : 1)).map(toHead);
    },
    async answer(id) {
      checkOpen();
      return entries.get(id)?.answer;
    },
    async apply(change) {
      checkOpen();
      const growth = grownBy(change);
      if (growth > 0 && bytes + growth > quotaBytes) {
        throw new NearfieldError('quota-exceeded', 'The memory cache store is at its quota.');
      }
      bytes += growth;
      for (const id of change.remove ?? []) entries.delete(id);
      for (const entry of change.put ?? []) entries.set(entry.id, entry);
      for (const touch of change.touch ?? []) {
        const entry = entries.get(touch.id);
        if (entry !== undefined) entries.set(touch.id, { ...entry, ...touch });
      }
      for (const [key, value] of Object.entries(change.meta ?? {})) {
        if (value === null) meta.delete(key);
        else meta.set(key, value);
      }
    },
    async meta(prefix) {
      checkOpen();
      return new Map([...meta].filter(([key]) => key.startsWith(prefix)));
    },
    async claim(key, value) {
      checkOpen();
      if (!meta.has(key)) meta.set(key, value);
      return meta.get(key) ?? value;
    },
    async close() {
      closed = true;
    },
  };
}

function toHead(entry: StoredEntry): EntryHead {
  const { answer: _answer, ...head } = entry;
  return head;
}
