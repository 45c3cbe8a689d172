// Owns how sure a match is, from what the two readings share and from the cosine of the two embeddings. A
// score, not a probability: the error bound is what gives it a meaning.
import type { Reading } from './reading.ts';

/** What tells two askings of one question from two questions. */
export interface MatchFeatures {
  /** Cosine, -1…1. */
  readonly similarity: number;
  /** Content stems shared, of all in either, 0…1. */
  readonly overlap: number;
  /** Content stems of the shorter found in the longer, 0…1. */
  readonly coverage: number;
  /** Longest common sequence of all stems, 0…1. */
  readonly sequence: number;
  /** Content stems of one text that the other lacks: the fewer of the two sides, and the more. */
  readonly fewerUnmatched: number;
  readonly moreUnmatched: number;
  /** 1 when both ask for the same kind of answer. */
  readonly sameAsking: number;
}

export function featuresOf(asked: Reading, kept: Reading, similarity: number): MatchFeatures {
  const [a, b] = [new Set(asked.content), new Set(kept.content)];
  const shared = [...a].filter((stem) => b.has(stem)).length;
  const [missing, extra] = [a.size - shared, b.size - shared];
  const stems = (reading: Reading): string[] => reading.words.map((word) => word.stem);
  return {
    similarity,
    overlap: shared / Math.max(1, a.size + b.size - shared),
    coverage: shared / Math.max(1, Math.min(a.size, b.size)),
    sequence: sharedSequence(stems(asked), stems(kept)),
    fewerUnmatched: Math.min(missing, extra),
    moreUnmatched: Math.max(missing, extra),
    sameAsking: asked.asks === kept.asks ? 1 : 0,
  };
}

/** 0…1, rising with how sure the match is. */
export function confidenceOf(features: MatchFeatures): number {
  let z = WEIGHTS.bias;
  for (const [name, weight] of Object.entries(WEIGHTS.of))
    z += weight * features[name as keyof MatchFeatures];
  return 1 / (1 + Math.exp(-z / SPREAD));
}

/** Widens the upper end, where thresholds lie, over the bins. */
const SPREAD = 2;

const WEIGHTS: { readonly bias: number; readonly of: Readonly<Record<keyof MatchFeatures, number>> } = {
  bias: -12,
  of: {
    similarity: 16,
    overlap: 1.5,
    coverage: 1,
    sequence: 1.5,
    fewerUnmatched: -0.8,
    moreUnmatched: -0.3,
    sameAsking: 0.3,
  },
};

/** Dice coefficient of the longest common subsequence, 0…1. */
function sharedSequence(a: readonly string[], b: readonly string[]): number {
  if (a.length + b.length === 0) return 1;
  let row = new Uint16Array(b.length + 1);
  for (const word of a) {
    const next = new Uint16Array(b.length + 1);
    for (let at = 0; at < b.length; at += 1) {
      next[at + 1] = word === b[at] ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!);
    }
    row = next;
  }
  return (2 * row[b.length]!) / (a.length + b.length);
}
