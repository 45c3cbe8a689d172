// Owns what a cache is made of: options and their defaults.
import type { CachedAnswer, CacheQuery, Clock, SemanticCache } from '../types.ts';
import type { CoalesceOptions } from './flights.ts';
import type { JudgeVolatility, TtlOptions } from './freshness.ts';
import type { CacheStore } from './store.ts';

/** Texts in, one L2-normalised Float32Array[dims] a text out. */
export type EmbedTexts = (
  texts: readonly string[],
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<readonly Float32Array[]>;

/** Do two texts ask the same? 0…1; a small cross-encoder, where there is one. */
export interface Guard {
  (asked: string, kept: string, options: { readonly signal?: AbortSignal | undefined }): Promise<number>;
  /** Called when the cache is closed. A guard of several caches is lent by handing in a function without one. */
  dispose?(): void | Promise<void>;
}

export interface SemanticCacheOptions {
  readonly store: CacheStore | Promise<CacheStore>;
  /** Absent: exact matches only. */
  readonly embed?: EmbedTexts | undefined;
  readonly clock?: Clock | undefined;
  /** 0 ≤ x < 1; decides which uncertain matches are tried out. Default: `crypto.getRandomValues`. */
  readonly random?: (() => number) | undefined;
  readonly ttl?: TtlOptions | undefined;
  /**
   * How soon the answer to a question changes; asked once a question, until refreshes of questions like it have
   * shown better. Undefined or a failure: by the question's words.
   */
  readonly volatility?: JudgeVolatility | undefined;
  /** How requests for the same thing in flight share one answer; `false`: each makes its own. */
  readonly coalesce?: CoalesceOptions | false | undefined;
  /** A fixed similarity, -1…1, instead of the learned bound. */
  readonly threshold?: number | undefined;
  /** Wrong hits among similar hits that are tolerated. Default 0.01. */
  readonly target?: number | undefined;
  /** Confidence of the statement the target makes, 0…1. Default 0.95. */
  readonly certainty?: number | undefined;
  /** `false`: no shipped threshold, so no similar hit until a scope has shown its own. Default true. */
  readonly shipped?: boolean | undefined;
  /** Byte budget of kept entries. Default 64 MiB. */
  readonly maxBytes?: number | undefined;
  readonly guard?: Guard | undefined;
  /** Below this the guard refuses: no hit under a fixed threshold, nor under the shipped start. Default 0.5. */
  readonly guardThreshold?: number | undefined;
  /** 64 hex digits; default: made once and kept in the store. */
  readonly scopeSecret?: string | undefined;
}

export interface WriteOptions {
  readonly tags?: readonly string[] | undefined;
  /** Seconds of `Cache-Control: max-age`; 0 keeps nothing. */
  readonly maxAgeSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which entries to remove; all that is said must hold. */
export interface Selection {
  readonly ids?: readonly string[] | undefined;
  readonly scope?: string | undefined;
  readonly tag?: string | undefined;
  readonly olderThanMs?: number | undefined;
  /** Everything like this text; default `similarity` 0.8. Needs `scope`. */
  readonly like?: { readonly text: string; readonly similarity?: number } | undefined;
  /** Only count and name, remove nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface Invalidation {
  readonly ids: readonly string[];
  readonly removed: number;
  readonly bytes: number;
}

export interface ExportedEntry {
  readonly id: string;
  readonly text: string;
  readonly answer: CachedAnswer;
  readonly tags: readonly string[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly hits: number;
}

/** What the cache counted since it was opened, for the demo's page and the operator. */
export interface CacheDetails {
  readonly bypasses: number;
  readonly storeFailures: number;
  readonly embedFailures: number;
  readonly reportedWrong: number;
  readonly indexBytes: number;
  readonly reasons: Readonly<Partial<Record<string, number>>>;
}

/** {@link SemanticCache}, and the controls an operator or a user's page needs. */
export interface ControllableCache extends SemanticCache {
  write(query: CacheQuery, answer: CachedAnswer, options?: WriteOptions): Promise<string | undefined>;
  /** @throws storage-failed; a removal that did not happen must be known */
  invalidate(selection: Selection): Promise<Invalidation>;
  /** All that is kept for a scope. @throws storage-failed */
  exportScope(scope: string): Promise<readonly ExportedEntry[]>;
  details(): CacheDetails;
}
