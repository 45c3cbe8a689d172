// Owns the promise "at most this share of similar hits is wrong": which confidence a match must have, for a
// scope and a kind of question, given what was seen to be right and wrong there.
//
// Method. Matches are binned by confidence: similarity, or what similarity and guard say together. A threshold is the hypothesis "of the matches at or above it more
// than `target` are wrong", tested with the exact binomial test. Thresholds are walked from the highest down,
// each walk ending at the first it cannot reject; walks start where 1, 2 and 4 times the least number of
// matches that could show the target lie above, and share the error of 1 - certainty. Where a walk starts
// depends on no label, so all of it errs with probability at most 1 - certainty. Source: multi-start
// fixed-sequence testing in "Learn then Test" (Angelopoulos et al. 2021, arXiv 2110.01052); that a cache's
// threshold should be learned under a bound: vCache (Schroeder et al. 2025, arXiv 2502.03771). Holds for
// matches drawn like those observed: every match below the threshold is seen when its request is answered anew,
// of those above only the explored share, which weighs the sample toward the worse. Until a scope has as many
// observations as a proof takes, a shipped threshold stands, raised as soon as they speak against it.
import { SHIPPED_GUARDED_THRESHOLD, SHIPPED_THRESHOLD } from './calibration.ts';
import { leastTrials, rateIsAbove, rateIsAtMost } from './statistics.ts';

export interface BoundOptions {
  /** Wrong among similar hits that is tolerated. Default 0.01. */
  readonly target?: number | undefined;
  /** Confidence of the statement, 0…1. Default 0.95. */
  readonly certainty?: number | undefined;
  /** `false` starts from nothing: no similar hit until the scope has shown it. Default true. */
  readonly shipped?: boolean | undefined;
}

/** Where a decision is taken: observations of one place say nothing about another. */
export interface BoundPlace {
  readonly scopeHash: string;
  /** What is asked for, as `reading.ts` tells it. */
  readonly kind: string;
  /** Confidence is that of similarity and guard together: another scale, learned for itself. */
  readonly guarded?: boolean | undefined;
}

export interface ErrorBound {
  /** The least confidence at which the bound holds; Infinity where it holds nowhere. */
  threshold(place: BoundPlace): number;
  /** As {@link threshold}, without the shipped start: what the place has shown itself. */
  shown(place: BoundPlace): number;
  /** Notes one match. Returns the row to keep. */
  observe(place: BoundPlace, confidence: number, right: boolean): Readonly<Record<string, string>>;
  /** Forgets a scope. Returns the keys of its rows. */
  forget(scopeHash: string): readonly string[];
}

/** What a place has shown, and what is used there. */
interface Thresholds {
  readonly shown: number;
  readonly used: number;
}

export const BOUND_PREFIX = 'bound/';

/** Confidences from {@link LEAST_BINNED} to 1 in equal bins; a threshold is a bin's lower edge. */
export const BINS = 100;
const LEAST_BINNED = 0.5;
/** Past this many observations all are halved, so that a scope that changed is learned anew. Unmeasured. */
const FORGETS_AT = 5_000;

interface Bins {
  total: number;
  readonly right: Float64Array;
  readonly wrong: Float64Array;
}

export function createErrorBound(options: BoundOptions, kept: ReadonlyMap<string, string>): ErrorBound {
  const { target = 0.01, certainty = 0.95, shipped = true } = options;
  const places = new Map<string, Bins>();
  const thresholds = new Map<string, Thresholds>();
  for (const [key, value] of kept) {
    const bins = readBins(value);
    if (bins !== undefined) places.set(key, bins);
  }

  /** Infinity where nothing is shown yet. */
  function shownBy(key: string): number {
    const own = places.get(key) ?? emptyBins();
    if (own.total < STARTS[0]! * leastTrials(target, certainty)) return Number.POSITIVE_INFINITY;
    return lowestThreshold(own, target, certainty);
  }

  function startOf(key: string, { guarded }: BoundPlace): number {
    if (!shipped) return Number.POSITIVE_INFINITY;
    const start = guarded === true ? SHIPPED_GUARDED_THRESHOLD : SHIPPED_THRESHOLD;
    return unrefuted(places.get(key) ?? emptyBins(), start, target, certainty);
  }

  function thresholdsOf(place: BoundPlace): Thresholds {
    const key = keyOf(place);
    const known = thresholds.get(key);
    if (known !== undefined) return known;
    const shown = shownBy(key);
    const found = { shown, used: shown < Number.POSITIVE_INFINITY ? shown : startOf(key, place) };
    thresholds.set(key, found);
    return found;
  }

  return {
    threshold: (place) => thresholdsOf(place).used,
    shown: (place) => thresholdsOf(place).shown,
    observe(place, confidence, right) {
      const key = keyOf(place);
      const bins = places.get(key) ?? emptyBins();
      places.set(key, bins);
      (right ? bins.right : bins.wrong)[binOf(confidence)]! += 1;
      bins.total += 1;
      if (bins.total > FORGETS_AT) halve(bins);
      thresholds.delete(key);
      return { [key]: writeBins(bins) };
    },
    forget(scopeHash) {
      const keys = [...places.keys()].filter((key) => key.startsWith(`${BOUND_PREFIX}${scopeHash}/`));
      for (const key of keys) {
        places.delete(key);
        thresholds.delete(key);
      }
      return keys;
    },
  };
}

/** Starts of the walks, in multiples of the least number of matches that could show the target. */
const STARTS = [1, 2, 4];

/** The lowest threshold at which the target is shown, by the method above; Infinity where none is. */
export function lowestThreshold(
  { right, wrong }: Readonly<Record<'right' | 'wrong', ArrayLike<number>>>,
  target: number,
  certainty: number,
): number {
  const share = 1 - (1 - certainty) / STARTS.length;
  const least = leastTrials(target, share);
  const walks = STARTS.map((start) => ({ from: start * least, ended: false }));
  let [total, failed] = [0, 0];
  let lowest = Number.POSITIVE_INFINITY;
  for (let bin = BINS - 1; bin >= 0; bin -= 1) {
    const added = (right[bin] ?? 0) + (wrong[bin] ?? 0);
    total += added;
    failed += wrong[bin] ?? 0;
    // An empty bin shows nothing about itself.
    if (added === 0 || total < least) continue;
    const shown = rateIsAtMost(failed, total, target, share);
    for (const walk of walks) if (total >= walk.from && !shown) walk.ended = true;
    if (shown && walks.some((walk) => total >= walk.from && !walk.ended)) lowest = edgeOf(bin);
    if (walks.every((walk) => walk.ended)) break;
  }
  return lowest;
}

/**
 * The lowest threshold from `start` up that the observations do not speak against: that it keeps the target is
 * refused where as many wrong ones would come by chance in at most 1 - certainty of cases.
 */
function unrefuted({ right, wrong }: Bins, start: number, target: number, certainty: number): number {
  let [total, failed] = [0, 0];
  let lowest = Number.POSITIVE_INFINITY;
  for (let bin = BINS - 1; bin >= binOf(start); bin -= 1) {
    total += right[bin]! + wrong[bin]!;
    failed += wrong[bin]!;
    if (rateIsAbove(failed, total, target, certainty)) return lowest;
    lowest = edgeOf(bin);
  }
  return Math.max(lowest, start);
}

function edgeOf(bin: number): number {
  return LEAST_BINNED + (bin * (1 - LEAST_BINNED)) / BINS;
}

function binOf(confidence: number): number {
  // The nudge keeps an edge in the bin it opens.
  const bin = Math.floor(((confidence - LEAST_BINNED) / (1 - LEAST_BINNED)) * BINS + 1e-9);
  return Math.min(BINS - 1, Math.max(0, bin));
}

function keyOf(place: BoundPlace): string {
  return `${BOUND_PREFIX}${place.scopeHash}/${place.kind}${place.guarded === true ? '+guard' : ''}`;
}

function emptyBins(): Bins {
  return { total: 0, right: new Float64Array(BINS), wrong: new Float64Array(BINS) };
}

function halve(bins: Bins): void {
  for (const side of [bins.right, bins.wrong]) side.set(side.map((count) => count / 2));
  bins.total /= 2;
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

function writeBins({ right, wrong }: Bins): string {
  return JSON.stringify([[...right], [...wrong]]);
}

function readBins(stored: string): Bins | undefined {
  try {
    const sides: unknown = JSON.parse(stored);
    if (!Array.isArray(sides) || sides.length !== 2 || !sides.every(isCounts)) return undefined;
    const [right, wrong] = sides.map((side) => Float64Array.from(side));
    return { total: sum(right!) + sum(wrong!), right: right!, wrong: wrong! };
  } catch {
    return undefined;
  }
}

function isCounts(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length === BINS &&
    value.every((count) => typeof count === 'number' && count >= 0)
  );
}
