// Owns the choice of the next token from a row of logits: bias, penalties, mask, temperature, top-k, top-p,
// min-p, and how likely the choice was. Refuses nothing a request may ask; a row without a usable logit is
// a broken decoder and is said so.
import { NearfieldError } from '../../errors.ts';
import { createRandom } from './random.ts';

export interface Sampling {
  /** 0 is greedy. Default 1. */
  readonly temperature?: number | undefined;
  /** 0 keeps all. Default 0. */
  readonly topK?: number | undefined;
  /** Default 1. */
  readonly topP?: number | undefined;
  /** Default 0. */
  readonly minP?: number | undefined;
  /** Source: CTRL, arXiv 1909.05858. Over prompt and answer. Default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** Times how often the answer holds the token. Default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** Once, where the answer holds the token. Default 0. */
  readonly presencePenalty?: number | undefined;
  readonly logitBias?: ReadonlyMap<number, number> | undefined;
  readonly seed: number;
}

export interface Sampler {
  /** Counts a token of the prompt or the answer; penalties look at it from then on. */
  accept(token: number, of: 'prompt' | 'answer'): void;
  /**
   * The next token. `mask` has a bit for each id that may be chosen; a tie goes to the lowest id. Draws
   * one random number, or none when greedy.
   */
  pick(logits: Float32Array, mask?: Uint32Array | undefined): number;
}

export interface Likelihood {
  readonly id: number;
  /** Natural logarithm. */
  readonly logprob: number;
}

export function maskAllows(mask: Uint32Array, id: number): boolean {
  return (mask[id >>> 5]! & (1 << (id & 31))) !== 0;
}

export function createSampler(sampling: Sampling): Sampler {
  const { temperature = 1, repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = sampling;
  const { logitBias } = sampling;
  const random = createRandom(sampling.seed);
  const seen = new Set<number>();
  const counts = new Map<number, number>();
  const changes =
    repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0 || (logitBias?.size ?? 0) > 0;
  let scratch = new Float32Array(0);

  function adjusted(logits: Float32Array): Float32Array {
    if (scratch.length !== logits.length) scratch = new Float32Array(logits.length);
    scratch.set(logits);
    for (const [id, bias] of logitBias ?? []) if (id < scratch.length) scratch[id]! += bias;
    if (repetitionPenalty !== 1) {
      for (const id of seen) {
        const logit = scratch[id]!;
        scratch[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    for (const [id, count] of counts) scratch[id]! -= frequencyPenalty * count + presencePenalty;
    return scratch;
  }

  return {
    accept(token, of) {
      seen.add(token);
      if (of === 'answer') counts.set(token, (counts.get(token) ?? 0) + 1);
    },
    pick(logits, mask) {
      const row = changes ? adjusted(logits) : logits;
      const best = likeliest(row, mask);
      return temperature <= 0 ? best : draw(row, mask, best, temperature, sampling, random());
    },
  };
}

function likeliest(row: Float32Array, mask: Uint32Array | undefined): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < row.length; id += 1) {
    if (row[id]! > most && (mask === undefined || maskAllows(mask, id))) {
      most = row[id]!;
      best = id;
    }
  }
  if (best >= 0) return best;
  throw new NearfieldError('internal', 'The decoder gave no usable logit. Load the model again.');
}

function draw(
  row: Float32Array,
  mask: Uint32Array | undefined,
  best: number,
  temperature: number,
  { topK = 0, topP = 1, minP = 0 }: Sampling,
  chance: number,
): number {
  const most = row[best]!;
  const weightOf = (id: number) => Math.exp((row[id]! - most) / temperature);
  if (topK === 0 && topP >= 1) {
    // Nothing has to be sorted for min-p alone.
    const kept: number[] = [];
    for (let id = 0; id < row.length; id += 1) {
      if ((mask === undefined || maskAllows(mask, id)) && weightOf(id) >= minP) kept.push(id);
    }
    return spin(kept, weightOf, chance);
  }
  return spin(nucleus(row, mask, most, weightOf, { topK, topP, minP, temperature }), weightOf, chance);
}

interface Nucleus {
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly temperature: number;
}

/** Likeliest first: at most topK, of these the fewest that hold topP of their mass, of these those above minP. */
function nucleus(
  row: Float32Array,
  mask: Uint32Array | undefined,
  most: number,
  weightOf: (id: number) => number,
  { topK, topP, minP, temperature }: Nucleus,
): readonly number[] {
  let mass = 0;
  let allowed = 0;
  for (let id = 0; id < row.length; id += 1) {
    if (mask !== undefined && !maskAllows(mask, id)) continue;
    allowed += 1;
    if (topK === 0) mass += weightOf(id);
  }
  const wanted = topK === 0 ? allowed : Math.min(topK, allowed);
  // Only a few of a large vocabulary matter: sort those near the top, and more only when these do not do.
  for (let depth = 8 * temperature; ; depth *= 2) {
    const near: number[] = [];
    for (let id = 0; id < row.length; id += 1) {
      if (row[id]! >= most - depth && (mask === undefined || maskAllows(mask, id))) near.push(id);
    }
    const whole = near.length === allowed || depth > 1e6;
    if (!whole && topK > 0 && near.length < wanted) continue;
    near.sort((a, b) => row[b]! - row[a]! || a - b);
    const ranked = near.slice(0, wanted);
    const total = topK === 0 ? mass : ranked.reduce((sum, id) => sum + weightOf(id), 0);
    const kept = topP >= 1 ? ranked.length : prefixHolding(ranked, weightOf, topP * total);
    if (kept === undefined && !whole) continue;
    return ranked.slice(0, kept ?? ranked.length).filter((id) => weightOf(id) >= minP);
  }
}

/** How many of the ranked hold `share` of the mass; undefined when all of them do not. At least one. */
function prefixHolding(
  ranked: readonly number[],
  weightOf: (id: number) => number,
  share: number,
): number | undefined {
  let sum = 0;
  for (const [at, id] of ranked.entries()) {
    sum += weightOf(id);
    if (sum >= share) return at + 1;
  }
  return undefined;
}

function spin(ids: readonly number[], weightOf: (id: number) => number, chance: number): number {
  const total = ids.reduce((sum, id) => sum + weightOf(id), 0);
  let left = chance * total;
  for (const id of ids) {
    left -= weightOf(id);
    if (left < 0) return id;
  }
  // Rounding can leave a crumb; it belongs to the last.
  return ids[ids.length - 1]!;
}

/** What OpenAI tells of a token that is as good as impossible; JSON has no infinity. Source: its API reference. */
const LEAST_LOGPROB = -9999;

/**
 * Log-probability of `chosen` and of the `top` likeliest, over the whole row as the model gave it: before bias, penalties,
 * mask and temperature, as OpenAI's are and vLLM's by default.
 */
export function likelihoods(
  logits: Float32Array,
  chosen: number,
  top: number,
): { readonly chosen: Likelihood; readonly top: readonly Likelihood[] } {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const normaliser = most + Math.log(sum);
  const of = (id: number): Likelihood => ({ id, logprob: Math.max(LEAST_LOGPROB, logits[id]! - normaliser) });
  return { chosen: of(chosen), top: leaders(logits, top).map(of) };
}

/** The `count` largest, largest first, lowest id first among equals. */
function leaders(row: Float32Array, count: number): readonly number[] {
  const ids: number[] = [];
  if (count === 0) return ids;
  for (let id = 0; id < row.length; id += 1) {
    const last = ids[ids.length - 1];
    if (ids.length === count && row[id]! <= row[last!]!) continue;
    let at = ids.length;
    while (at > 0 && row[ids[at - 1]!]! < row[id]!) at -= 1;
    ids.splice(at, 0, id);
    if (ids.length > count) ids.pop();
  }
  return ids;
}
