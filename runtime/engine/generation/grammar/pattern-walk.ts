// Owns walking a pattern's automaton: sets of states, which lengths still lead to its end, a letter that
// leads there. Refuses nothing; a set that leads nowhere is simply not viable.
import type { Automaton, Range } from './pattern.ts';
import { createNumbering } from './terminal.ts';

export interface PatternWalk {
  readonly start: number;
  /** The set after a code point; may be empty. */
  step(set: number, codePoint: number): number;
  accepts(set: number): boolean;
  /** Some text of `least` to `most` further code points leads to the end. */
  reaches(set: number, least: number, most: number): boolean;
  /** A code point on a shortest such way; undefined where the set is at the end or leads nowhere. */
  towardsEnd(set: number, least: number, most: number): number | undefined;
  /** Code points that may follow, of those from `low` to `high`: one of each range. */
  candidates(set: number, low: number, high: number): readonly number[];
}

export function createPatternWalk({ start, accept, edges, closures }: Automaton): PatternWalk {
  const sets = createNumbering<readonly number[]>((set) => set.join());
  const distances = distancesTo(accept, edges, closures);
  /** reach[k]: states from which exactly k code points lead to the end. */
  const reach: Uint8Array[] = [Uint8Array.from(edges, (_, state) => (state === accept ? 1 : 0))];

  function reachAt(length: number): Uint8Array {
    while (reach.length <= length) {
      const last = reach[reach.length - 1]!;
      reach.push(
        Uint8Array.from(edges, (out) =>
          out.some(({ to }) => closures[to]!.some((state) => last[state] === 1)) ? 1 : 0,
        ),
      );
    }
    return reach[length]!;
  }

  function shortest(set: number, least: number, most: number): number | undefined {
    const states = sets.get(set);
    const nearest = Math.min(...states.map((state) => distances[state]!));
    if (nearest === Number.POSITIVE_INFINITY || nearest > most) return undefined;
    if (least === 0) return nearest;
    // Beyond as many code points as there are states, lengths repeat.
    const last = Math.min(most, least + edges.length);
    for (let length = Math.max(least, nearest); length <= last; length += 1) {
      const row = reachAt(length);
      if (states.some((state) => row[state] === 1)) return length;
    }
    return undefined;
  }

  return {
    start: sets.of(start),
    step(set, codePoint) {
      const next = new Set<number>();
      for (const state of sets.get(set)) {
        for (const { ranges, to } of edges[state]!) {
          if (within(ranges, codePoint)) for (const reached of closures[to]!) next.add(reached);
        }
      }
      return sets.of([...next].sort((a, b) => a - b));
    },
    accepts: (set) => sets.get(set).includes(accept),
    reaches: (set, least, most) => shortest(set, least, most) !== undefined,
    towardsEnd(set, least, most) {
      const length = shortest(set, least, most);
      if (length === undefined || length === 0) return undefined;
      const row = reachAt(length - 1);
      for (const state of sets.get(set)) {
        for (const { ranges, to } of edges[state]!) {
          if (closures[to]!.some((reached) => row[reached] === 1)) return plainest(ranges);
        }
      }
      return undefined;
    },
    candidates(set, low, high) {
      return sets
        .get(set)
        .flatMap((state) => edges[state]!)
        .flatMap(({ ranges }) => ranges)
        .filter(([from, to]) => from <= high && to >= low)
        .map(([from]) => Math.max(from, low));
    },
  };
}

function within(ranges: readonly Range[], codePoint: number): boolean {
  return ranges.some(([low, high]) => codePoint >= low && codePoint <= high);
}

/** A letter, a digit or a space before anything that reads badly. */
function plainest(ranges: readonly Range[]): number {
  for (const wish of [120, 97, 48, 32, 65]) if (within(ranges, wish)) return wish;
  const printable = ranges.find(([, high]) => high > 0x20);
  return printable === undefined ? ranges[0]![0] : Math.max(printable[0], 0x21);
}

/** Fewest code points to the end, a state; infinite where there is none. */
function distancesTo(
  accept: number,
  edges: Automaton['edges'],
  closures: Automaton['closures'],
): readonly number[] {
  const distances = edges.map((_, state) => (state === accept ? 0 : Number.POSITIVE_INFINITY));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [state, out] of edges.entries()) {
      for (const { to } of out) {
        const nearest = 1 + Math.min(...closures[to]!.map((reached) => distances[reached]!));
        if (nearest >= distances[state]!) continue;
        distances[state] = nearest;
        changed = true;
      }
    }
  }
  return distances;
}
