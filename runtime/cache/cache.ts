// Owns the cache's data path: exact, then neighbours of the same scope and context, then the verifier, then
// the decision. Its failures are counted and end as `bypass` or "not kept"; only an abort is thrown.
import { isAbortError } from '../errors.ts';
import type {
  CacheControl,
  CachedAnswer,
  CacheLookup,
  CacheQuery,
  Clock,
  MakeShared,
  SharedAnswer,
} from '../types.ts';
import { decodeAnswer, encodeAnswer, isKeepable } from './answer-codec.ts';
import { type Catalogue, type Match, type MetaRows, openCatalogue } from './catalogue.ts';
import { createControls, eraseScope } from './controls.ts';
import { BOUND_PREFIX, createErrorBound, type ErrorBound } from './error-bound.ts';
import { createFlights } from './flights.ts';
import { createFreshness, FRESHNESS_PREFIX, type Freshness, type FreshnessQuestion } from './freshness.ts';
import { createJudge, type Judge, type Verdict } from './judge.ts';
import { createKeyring, createScopeSecret, type Keyring, type QueryKeys } from './keys.ts';
import { createLearning, isSameAnswer, type Learning, WRONG_PREFIX, wordsOf } from './learning.ts';
import type { ControllableCache, SemanticCacheOptions } from './options.ts';
import { isUsable, quantise } from './quantise.ts';
import type { CacheReason } from './reasons.ts';
import { createSharedStream } from './shared-stream.ts';
import type { CacheStore, EntryHead, StoredVector } from './store.ts';

/** All that is there once the store is open. */
export interface OpenCache {
  readonly store: CacheStore;
  readonly keyring: Keyring;
  readonly catalogue: Catalogue;
  readonly freshness: Freshness;
  readonly bound: ErrorBound;
  readonly learning: Learning;
  readonly judge: Judge;
}

const DEFAULT_MAX_BYTES = 64 * 2 ** 20;
const NEIGHBOURS = 8;
/** Vectors of questions just looked up, so that writing the answer embeds nothing again. */
const VECTORS_REMEMBERED = 64;
/** Scopes whose erasure is remembered, for answers that were on their way then. */
const ERASURES_REMEMBERED = 1024;
/**
 * What an entry costs beside its texts and vector: keys, columns, map slots, once as a row and once in a block. A libSQL
 * file of 100,000 short ones has 1,420 bytes an entry, of which this counts 1,370.
 */
const ENTRY_OVERHEAD_BYTES = 480;

const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** A cache over a store. Opens lazily; a store that cannot be opened makes every lookup a `bypass`. */
export function createSemanticCache(options: SemanticCacheOptions): ControllableCache {
  const { embed, clock = systemClock, maxBytes = DEFAULT_MAX_BYTES } = options;
  const opened: Promise<OpenCache> = open(options, maxBytes);
  let openCache: OpenCache | undefined;
  opened.then(
    (cache) => {
      openCache = cache;
    },
    () => undefined,
  );
  const vectors = new Map<string, StoredVector>();
  const erasedMs = new Map<string, number>();
  const counts = { hits: 0, stale: 0, misses: 0, bypasses: 0, savedMs: 0 };
  const failures = { storeFailures: 0, embedFailures: 0, reportedWrong: 0 };
  const reasons: Record<string, number> = {};
  const flights = options.coalesce === false ? undefined : createFlights(options.coalesce ?? {});
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

  async function serve(
    cache: OpenCache,
    queryId: string,
    head: EntryHead,
    verdict: Verdict,
    control: CacheControl,
  ): Promise<CacheLookup> {
    const nowMs = clock.now();
    const similarity = verdict.match?.similarity;
    if (nowMs >= cache.freshness.staleUntilMs(head.expiresAtMs, head.createdAtMs)) {
      return report({ status: 'miss', reason: 'expired', similarity });
    }
    const age = { ageMs: nowMs - head.createdAtMs, ttlMs: head.expiresAtMs - nowMs };
    if (!isWanted(age, control)) return report({ status: 'miss', reason: 'too-old', similarity });
    const answer = decodeAnswer(await cache.store.answer(head.id));
    if (answer === undefined) {
      await cache.catalogue.remove([head.id]);
      return report({ status: 'miss', reason: 'empty' });
    }
    cache.catalogue.touch(head.id, nowMs);
    cache.learning.served(queryId, head.id, verdict.trial);
    const status = nowMs >= head.expiresAtMs ? 'stale' : 'hit';
    return report({ status, reason: verdict.reason, entryId: head.id, similarity, ...age, answer });
  }

  async function find(
    cache: OpenCache,
    query: CacheQuery,
    control: CacheControl,
    signal?: AbortSignal,
  ): Promise<CacheLookup> {
    const keys = await cache.keyring.keysOf(query);
    const exact = cache.catalogue.get(keys.id);
    if (exact !== undefined) {
      return await serve(cache, keys.id, exact, { reason: 'exact', serve: true }, control);
    }
    if (embed === undefined) return report({ status: 'miss', reason: 'empty' });
    const vector = await tryVectorOf(keys, signal);
    if (vector === undefined) return report({ status: 'bypass', reason: 'embed-failed' });
    const matches = cache.catalogue.neighbours(keys, vector.values, NEIGHBOURS);
    const verdict = await cache.judge.decide(keys, matches, signal);
    if (verdict.serve && verdict.match !== undefined) {
      return await serve(cache, keys.id, verdict.match.head, verdict, control);
    }
    if (verdict.trial !== undefined) cache.learning.await(keys.id, verdict.trial);
    return report({ status: 'miss', reason: verdict.reason, similarity: verdict.match?.similarity });
  }

  /** Joins what is in flight; a follower that was served counts as a hit, its lookup's miss no more. */
  async function join<Part, Asker>(
    cache: OpenCache,
    query: CacheQuery,
    ...[asker, make, signal]: ShareArguments<Part, Asker>
  ): Promise<SharedAnswer<Part>> {
    if (flights === undefined) return alone(asker, make, signal);
    const keys = await cache.keyring.keysOf(query);
    const vector = await tryVectorOf(keys, signal);
    let verdict: Verdict | undefined;
    const decide = async (matches: readonly Match[]): Promise<Verdict> => {
      verdict = await cache.judge.decide(keys, matches, signal);
      return verdict;
    };
    const shared = await flights.join({ keys, vector, decide, signal }, asker, make);
    const { report: found } = shared;
    if (found === undefined) return shared;
    const parts = onEnd(shared.parts, () => {
      counts.misses = Math.max(0, counts.misses - 1);
      report({ ...found, reason: found.reason as CacheReason });
      const trial = found.entryId === keys.id ? undefined : verdict?.trial;
      cache.learning.served(keys.id, found.entryId ?? keys.id, trial);
    });
    return { ...shared, parts };
  }

  async function keep(
    cache: OpenCache,
    query: CacheQuery,
    answer: CachedAnswer,
    write: Parameters<ControllableCache['write']>[2] = {},
  ): Promise<string | undefined> {
    const keys = await cache.keyring.keysOf(query);
    const { askedMs = Number.POSITIVE_INFINITY } = query;
    const isErased = (): boolean => (erasedMs.get(keys.scopeHash) ?? Number.NEGATIVE_INFINITY) >= askedMs;
    if (isErased()) return undefined;
    const vector = await tryVectorOf(keys, write.signal);
    const encoded = encodeAnswer(answer);
    const question = { text: keys.text, scopeHash: keys.scopeHash, vector: vector?.values };
    const meta = await tryToLearn(cache, keys, question, answer, write.signal);
    const maxAgeMs = write.maxAgeSeconds === undefined ? undefined : write.maxAgeSeconds * 1000;
    const ttlMs = await cache.freshness.ttlMs(question, maxAgeMs);
    const nowMs = clock.now();
    const entry = {
      ...keys,
      ...(vector !== undefined && { vector }),
      tags: write.tags ?? [],
      createdAtMs: nowMs,
      expiresAtMs: nowMs + ttlMs,
      usedAtMs: nowMs,
      hits: cache.catalogue.get(keys.id)?.hits ?? 0,
      costMs: answer.costMs,
      bytes: 2 * (encoded.length + keys.text.length + (vector?.values.length ?? 0)) + ENTRY_OVERHEAD_BYTES,
      answer: encoded,
    };
    const isKept = !isErased() && (await cache.catalogue.put(entry, meta, nowMs));
    if (!isErased()) return isKept ? keys.id : undefined;
    vectors.delete(keys.id);
    await eraseScope(cache, keys.scopeHash);
    return undefined;
  }

  /** What is not learned costs nothing; the answer is kept all the same. */
  async function tryToLearn(
    ...[cache, keys, question, answer, signal]: Parameters<typeof learnFrom>
  ): Promise<MetaRows> {
    try {
      return await learnFrom(cache, keys, question, answer, signal);
    } catch (error) {
      if (isAbortError(error) || signal?.aborted) throw error;
      failures.embedFailures += 1;
      return {};
    }
  }

  /** An answer made again tells how soon such answers change; one made beside a match, whether it was right. */
  async function learnFrom(
    cache: OpenCache,
    keys: QueryKeys,
    question: FreshnessQuestion,
    answer: CachedAnswer,
    signal?: AbortSignal,
  ): Promise<MetaRows> {
    const trial = cache.learning.takeTrial(keys.id);
    const entryId = cache.catalogue.get(keys.id) === undefined ? trial?.entryId : keys.id;
    const head = entryId === undefined ? undefined : cache.catalogue.get(entryId);
    if (head === undefined) return {};
    const before = decodeAnswer(await cache.store.answer(head.id));
    const same = before && (await isSameAnswer(before, answer, embed, signal));
    if (same === undefined) return {};
    if (head.id !== keys.id) return trial === undefined ? {} : cache.learning.observe(trial, same);
    return await cache.freshness.refreshed(question, clock.now() - head.createdAtMs, !same);
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
    async lookup(query, { signal, ...control } = {}) {
      if (isClosed) return report({ status: 'bypass', reason: 'closed' });
      return await sheltered(
        (cache) => find(cache, query, control, signal),
        () => report({ status: 'bypass', reason: 'store-failed' }),
        signal,
      );
    },
    async share(query, asker, make, { signal } = {}) {
      if (isClosed) return alone(asker, make, signal);
      return await sheltered(
        (cache) => join(cache, query, asker, make, signal),
        () => alone(asker, make, signal),
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
      if (isClosed) return;
      if (verdict === 'wrong') failures.reportedWrong += 1;
      await sheltered(
        async (cache) => {
          const alike = verdict === 'wrong' ? await answeredAlike(cache, entryId) : [];
          const { rows, remove } = cache.learning.feedback(entryId, verdict === 'right', alike);
          await cache.catalogue.note(rows);
          await cache.catalogue.remove(remove);
        },
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
      // First, so that a lookup still waiting for it ends; one that fails keeps nothing from being flushed.
      await (async () => await options.guard?.dispose?.())().catch(() => undefined);
      await sheltered(
        async (cache) => {
          await cache.catalogue.flush().finally(() => cache.store.close());
        },
        () => undefined,
      );
    },
    ...createControls(opened, clock, embedOne, (scopeHash) => {
      erasedMs.delete(scopeHash);
      erasedMs.set(scopeHash, clock.now());
      if (erasedMs.size > ERASURES_REMEMBERED) erasedMs.delete(erasedMs.keys().next().value ?? '');
      vectors.clear();
    }),
    details: () => ({
      bypasses: counts.bypasses,
      ...failures,
      indexBytes: indexBytes(),
      reasons: { ...reasons },
    }),
  };

  function indexBytes(): number {
    return openCache?.catalogue.indexBytes() ?? 0;
  }

  async function embedOne(text: string): Promise<Int8Array | undefined> {
    const [vector] = (await embed?.([text], {})) ?? [];
    return isUsable(vector) ? quantise(vector).values : undefined;
  }
}

/** May a kept answer of this age be given, by what the request says? Source: RFC 9111, 5.2.1. */
function isWanted(
  { ageMs, ttlMs }: { readonly ageMs: number; readonly ttlMs: number },
  { maxAgeMs = Number.POSITIVE_INFINITY, maxStaleMs, minFreshMs = 0 }: CacheControl,
): boolean {
  if (ageMs > maxAgeMs || (minFreshMs > 0 && ttlMs < minFreshMs)) return false;
  // Asked about age without a word on staleness, a stale answer is not what was asked for.
  const staleMs = Math.max(0, -ttlMs);
  if (maxStaleMs !== undefined) return staleMs <= maxStaleMs;
  return staleMs === 0 || maxAgeMs === Number.POSITIVE_INFINITY;
}

type ShareArguments<Part, Asker> = [
  asker: Asker,
  make: MakeShared<Part, Asker>,
  signal: AbortSignal | undefined,
];

/** An answer that nobody else reads. */
function alone<Part, Asker>(...[asker, make, signal]: ShareArguments<Part, Asker>): SharedAnswer<Part> {
  const { read } = createSharedStream(make, asker, () => undefined);
  return { leads: true, parts: read(asker, { signal }) };
}

/** The same parts; `ended` is called once they were read to their end. */
function onEnd<Part>(
  parts: AsyncIterableIterator<Part, void, void>,
  ended: () => void,
): AsyncIterableIterator<Part, void, void> {
  return {
    async next() {
      const result = await parts.next();
      if (result.done === true) ended();
      return result;
    },
    async return() {
      await parts.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function open(options: SemanticCacheOptions, maxBytes: number): Promise<OpenCache> {
  const store = await options.store;
  const secret = options.scopeSecret ?? (await store.claim('scope-secret', createScopeSecret()));
  const [keyring, catalogue] = await Promise.all([createKeyring(secret), openCatalogue(store, maxBytes)]);
  const { ttl = {}, volatility } = options;
  const freshness = createFreshness(ttl, await store.meta(FRESHNESS_PREFIX), volatility);
  const bound = createErrorBound(options, await store.meta(BOUND_PREFIX));
  const learning = createLearning(bound, await store.meta(WRONG_PREFIX));
  const { isReportedWrong } = learning;
  const judge = createJudge(options, { bound, isReportedWrong, random: options.random ?? secureRandom });
  return { store, keyring, catalogue, freshness, bound, learning, judge };
}

/** Neighbours of an entry that were kept with the very words of its answer: the same answer to another wording. */
async function answeredAlike({ catalogue, store }: OpenCache, entryId: string): Promise<readonly string[]> {
  const head = catalogue.get(entryId);
  const vector = head && catalogue.vector(head);
  if (head === undefined || vector === undefined) return [];
  const others = catalogue.neighbours(head, vector, NEIGHBOURS + 1).filter((one) => one.head.id !== entryId);
  const [own, ...theirs] = await Promise.all(
    [entryId, ...others.map((one) => one.head.id)].map(async (id) => {
      const answer = decodeAnswer(await store.answer(id));
      return answer === undefined ? '' : wordsOf(answer);
    }),
  );
  if (own === '') return [];
  return others.flatMap((one, at) => (theirs[at] === own ? [one.head.id] : []));
}

function secureRandom(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32;
}
