// Owns what outcomes teach: matches that turned out right or wrong, by feedback or because the answer was
// made again and can be compared. Keeps it all in the store's meta rows.
import type { CachedAnswer } from '../types.ts';
import { answerText } from './answer-codec.ts';
import type { ErrorBound } from './error-bound.ts';
import type { Trial } from './judge.ts';
import type { EmbedTexts } from './options.ts';
import { cosine, isUsable, quantise } from './quantise.ts';

export const WRONG_PREFIX = 'wrong/';

type Rows = Readonly<Record<string, string | null>>;

export interface Learning {
  /** A miss that had a match: its outcome is known once the answer is written. */
  await(queryId: string, trial: Trial): void;
  /** A hit: its outcome is known if someone tells. */
  served(queryId: string, entryId: string, trial: Trial | undefined): void;
  /** The match that a written answer can be compared with, once. */
  takeTrial(queryId: string): Trial | undefined;
  observe(trial: Trial, right: boolean): Rows;
  /**
   * What feedback says about the last serving of an entry. `alike` are other entries with the same answer: where it was
   * wrong, theirs is too for the question it was given to.
   */
  feedback(
    entryId: string,
    right: boolean,
    alike?: readonly string[],
  ): { readonly rows: Rows; readonly remove: readonly string[] };
  isReportedWrong(queryId: string, entryId: string): boolean;
}

/** Lookups whose outcome may still be told. */
const REMEMBERED = 512;
/** Wordings one entry may be reported wrong for before the entry itself goes. Unmeasured. */
const WRONG_BEFORE_REMOVAL = 3;

export function createLearning(bound: ErrorBound, kept: ReadonlyMap<string, string>): Learning {
  const awaited = new Map<string, Trial>();
  const servings = new Map<string, { readonly queryId: string; readonly trial: Trial | undefined }>();
  const wrong = new Map<string, readonly string[]>();
  for (const [key, value] of kept) wrong.set(key.slice(WRONG_PREFIX.length), value.split(' '));

  /** Is the entry now refused to so many wordings that it should go? */
  function refuse(entryId: string, queryId: string): boolean {
    const queries = [...new Set([...(wrong.get(entryId) ?? []), queryId])];
    wrong.set(entryId, queries);
    return queries.length >= WRONG_BEFORE_REMOVAL;
  }

  return {
    await: (queryId, trial) => remember(awaited, queryId, trial),
    served: (queryId, entryId, trial) => remember(servings, entryId, { queryId, trial }),
    takeTrial(queryId) {
      const trial = awaited.get(queryId);
      awaited.delete(queryId);
      return trial;
    },
    observe: (trial, right) => bound.observe(trial.place, trial.confidence, right),
    feedback(entryId, right, alike = []) {
      const serving = servings.get(entryId);
      servings.delete(entryId);
      const { queryId, trial } = serving ?? {};
      const learned = trial === undefined ? {} : bound.observe(trial.place, trial.confidence, right);
      if (right) return { rows: learned, remove: [] };
      // Asked exactly, or unknown to have been asked otherwise: the answer itself is wrong.
      const isExact = trial === undefined || queryId === undefined;
      const gone = isExact ? [entryId] : [];
      const refused = isExact ? alike : [entryId, ...alike];
      for (const id of refused) if (refuse(id, isExact ? entryId : queryId)) gone.push(id);
      for (const id of gone) wrong.delete(id);
      const rows = [...new Set([...gone, ...refused])].map((id) => [
        WRONG_PREFIX + id,
        wrong.get(id)?.join(' ') ?? null,
      ]);
      return { rows: { ...learned, ...Object.fromEntries(rows) }, remove: gone };
    },
    isReportedWrong: (queryId, entryId) => wrong.get(entryId)?.includes(queryId) === true,
  };
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED) map.delete(map.keys().next().value ?? '');
}

/** An answer's words, space aside. */
export function wordsOf(answer: CachedAnswer): string {
  return answerText(answer).trim().replaceAll(/\s+/g, ' ');
}

/** Answers nearer than the first say the same, farther than the second another thing. Unmeasured. */
const SAME_ANSWER = 0.92;
const OTHER_ANSWER = 0.75;

/** Do two answers say the same? Undefined where that cannot be told: then nothing is learned. */
export async function isSameAnswer(
  a: CachedAnswer,
  b: CachedAnswer,
  embed: EmbedTexts | undefined,
  signal?: AbortSignal,
): Promise<boolean | undefined> {
  const [left, right] = [wordsOf(a), wordsOf(b)];
  if (left === right) return true;
  if (embed === undefined || a.finishReason === 'tool_calls' || b.finishReason === 'tool_calls') return false;
  if (left === '' || right === '') return false;
  const [first, second] = await embed([left, right], { signal });
  if (!isUsable(first) || !isUsable(second) || first.length !== second.length) return undefined;
  const similarity = cosine(quantise(first).values, quantise(second).values);
  if (similarity >= SAME_ANSWER) return true;
  return similarity <= OTHER_ANSWER ? false : undefined;
}
