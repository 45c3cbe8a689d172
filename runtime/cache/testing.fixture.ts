// Owns what the cache's tests share: a deterministic embedder, a clock that stands still, sample answers.
import type { CachedAnswer, CacheQuery, Clock } from '../types.ts';
import type { EmbedTexts } from './options.ts';

const DIMS = 64;

/** Bag of words hashed into 64 dims: shared words mean similar, order means nothing. */
export const embedWords: EmbedTexts = async (texts, { signal }) => {
  signal?.throwIfAborted();
  return texts.map(wordVector);
};

function wordVector(text: string): Float32Array {
  const vector = new Float32Array(DIMS);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['']) {
    let hash = 2166136261;
    for (const char of word) hash = Math.imul(hash ^ char.codePointAt(0)!, 16777619) >>> 0;
    for (let at = 0; at < 4; at += 1) {
      hash = Math.imul(hash ^ (hash >>> 15), 2246822519) >>> 0;
      vector[hash % DIMS]! += hash & 64 ? 1 : -1;
    }
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

export interface FakeClock extends Clock {
  advance(ms: number): void;
}

export function createFakeClock(startMs = 1_790_000_000_000): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}

export function ask(text: string, changes: Partial<CacheQuery> = {}): CacheQuery {
  return { scope: 'alice', context: 'model-1', text, ...changes };
}

export function answerOf(text: string, changes: Partial<CachedAnswer> = {}): CachedAnswer {
  return {
    parts: [{ type: 'text-delta', text }],
    finishReason: 'stop',
    usage: { promptTokens: 3, completionTokens: 5 },
    model: 'm',
    tier: { id: 'device', kind: 'device' },
    costMs: 200,
    ...changes,
  };
}
