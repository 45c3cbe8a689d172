// Owns labelled pairs as the cache sees them: a kept question, a new one, how near they are, whether the verifier
// refuses, what the guard says. The evaluations of guard and cache measure the same rows.
import { confidenceOf } from '../runtime/cache/calibration.ts';
import { verify } from '../runtime/cache/verify.ts';
import { createNodeGuard } from '../runtime/engine/node.ts';
import type { TextEmbedder } from './embedders.ts';
import { readJsonLines } from './jsonl.ts';
import { averagePrecision } from './ranking.ts';
import { mulberry32 } from './report.ts';

export interface PairRow {
  readonly source?: string;
  readonly split?: string;
  /** What the two texts differ in; of samples written for it. */
  readonly family?: string;
  readonly lang?: string;
  readonly a: string;
  readonly b: string;
  readonly label?: 0 | 1;
  /** 0…1, where people rated likeness: 0.8 and more is the same, 0.6 and less is not, between is left out. */
  readonly score?: number;
}

export interface PairChoice {
  readonly source?: string | undefined;
  readonly split?: string | undefined;
  readonly lang?: string | undefined;
  /** `first` and `second`: halves of a fixed shuffle, so that what is looked at is not what is reported. */
  readonly half?: string | undefined;
  readonly limit?: string | undefined;
}

/** One request: the kept question of its pair is in the cache; would it be served, and rightly? */
export interface Judged {
  readonly similarity: number;
  /** 0…1; what the guard says. */
  readonly guard: number;
  /** What the cache weighs: similarity and guard together. */
  readonly confidence: number;
  /** Its reason, where the verifier finds a difference. */
  readonly refusal: string | undefined;
  readonly wrong: boolean;
  readonly family: string;
}

export async function choosePairs(file: string, choice: PairChoice): Promise<readonly PairRow[]> {
  const rows = (await readJsonLines<PairRow>(file)).filter(
    (row) =>
      (choice.source === undefined || row.source === choice.source) &&
      (choice.split === undefined || row.split === choice.split) &&
      (choice.lang === undefined || row.lang === choice.lang) &&
      (row.label !== undefined || row.score === undefined || row.score >= 0.8 || row.score <= 0.6),
  );
  const shuffled = shuffle(rows);
  const middle = shuffled.length >> 1;
  const halves: Readonly<Record<string, readonly PairRow[]>> = {
    first: shuffled.slice(0, middle),
    second: shuffled.slice(middle),
  };
  const half = choice.half === undefined ? shuffled : halves[choice.half];
  if (half === undefined) throw new RangeError(`Expected half 'first' or 'second', got '${choice.half}'.`);
  return half.slice(0, choice.limit === undefined ? half.length : Number(choice.limit));
}

export async function judgePairs(
  rows: readonly PairRow[],
  embed: TextEmbedder['embed'],
  guardModel?: string,
): Promise<readonly Judged[]> {
  const vectors = await embed(rows.flatMap((row) => [row.a, row.b]));
  const guard = createNodeGuard({ model: guardModel });
  const judged: Judged[] = [];
  for (const [at, row] of rows.entries()) {
    const [kept, asked] = [vectors[2 * at]!, vectors[2 * at + 1]!];
    const similarity = kept.reduce((sum, value, dim) => sum + value * asked[dim]!, 0);
    const said = await guard(row.b, row.a);
    judged.push({
      similarity,
      guard: said,
      confidence: confidenceOf(similarity, said),
      refusal: verify(row.b, row.a),
      wrong: row.label === undefined ? (row.score ?? 0) <= 0.6 : row.label === 0,
      family: row.family ?? row.source ?? 'all',
    });
  }
  return judged;
}

/** A way to decide: served where the score is high enough; undefined is never served. */
export type Score = (request: Judged) => number | undefined;

export const WAYS: Readonly<Record<'similarity' | 'rules' | 'guard' | 'ours', Score>> = Object.freeze({
  similarity: (request) => request.similarity,
  rules: (request) => (request.refusal === undefined ? request.similarity : undefined),
  guard: (request) => request.confidence,
  ours: (request) => (request.refusal === undefined ? request.confidence : undefined),
});

/**
 * The largest share of requests any fixed threshold serves with at most this share wrong: of all requests, or of
 * those served, which is what the cache's error bound holds.
 */
export function mostHits(
  requests: readonly Judged[],
  score: Score,
  target: number,
  of: 'requests' | 'hits' = 'requests',
): number {
  const scored = requests.flatMap((request) => {
    const value = score(request);
    return value === undefined ? [] : [{ value, wrong: request.wrong }];
  });
  scored.sort((a, b) => b.value - a.value);
  let [wrong, most] = [0, 0];
  scored.forEach((request, at) => {
    wrong += request.wrong ? 1 : 0;
    // Equal scores are served or not together.
    const ends = scored[at + 1]?.value !== request.value;
    const counted = of === 'requests' ? requests.length : at + 1;
    if (ends && wrong <= target * counted) most = at + 1;
  });
  return most / requests.length;
}

/** Refused rows come last. */
export function precisionOf(requests: readonly Judged[], score: Score): number {
  return averagePrecision(
    requests.map((request) => score(request) ?? -1),
    requests.map((request) => !request.wrong),
  );
}

export function shuffle<T>(items: readonly T[], seed = 11): T[] {
  const random = mulberry32(seed);
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
