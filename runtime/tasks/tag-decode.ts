// Owns label scores to spans: the best path in which a name begins before it goes on and a word is never cut
// in two. Labels are O, then B and I of each kind.
import { PIECE, type TagTokens } from './tag-tokens.ts';

/** A run of tokens of one kind. */
export interface TaggedRun {
  /** Token positions, end exclusive. */
  readonly first: number;
  readonly last: number;
  /** Index into the tagger's kinds. */
  readonly kind: number;
  /** 0…1: mean over its tokens of how sure the model is that this is somebody's. */
  readonly score: number;
}

export interface DecodeOptions {
  readonly kinds: number;
  /** Label scores a token; the first 1 + 2 * kinds are read. */
  readonly width: number;
  /** Taken from the score of "nobody's": above 0 finds more and errs more. */
  readonly bias: number;
}

const NEVER = -1e9;

/** Best path over one window: tokens `from`…`to` of a text, `scores` [to - from, width]. Viterbi. */
export function decodeWindow(
  scores: Float32Array,
  tokens: TagTokens,
  from: number,
  to: number,
  options: DecodeOptions,
): TaggedRun[] {
  const labels = 1 + 2 * options.kinds;
  const count = to - from;
  const back = new Uint8Array(count * labels);
  let previous = new Float64Array(labels).fill(NEVER);
  let current = new Float64Array(labels);
  previous[0] = 0;
  for (let at = 0; at < count; at += 1) {
    const continues = at > 0 && (tokens.types[from + at]! & 3) === PIECE;
    step(
      scores.subarray(at * options.width),
      previous,
      current,
      back.subarray(at * labels),
      continues,
      options,
    );
    [previous, current] = [current, previous];
  }
  return runsOf(bestPath(previous, back, count, labels), scores, from, options);
}

function step(
  scores: Float32Array,
  previous: Float64Array,
  current: Float64Array,
  back: Uint8Array,
  continues: boolean,
  options: DecodeOptions,
): void {
  const labels = 1 + 2 * options.kinds;
  let best = 0;
  for (let label = 1; label < labels; label += 1) if (previous[label]! > previous[best]!) best = label;
  const outside = continues ? 0 : best;
  back[0] = outside;
  current[0] = previous[outside]! + scores[0]! - options.bias;
  for (let begin = 1; begin < labels; begin += 2) {
    const inside = begin + 1;
    back[begin] = best;
    current[begin] = continues ? NEVER : previous[best]! + scores[begin]!;
    const before = previous[begin]! >= previous[inside]! ? begin : inside;
    back[inside] = before;
    current[inside] = Math.max(NEVER, previous[before]! + scores[inside]!);
  }
}

function bestPath(last: Float64Array, back: Uint8Array, count: number, labels: number): Uint8Array {
  const path = new Uint8Array(count);
  let label = 0;
  for (let other = 1; other < labels; other += 1) if (last[other]! > last[label]!) label = other;
  for (let at = count - 1; at >= 0; at -= 1) {
    path[at] = label;
    label = back[at * labels + label]!;
  }
  return path;
}

function runsOf(path: Uint8Array, scores: Float32Array, from: number, options: DecodeOptions): TaggedRun[] {
  const runs: TaggedRun[] = [];
  for (let at = 0; at < path.length; ) {
    const label = path[at]!;
    if (label === 0) {
      at += 1;
      continue;
    }
    const kind = (label - 1) >> 1;
    let end = at + 1;
    while (end < path.length && path[end] === 2 + 2 * kind) end += 1;
    let score = 0;
    for (let token = at; token < end; token += 1) score += somebodys(scores, token, options);
    runs.push({ first: from + at, last: from + end, kind, score: score / (end - at) });
    at = end;
  }
  return runs;
}

/** Probability of any label but O, by softmax. */
function somebodys(scores: Float32Array, token: number, { kinds, width, bias }: DecodeOptions): number {
  const base = token * width;
  const outside = scores[base]! - bias;
  let sum = 0;
  for (let label = 1; label <= 2 * kinds; label += 1) sum += Math.exp(scores[base + label]! - outside);
  return sum === Number.POSITIVE_INFINITY ? 1 : sum / (1 + sum);
}
