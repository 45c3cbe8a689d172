// Owns what the cache holds in memory over a store: heads, the vector index, the byte budget and who is
// evicted. Every change goes to the store first; memory follows only what the store kept.
import { isNearfieldError } from '../errors.ts';
import { allPages, type CacheStore, type EntryHead, type EntryTouch, type StoredEntry } from './store.ts';
import { createVectorIndex } from './vector-index.ts';

export type MetaRows = Readonly<Record<string, string | null>>;

export interface Match {
  readonly head: EntryHead;
  readonly similarity: number;
}

export interface Catalogue {
  get(id: string): EntryHead | undefined;
  heads(): IterableIterator<EntryHead>;
  /** Neighbours of the same scope and context, most similar first. */
  neighbours(
    /** The context's hash holds the scope's. */
    at: { readonly contextHash: string },
    values: Int8Array,
    count: number,
  ): Match[];
  /** The vector kept for an entry. */
  vector(head: EntryHead): Int8Array | undefined;
  /** Keeps the entry, evicting as needed. False when the store had no room even after shrinking. */
  put(entry: StoredEntry, meta: MetaRows, nowMs: number): Promise<boolean>;
  /** Removes what is there of these, and these meta keys. Returns entries removed. */
  remove(ids: readonly string[], metaKeys?: readonly string[]): Promise<number>;
  /** Keeps meta rows without an entry. */
  note(meta: MetaRows): Promise<void>;
  /** Notes a use; reaches the store with the next write or after {@link TOUCHES_HELD}. */
  touch(id: string, nowMs: number): void;
  flush(): Promise<void>;
  size(): number;
  bytes(): number;
  indexBytes(): number;
}

const TOUCHES_HELD = 64;
/** Evict down to this share of the budget, so that not every write evicts. Unmeasured. */
const EVICT_TO = 0.9;
/** On a quota error the budget becomes this share of what is kept. Unmeasured. */
const SHRINK_TO = 0.75;
/** Age at which an unused entry is worth half. Unmeasured. */
const HALF_LIFE_MS = 7 * 24 * 3_600_000;

export async function openCatalogue(store: CacheStore, maxBytes: number): Promise<Catalogue> {
  /** Without their vectors, which the index holds. */
  const heads = new Map<string, EntryHead>();
  const hashes = new Map<string, string>();
  const index = createVectorIndex();
  const touches = new Map<string, EntryTouch>();
  let bytes = 0;
  let budget = maxBytes;

  function hold(head: EntryHead): void {
    const { id, vector } = head;
    if (heads.has(id)) drop(id);
    const contextHash = once(head.contextHash);
    // Field by field: copying the rest of an object takes ten times as long, and there are many.
    heads.set(id, {
      id,
      scopeHash: once(head.scopeHash),
      contextHash,
      text: head.text,
      tags: head.tags,
      createdAtMs: head.createdAtMs,
      expiresAtMs: head.expiresAtMs,
      usedAtMs: head.usedAtMs,
      hits: head.hits,
      costMs: head.costMs,
      bytes: head.bytes,
    });
    bytes += head.bytes;
    // Without room in the index an entry is found by its exact key alone.
    if (vector !== undefined) index.add(contextHash, id, vector.values);
  }

  /** Few hashes stand in many entries: one string each. */
  function once(hash: string): string {
    const known = hashes.get(hash);
    if (known === undefined) hashes.set(hash, hash);
    return known ?? hash;
  }

  function drop(id: string): boolean {
    const head = heads.get(id);
    if (head === undefined) return false;
    heads.delete(id);
    touches.delete(id);
    bytes -= head.bytes;
    index.remove(head.contextHash, id);
    if (heads.size === 0) hashes.clear();
    return true;
  }

  function takeTouches(): EntryTouch[] {
    const taken = [...touches.values()];
    touches.clear();
    return taken;
  }

  async function tryPut(entry: StoredEntry, meta: MetaRows, nowMs: number): Promise<void> {
    const remove = victims(heads, bytes + entry.bytes - (heads.get(entry.id)?.bytes ?? 0), budget, nowMs);
    const others = remove.filter((id) => id !== entry.id);
    await store.apply({ remove: others, put: [entry], touch: takeTouches(), meta });
    for (const id of others) drop(id);
    const { answer: _answer, ...head } = entry;
    hold(head);
  }

  async function remove(ids: readonly string[], metaKeys: readonly string[] = []): Promise<number> {
    const known = ids.filter((id) => heads.has(id));
    if (known.length === 0 && metaKeys.length === 0) return 0;
    await store.apply({ remove: known, meta: Object.fromEntries(metaKeys.map((key) => [key, null])) });
    return known.filter(drop).length;
  }

  async function flush(): Promise<void> {
    if (touches.size > 0) await store.apply({ touch: takeTouches() });
  }

  for await (const page of allPages(store)) for (const head of page) hold(head);

  return {
    get: (id) => heads.get(id),
    heads: () => heads.values(),
    neighbours(at, values, count) {
      const found = index.search(at.contextHash, values, count);
      return found.flatMap(({ id, similarity }) => {
        const head = heads.get(id);
        return head === undefined ? [] : [{ head, similarity }];
      });
    },
    vector: (head) => index.vector(head.contextHash, head.id),
    async put(entry, meta, nowMs) {
      if (entry.bytes > budget) return false;
      try {
        await tryPut(entry, meta, nowMs);
      } catch (error) {
        if (!isNearfieldError(error) || error.code !== 'quota-exceeded') throw error;
        budget = Math.min(budget, Math.floor(bytes * SHRINK_TO));
        await remove(victims(heads, bytes + entry.bytes, budget, nowMs));
        if (entry.bytes > budget) return false;
        await tryPut(entry, meta, nowMs);
      }
      return true;
    },
    remove,
    async note(meta) {
      if (Object.keys(meta).length > 0) await store.apply({ meta });
    },
    touch(id, nowMs) {
      const head = heads.get(id);
      if (head === undefined) return;
      const touched = { usedAtMs: nowMs, hits: head.hits + 1 };
      heads.set(id, { ...head, ...touched });
      touches.set(id, { id, ...touched });
      // Nobody waits for it: a lost touch costs an entry a little of its worth, nothing else.
      if (touches.size >= TOUCHES_HELD) void flush().catch(() => undefined);
    },
    flush,
    size: () => heads.size,
    bytes: () => bytes,
    indexBytes: () => index.bytes(),
  };
}

/** The entries to give up so that `bytes` come under the budget: least cost saved a byte, oldest, first. */
function victims(
  heads: ReadonlyMap<string, EntryHead>,
  bytes: number,
  budget: number,
  nowMs: number,
): string[] {
  if (bytes <= budget) return [];
  const ranked = [...heads.values()]
    .map((head) => ({ head, worth: worthOf(head, nowMs) }))
    .sort((a, b) => a.worth - b.worth);
  const chosen: string[] = [];
  for (const { head } of ranked) {
    if (bytes <= budget * EVICT_TO) break;
    chosen.push(head.id);
    bytes -= head.bytes;
  }
  return chosen;
}

/** Milliseconds it saves a byte, were it used as often as so far, halved with every half-life unused. */
export function worthOf(head: EntryHead, nowMs: number): number {
  const idleMs = Math.max(0, nowMs - head.usedAtMs);
  const expired = nowMs > head.expiresAtMs ? 0.1 : 1;
  return (expired * (head.costMs + 1) * (head.hits + 1) * 0.5 ** (idleMs / HALF_LIFE_MS)) / head.bytes;
}
