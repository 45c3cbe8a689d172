// The public surface of `nearfield/cache`. Stores have subpaths of their own.
export { createSemanticCache } from './cache.ts';
export type { CoalesceOptions } from './flights.ts';
export type { JudgeVolatility, TtlOptions, Volatility } from './freshness.ts';
export type {
  CacheDetails,
  ControllableCache,
  EmbedTexts,
  ExportedEntry,
  Guard,
  Invalidation,
  Selection,
  SemanticCacheOptions,
  WriteOptions,
} from './options.ts';
export type { CacheReason, Refusal } from './reasons.ts';
export type { CacheStore, EntryHead, EntryTouch, StoreChange, StoredEntry, StoredVector } from './store.ts';
