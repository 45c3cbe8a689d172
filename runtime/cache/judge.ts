// Owns the decision on what the index found: the verifier, what was reported wrong, the guard, then either
// a fixed similarity or the learned bound. Reads no store.
import type { Match } from './catalogue.ts';
import type { BoundPlace, ErrorBound } from './error-bound.ts';
import type { QueryKeys } from './keys.ts';
import type { SemanticCacheOptions } from './options.ts';
import { type Reading, readText } from './reading.ts';
import type { CacheReason } from './reasons.ts';
import { verifyReadings } from './verify.ts';

/** What a match was judged on; outcomes are learned under it. */
export interface Trial {
  readonly entryId: string;
  readonly place: BoundPlace;
  readonly similarity: number;
}

export interface Verdict {
  readonly serve: boolean;
  readonly reason: CacheReason;
  readonly match?: Match | undefined;
  /** Present when a match passed the verifier: it is worth learning whether it was right. */
  readonly trial?: Trial | undefined;
}

export interface Judge {
  decide(keys: QueryKeys, matches: readonly Match[], signal?: AbortSignal): Promise<Verdict>;
}

export interface JudgeDependencies {
  readonly bound: ErrorBound;
  readonly isReportedWrong: (queryId: string, entryId: string) => boolean;
  readonly random: () => number;
}

/** Below this cosine nothing is the same question under any embedder; saves reading the texts. Unmeasured. */
const LEAST_SIMILARITY = 0.5;
/** Share of acceptable matches that are asked again all the same, to see whether the bound still holds. */
const EXPLORE_SHARE = 0.02;

export function createJudge(options: SemanticCacheOptions, dependencies: JudgeDependencies): Judge {
  const { threshold, guard, guardThreshold = 0.5 } = options;
  const { bound, isReportedWrong, random } = dependencies;
  const least = threshold ?? LEAST_SIMILARITY;

  function whyNot(keys: QueryKeys, asked: Reading, match: Match): CacheReason | undefined {
    if (isReportedWrong(keys.id, match.head.id)) return 'reported-wrong';
    const refusal = verifyReadings(asked, readText(match.head.text));
    return refusal === undefined ? undefined : `differs-${refusal}`;
  }

  function weigh(keys: QueryKeys, asked: Reading, match: Match): Verdict {
    const place = { scopeHash: keys.scopeHash, kind: asked.asks };
    const trial = { entryId: match.head.id, place, similarity: match.similarity };
    if (threshold !== undefined) return { serve: true, reason: 'similar', match, trial };
    if (match.similarity < bound.threshold(place)) return { serve: false, reason: 'uncertain', match, trial };
    if (random() < EXPLORE_SHARE) return { serve: false, reason: 'explored', match, trial };
    return { serve: true, reason: 'similar', match, trial };
  }

  async function askGuard(keys: QueryKeys, verdict: Verdict, signal?: AbortSignal): Promise<Verdict> {
    if (guard === undefined || !verdict.serve || verdict.match === undefined) return verdict;
    const same = await guard(keys.text, verdict.match.head.text, { signal });
    return same >= guardThreshold ? verdict : { ...verdict, serve: false, reason: 'guard' };
  }

  return {
    async decide(keys, matches, signal) {
      const [nearest] = matches;
      if (nearest === undefined) return { serve: false, reason: 'empty' };
      const asked = readText(keys.text);
      let refused: CacheReason | undefined;
      for (const match of matches) {
        if (match.similarity < least) break;
        const why = whyNot(keys, asked, match);
        if (why === undefined) return await askGuard(keys, weigh(keys, asked, match), signal);
        refused ??= why;
      }
      return { serve: false, reason: refused ?? 'far', match: nearest };
    },
  };
}
