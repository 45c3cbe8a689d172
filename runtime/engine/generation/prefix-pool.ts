// Owns keys and values that outlive an answer: the next request whose prompt begins alike starts where the
// last one stood. Refuses to share across scopes: whether a prefix is there can be told from the time to the
// first token, so what one tenant said must never be found by another.
import { NearfieldError } from '../../errors.ts';
import type { Decoder, DecoderSequence } from './types.ts';

export interface PrefixPoolOptions {
  readonly decoder: Decoder;
  /** Sequences kept idle, all scopes together. Default 8. */
  readonly maxIdle?: number | undefined;
  /** Most bytes of keys and values while anything is idle. Default: the decoder's own budget decides. */
  readonly maxCacheBytes?: number | undefined;
}

export interface PrefixPool {
  /**
   * A sequence that holds the first `reused` of these tokens, fewer than all of them.
   * @throws out-of-memory when running conversations leave no room
   */
  take(scope: string, tokens: readonly number[]): Taken;
  /** Keeps a sequence for later; `tokens` begins with what it holds. */
  give(scope: string, sequence: DecoderSequence, tokens: readonly number[]): void;
  idle(): number;
  /** Forgets the longest unused, for a sequence that needs room to grow; false when there is none. */
  forget(): boolean;
  /** Forgets a scope's sequences, or everybody's. */
  clear(scope?: string): void;
}

export interface Taken {
  readonly sequence: DecoderSequence;
  readonly reused: number;
}

interface Idle {
  readonly scope: string;
  readonly sequence: DecoderSequence;
  readonly tokens: readonly number[];
}

/** A shorter common beginning is computed again faster than it is copied and kept. Not measured. */
const WORTH_TOKENS = 16;

export function createPrefixPool(options: PrefixPoolOptions): PrefixPool {
  const { decoder, maxIdle = 8, maxCacheBytes = Number.POSITIVE_INFINITY } = options;
  /** Longest unused first. */
  let idle: Idle[] = [];

  const remove = (entry: Idle) => {
    idle = idle.filter((other) => other !== entry);
  };

  function evict(keep?: Idle): boolean {
    const oldest = idle.find((entry) => entry !== keep);
    if (oldest === undefined) return false;
    remove(oldest);
    oldest.sequence.close();
    return true;
  }

  /** Makes room by forgetting, longest unused first, until it works or nothing is left to forget. */
  function withRoom<T>(make: () => T, keep?: Idle): T {
    for (;;) {
      try {
        return make();
      } catch (error) {
        const full = error instanceof NearfieldError && error.code === 'out-of-memory';
        if (!full || !evict(keep)) throw error;
      }
    }
  }

  return {
    take(scope, tokens) {
      const found = longest(
        idle.filter((entry) => entry.scope === scope),
        tokens,
      );
      if (found === undefined) return { sequence: withRoom(() => decoder.open()), reused: 0 };
      const { entry, common } = found;
      if (continues(entry, common)) {
        remove(entry);
        entry.sequence.truncate(common);
        return { sequence: entry.sequence, reused: common };
      }
      // Another conversation with the same beginning: it keeps its own, where there is room for both.
      try {
        return { sequence: withRoom(() => entry.sequence.fork(common), entry), reused: common };
      } catch {
        remove(entry);
        entry.sequence.truncate(common);
        return { sequence: entry.sequence, reused: common };
      }
    },
    give(scope, sequence, tokens) {
      if (sequence.length === 0) return sequence.close();
      idle.push({ scope, sequence, tokens: tokens.slice(0, sequence.length) });
      while (idle.length > maxIdle || decoder.memory().cacheBytes > maxCacheBytes) if (!evict()) break;
    },
    idle: () => idle.length,
    forget: () => evict(),
    clear(scope) {
      const gone = idle.filter((entry) => scope === undefined || entry.scope === scope);
      idle = idle.filter((entry) => !gone.includes(entry));
      for (const { sequence } of gone) sequence.close();
    },
  };
}

/** The latest of those with most tokens in common; at least one token is left to compute. */
function longest(
  entries: readonly Idle[],
  tokens: readonly number[],
): { readonly entry: Idle; readonly common: number } | undefined {
  let best: { entry: Idle; common: number } | undefined;
  for (const entry of entries) {
    const common = Math.min(commonLength(entry.tokens, tokens), tokens.length - 1);
    if (common >= Math.min(WORTH_TOKENS, tokens.length - 1) && common > 0 && common >= (best?.common ?? 0)) {
      best = { entry, common };
    }
  }
  return best;
}

/** Most of the kept text goes on: the same conversation, a turn later or asked again. */
function continues(entry: Idle, common: number): boolean {
  return common >= entry.tokens.length * 0.75;
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}
