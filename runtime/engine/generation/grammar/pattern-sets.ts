// Owns what two patterns have in common and what a pattern leaves over, as automata again: several patterns of one
// string, and the lookaheads with which a pattern may begin. Refuses what grows beyond bounds.
import { type Automaton, type Edge, intersect, MAX_STATES, type Range, WRITABLE } from './pattern.ts';
import { createNumbering } from './terminal.ts';

/** Pairs looked at for one pattern with another: a schema comes from whoever asks, and this takes memory. */
const MAX_CROSSED = 500_000;

/** Texts that both take. */
export function bothOf(a: Automaton, b: Automaton, tooLarge: () => never): Automaton {
  const pairs = createNumbering<readonly [number, number]>(([p, q]) => `${p},${q}`);
  const edges: Edge[][] = [];
  const closures: (readonly number[])[] = [];
  let crossed = 0;
  const across = (some: readonly number[], others: readonly number[]): readonly number[] => {
    crossed += some.length * others.length;
    if (crossed > MAX_CROSSED || pairs.size() > MAX_STATES) tooLarge();
    return some.flatMap((p) => others.map((q) => pairs.of([p, q])));
  };
  const start = across(a.start, b.start);
  const accept = pairs.of([a.accept, b.accept]);
  for (let at = 0; at < pairs.size(); at += 1) {
    const [p, q] = pairs.get(at);
    closures.push(across(a.closures[p]!, b.closures[q]!));
    edges.push(
      a.edges[p]!.flatMap((one) =>
        b.edges[q]!.flatMap((other): Edge[] => {
          const ranges = intersect(one.ranges, other.ranges);
          return ranges.length === 0 ? [] : [{ ranges, to: pairs.of([one.to, other.to]) }];
        }),
      ),
    );
  }
  return { start, accept, edges, closures };
}

/** Texts that it does not take, of all that a JSON string can hold here. */
export function allBut(automaton: Automaton, tooLarge: () => never): Automaton {
  const sets = createNumbering<readonly number[]>((set) => set.join());
  const letters = classesOf(automaton);
  const edges: Edge[][] = [];
  const first = sets.of(automaton.start);
  for (let at = 0; at < sets.size(); at += 1) {
    if (at >= MAX_STATES) tooLarge();
    edges.push(
      letters.map((range) => ({ ranges: [range], to: sets.of(after(automaton, sets.get(at), range)) })),
    );
  }
  const accept = edges.length;
  // Where the pattern is not at its end, what it leaves over is.
  const closures = edges.map((_, at) => (sets.get(at).includes(automaton.accept) ? [at] : [at, accept]));
  return { start: closures[first]!, accept, edges: [...edges, []], closures: [...closures, [accept]] };
}

function after({ edges, closures }: Automaton, set: readonly number[], [letter]: Range): readonly number[] {
  const next = new Set<number>();
  for (const state of set) {
    for (const { ranges, to } of edges[state]!) {
      if (!ranges.some(([low, high]) => letter >= low && letter <= high)) continue;
      for (const reached of closures[to]!) next.add(reached);
    }
  }
  return [...next].sort((a, b) => a - b);
}

/** Ranges within which no edge tells one letter from another. */
function classesOf({ edges }: Automaton): readonly Range[] {
  const cuts = new Set<number>();
  const ranges = [...edges.flat().flatMap((edge) => edge.ranges), ...WRITABLE];
  for (const [low, high] of ranges) cuts.add(low).add(high + 1);
  const sorted = [...cuts].sort((a, b) => a - b);
  const pieces = sorted.slice(0, -1).map((low, at): Range => [low, sorted[at + 1]! - 1]);
  return pieces.filter(([low]) => WRITABLE.some(([from, to]) => low >= from && low <= to));
}
