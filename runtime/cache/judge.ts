// Owns the decision on what the index found: what was reported wrong, the verifier, the guard, then either a
// fixed similarity or the learned bound on what similarity and guard say together. Reads no store.
import { isAbortError } from '../errors.ts';
import { confidenceOf } from './calibration.ts';
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
  /** Similarity, or what similarity and guard say together. */
  readonly confidence: number;
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

/** Verified neighbours the guard is asked about; the surest of them is weighed. */
const MOST_GUARDED = 3;

/** A neighbour without a difference that the verifier knows, and what the guard said of it. */
interface Candidate {
  readonly match: Match;
  readonly guard: number | undefined;
  readonly confidence: number;
}

export function createJudge(options: SemanticCacheOptions, dependencies: JudgeDependencies): Judge {
  const { threshold, guard, guardThreshold = 0.5 } = options;
  const { bound, isReportedWrong, random } = dependencies;
  const least = threshold ?? LEAST_SIMILARITY;

  function whyNot(keys: QueryKeys, asked: Reading, match: Match): CacheReason | undefined {
    if (isReportedWrong(keys.id, match.head.id)) return 'reported-wrong';
    const refusal = verifyReadings(asked, readText(match.head.text));
    return refusal === undefined ? undefined : `differs-${refusal}`;
  }

  async function examine(keys: QueryKeys, match: Match, signal?: AbortSignal): Promise<Candidate> {
    const said = guard && (await guard(keys.text, match.head.text, { signal }));
    if (said !== undefined && !(said >= 0 && said <= 1)) throw new RangeError(`The guard said ${said}.`);
    return { match, guard: said, confidence: confidenceOf(match.similarity, said) };
  }

  /** A guard that fails leaves the match unexamined, and that is no hit. */
  async function examineAll(
    keys: QueryKeys,
    matches: readonly Match[],
    signal?: AbortSignal,
  ): Promise<readonly Candidate[] | undefined> {
    try {
      return await Promise.all(matches.map((match) => examine(keys, match, signal)));
    } catch (error) {
      if (isAbortError(error) || signal?.aborted) throw error;
      return undefined;
    }
  }

  function weigh(keys: QueryKeys, asked: Reading, { match, guard: said, confidence }: Candidate): Verdict {
    const place = { scopeHash: keys.scopeHash, kind: asked.asks, guarded: said !== undefined };
    const trial = { entryId: match.head.id, place, confidence };
    const refused = said !== undefined && said < guardThreshold;
    if (threshold !== undefined) {
      return { serve: !refused, reason: refused ? 'guard' : 'similar', match, trial };
    }
    // The shipped start is for what the guard agrees to; what it refuses, only the scope's own outcomes can allow.
    if (confidence < (refused ? bound.shown(place) : bound.threshold(place))) {
      return { serve: false, reason: refused ? 'guard' : 'uncertain', match, trial };
    }
    if (random() < EXPLORE_SHARE) return { serve: false, reason: 'explored', match, trial };
    return { serve: true, reason: 'similar', match, trial };
  }

  return {
    async decide(keys, matches, signal) {
      const [nearest] = matches;
      if (nearest === undefined) return { serve: false, reason: 'empty' };
      const asked = readText(keys.text);
      const verified: Match[] = [];
      let refused: CacheReason | undefined;
      for (const match of matches) {
        if (match.similarity < least || verified.length === (guard === undefined ? 1 : MOST_GUARDED)) break;
        const why = whyNot(keys, asked, match);
        if (why === undefined) verified.push(match);
        refused ??= why;
      }
      if (verified.length === 0) return { serve: false, reason: refused ?? 'far', match: nearest };
      const candidates = await examineAll(keys, verified, signal);
      if (candidates === undefined) return { serve: false, reason: 'guard-failed', match: verified[0] };
      const surest = candidates.reduce((best, next) => (next.confidence > best.confidence ? next : best));
      return weigh(keys, asked, surest);
    },
  };
}
