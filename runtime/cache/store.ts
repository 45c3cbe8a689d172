// Owns the contract every durable store of the cache fulfils: the smallest set of operations from which
// the in-memory index can be rebuilt. Refuses to search: neighbours are found in memory, never in a store.

/** A vector as kept: one signed byte a dimension, value ≈ byte * scale. */
export interface StoredVector {
  /** Int8Array[dims], -127…127. */
  readonly values: Int8Array;
  readonly scale: number;
}

/** All of an entry but its answer; what the cache holds in memory. */
export interface EntryHead {
  /** 32 hex digits: the exact key, cut to 128 bits. The same question in the same scope and context is one entry. */
  readonly id: string;
  /** Keyed hash of the scope; the scope itself is never stored. */
  readonly scopeHash: string;
  /** Keyed hash of scope and context; neighbours are looked for among entries that share it. */
  readonly contextHash: string;
  /** The question, normalised; the verifier reads it. */
  readonly text: string;
  readonly vector?: StoredVector | undefined;
  readonly tags: readonly string[];
  /** Unix epoch, milliseconds, as are the two below. */
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly usedAtMs: number;
  readonly hits: number;
  /** What the answer took to make, milliseconds. */
  readonly costMs: number;
  /** Bytes the entry counts against the budget. */
  readonly bytes: number;
}

export interface StoredEntry extends EntryHead {
  /** The answer as JSON. */
  readonly answer: string;
}

/** The part of an entry that a hit moves. */
export interface EntryTouch {
  readonly id: string;
  readonly usedAtMs: number;
  readonly hits: number;
}

/** One atomic step: all of it is kept, or none. Order: remove, put, touch, meta. */
export interface StoreChange {
  readonly remove?: readonly string[];
  /** Replaces an entry of the same id. */
  readonly put?: readonly StoredEntry[];
  /** Entries that are gone are passed over. */
  readonly touch?: readonly EntryTouch[];
  /** `null` removes the key. */
  readonly meta?: Readonly<Record<string, string | null>>;
}

/**
 * A durable place for entries. `apply` resolves once the change would survive the process being killed.
 * @throws quota-exceeded when the place is full; storage-failed for every other failure.
 */
export interface CacheStore {
  /** Shown in statistics, e.g. `memory`, `libsql-file`, `libsql-opfs`, `indexeddb`. */
  readonly kind: string;
  /** The page after the one that ended with this id, `''` for the first, in the store's own order; empty at the end. */
  heads(after: string): Promise<readonly EntryHead[]>;
  answer(id: string): Promise<string | undefined>;
  apply(change: StoreChange): Promise<void>;
  /** Rows of the meta table whose key starts with `prefix`. */
  meta(prefix: string): Promise<ReadonlyMap<string, string>>;
  /** Sets the key if it is not there yet; returns what is kept. Two openers agree on one value. */
  claim(key: string, value: string): Promise<string>;
  close(): Promise<void>;
}

/** Every entry, page by page. The next page is on its way while one is looked at. */
export async function* allPages(store: CacheStore): AsyncIterable<readonly EntryHead[]> {
  for (let next = store.heads(''); ; ) {
    const page = await next;
    const last = page.at(-1);
    if (last === undefined) return;
    next = store.heads(last.id);
    // Whoever stops here asks no more for it.
    next.catch(() => undefined);
    yield page;
  }
}
