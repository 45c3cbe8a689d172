// Owns the cache's data path: exact, then neighbours of the same scope and context, then the verifier, then
// the decision. Its failures are counted and end as `bypass` or "not kept"; only an abort is thrown.
import { isAbortError } from '../errors.ts';
import type { CachedAnswer, CacheLookup, CacheQuery, Clock } from '../types.ts';
import { answerText, decodeAnswer, encodeAnswer, isKeepable } from './answer-codec.ts';
import { type Catalogue, type Match, openCatalogue } from './catalogue.ts';
import { createControls } from './controls.ts';
import { createFreshness, FRESHNESS_PREFIX, type Freshness } from './freshness.ts';
import { createKeyring, createScopeSecret, type Keyring, type QueryKeys } from './keys.ts';
import type { ControllableCache, SemanticCacheOptions } from './options.ts';
import { isUsable, quantise } from './quantise.ts';
import type { CacheReason } from './reasons.ts';
import type { CacheStore, EntryHead, StoredVector } from './store.ts';
import { verify } from './verify.ts';

/** All that is there once the store is open. */
export interface OpenCache {
  readonly store: CacheStore;
  readonly keyring: Keyring;
  readonly catalogue: Catalogue;
  readonly freshness: Freshness;
}

const DEFAULT_MAX_BYTES = 64 * 2 ** 20;
const NEIGHBOURS = 8;
/** Vectors of questions just looked up, so that writing the answer embeds nothing again. */
const VECTORS_REMEMBERED = 64;
/** What an entry costs beside its texts and vector: keys, columns, map slots. Estimated. */
const ENTRY_OVERHEAD_BYTES = 320;

const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

interface Verdict {
  readonly reason: CacheReason;
  readonly match?: Match | undefined;
  readonly serve: boolean;
}

/** A cache over a store. Opens lazily; a store that cannot be opened makes every lookup a `bypass`. */
export function createSemanticCache(options: SemanticCacheOptions): ControllableCache {
  const { embed, clock = systemClock, maxBytes = DEFAULT_MAX_BYTES, threshold = 0.95 } = options;
  const opened: Promise<OpenCache> = open(options, maxBytes);
  opened.catch(() => undefined);
  const vectors = new Map<string, StoredVector>();
  const counts = { hits: 0, stale: 0, misses: 0, bypasses: 0, savedMs: 0 };
  const failures = { storeFailures: 0, embedFailures: 0, reportedWrong: 0 };
  const reasons: Record<string, number> = {};
  let isClosed = false;

  function report(found: CacheLookup & { readonly reason: CacheReason }): CacheLookup {
    const counter = { hit: 'hits', stale: 'stale', miss: 'misses', bypass: 'bypasses' } as const;
    counts[counter[found.status]] += 1;
    counts.savedMs += found.answer?.costMs ?? 0;
    reasons[found.reason] = (reasons[found.reason] ?? 0) + 1;
    return found;
  }

  async function vectorOf(keys: QueryKeys, signal?: AbortSignal): Promise<StoredVector | undefined> {
    const kept = vectors.get(keys.id);
    if (kept !== undefined || embed === undefined) return kept;
    const [vector] = await embed([keys.text], { signal });
    if (!isUsable(vector)) throw new RangeError('The embedder gave no usable vector.');
    const stored = quantise(vector);
    vectors.set(keys.id, stored);
    if (vectors.size > VECTORS_REMEMBERED) vectors.delete(vectors.keys().next().value ?? '');
    return stored;
  }

  async function tryVectorOf(keys: QueryKeys, signal?: AbortSignal): Promise<StoredVector | undefined> {
    try {
      return await vectorOf(keys, signal);
    } catch (error) {
      if (isAbortError(error) || signal?.aborted) throw error;
      failures.embedFailures += 1;
      return undefined;
    }
  }

  function judge(keys: QueryKeys, matches: readonly Match[]): Verdict {
    const [nearest] = matches;
    if (nearest === undefined) return { reason: 'empty', serve: false };
    let refused: CacheReason | undefined;
    for (const match of matches) {
      if (match.similarity < threshold) break;
      const refusal = verify(keys.text, match.head.text);
      if (refusal === undefined) return { reason: 'similar', match, serve: true };
      refused ??= `differs-${refusal}`;
    }
    return { reason: refused ?? 'far', match: nearest, serve: false };
  }

  async function serve(cache: OpenCache, head: EntryHead, verdict: Verdict): Promise<CacheLookup> {
    const nowMs = clock.now();
    const similarity = verdict.match?.similarity;
    if (nowMs >= cache.freshness.staleUntilMs(head.expiresAtMs, head.createdAtMs)) {
      return report({ status: 'miss', reason: 'expired', similarity });
    }
    const answer = decodeAnswer(await cache.store.answer(head.id));
    if (answer === undefined) {
      await cache.catalogue.remove([head.id]);
      return report({ status: 'miss', reason: 'empty' });
    }
    cache.catalogue.touch(head.id, nowMs);
    const status = nowMs >= head.expiresAtMs ? 'stale' : 'hit';
    return report({ status, reason: verdict.reason, entryId: head.id, similarity, answer });
  }

  async function find(cache: OpenCache, query: CacheQuery, signal?: AbortSignal): Promise<CacheLookup> {
    const keys = await cache.keyring.keysOf(query);
    const exact = cache.catalogue.get(keys.id);
    if (exact !== undefined) return await serve(cache, exact, { reason: 'exact', serve: true });
    if (embed === undefined) return report({ status: 'miss', reason: 'empty' });
    const vector = await tryVectorOf(keys, signal);
    if (vector === undefined) return report({ status: 'bypass', reason: 'embed-failed' });
    const verdict = judge(keys, cache.catalogue.neighbours(keys, vector.values, NEIGHBOURS));
    const similarity = verdict.match?.similarity;
    if (!verdict.serve || verdict.match === undefined) {
      return report({ status: 'miss', reason: verdict.reason, similarity });
    }
    return await serve(cache, verdict.match.head, verdict);
  }

  async function keep(
    cache: OpenCache,
    query: CacheQuery,
    answer: CachedAnswer,
    write: Parameters<ControllableCache['write']>[2] = {},
  ): Promise<string | undefined> {
    const keys = await cache.keyring.keysOf(query);
    const vector = await tryVectorOf(keys, write.signal);
    const nowMs = clock.now();
    const encoded = encodeAnswer(answer);
    const meta = await learnFromRefresh(cache, keys, answer, nowMs);
    const maxAgeMs = write.maxAgeSeconds === undefined ? undefined : write.maxAgeSeconds * 1000;
    const entry = {
      ...keys,
      ...(vector !== undefined && { vector }),
      tags: write.tags ?? [],
      createdAtMs: nowMs,
      expiresAtMs: nowMs + cache.freshness.ttlMs(keys.text, maxAgeMs),
      usedAtMs: nowMs,
      hits: cache.catalogue.get(keys.id)?.hits ?? 0,
      costMs: answer.costMs,
      bytes: 2 * (encoded.length + keys.text.length) + (vector?.values.length ?? 0) + ENTRY_OVERHEAD_BYTES,
      answer: encoded,
    };
    return (await cache.catalogue.put(entry, meta, nowMs)) ? keys.id : undefined;
  }

  /** An answer made again tells how soon answers of this kind change. */
  async function learnFromRefresh(
    cache: OpenCache,
    keys: QueryKeys,
    answer: CachedAnswer,
    nowMs: number,
  ): Promise<Readonly<Record<string, string>>> {
    const head = cache.catalogue.get(keys.id);
    if (head === undefined) return {};
    const before = decodeAnswer(await cache.store.answer(head.id));
    if (before === undefined) return {};
    const changed = answerText(before) !== answerText(answer);
    return cache.freshness.refreshed(keys.text, nowMs - head.createdAtMs, changed);
  }

  /** Runs what touches the store; any failure but an abort is counted and gives `otherwise`. */
  async function sheltered<T>(
    run: (cache: OpenCache) => Promise<T>,
    otherwise: () => T,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      const cache = await opened;
      signal?.throwIfAborted();
      return await run(cache);
    } catch (error) {
      if (signal?.aborted || isAbortError(error)) throw error;
      failures.storeFailures += 1;
      return otherwise();
    }
  }

  return {
    async lookup(query, { signal } = {}) {
      if (isClosed) return report({ status: 'bypass', reason: 'closed' });
      return await sheltered(
        (cache) => find(cache, query, signal),
        () => report({ status: 'bypass', reason: 'store-failed' }),
        signal,
      );
    },
    async write(query, answer, write = {}) {
      if (isClosed || write.maxAgeSeconds === 0 || !isKeepable(answer)) return undefined;
      return await sheltered(
        (cache) => keep(cache, query, answer, write),
        () => undefined,
        write.signal,
      );
    },
    async feedback(entryId, verdict) {
      if (isClosed || verdict === 'right') return;
      failures.reportedWrong += 1;
      await sheltered(
        async (cache) => void (await cache.catalogue.remove([entryId])),
        () => undefined,
      );
    },
    async stats() {
      const cache = await opened.catch(() => undefined);
      const { hits, stale, misses, savedMs } = counts;
      const held = { entries: cache?.catalogue.size() ?? 0, bytes: cache?.catalogue.bytes() ?? 0 };
      return { ...held, hits, stale, misses, savedMs, store: cache?.store.kind ?? 'failed' };
    },
    async close() {
      isClosed = true;
      await sheltered(
        async (cache) => {
          await cache.catalogue.flush().finally(() => cache.store.close());
        },
        () => undefined,
      );
    },
    ...createControls(opened, clock, (text) => embedOne(text)),
    details: () => ({
      bypasses: counts.bypasses,
      ...failures,
      indexBytes: 0,
      reasons: { ...reasons },
    }),
  };

  async function embedOne(text: string): Promise<Int8Array | undefined> {
    const [vector] = (await embed?.([text], {})) ?? [];
    return isUsable(vector) ? quantise(vector).values : undefined;
  }
}

async function open(options: SemanticCacheOptions, maxBytes: number): Promise<OpenCache> {
  const store = await options.store;
  const secret = options.scopeSecret ?? (await store.claim('scope-secret', createScopeSecret()));
  const [keyring, catalogue, kept] = await Promise.all([
    createKeyring(secret),
    openCatalogue(store, maxBytes),
    store.meta(FRESHNESS_PREFIX),
  ]);
  return { store, keyring, catalogue, freshness: createFreshness(options.ttl ?? {}, kept) };
}
