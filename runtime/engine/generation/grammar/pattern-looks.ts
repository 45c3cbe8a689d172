// Owns patterns that begin with lookaheads, as those of e-mail addresses do: what they ask is had by taking texts
// in common or by leaving texts out. Lookarounds anywhere else are refused, by name.
import { type Automaton, compilePlain, MAX_STATES } from './pattern.ts';
import { allBut, bothOf } from './pattern-sets.ts';
import { unsupported } from './refusals.ts';

/** Lookaheads are taken where a pattern that has one way begins with them. @throws invalid-request naming the part that is not */
export function compilePattern(source: string, at: string): Automaton {
  const { looks, rest } = leadingLooks(source);
  const tooLarge = () => unsupported(at, `pattern of more than ${MAX_STATES} states is not supported`);
  return looks.reduce(
    (sum, { ways, wanted }) => {
      const seen = compilePlain(ways.map((way) => `^${way}`).join('|'), at);
      return bothOf(sum, wanted ? seen : allBut(seen, tooLarge), tooLarge);
    },
    compilePlain(rest, at),
  );
}

interface Look {
  readonly ways: readonly string[];
  readonly wanted: boolean;
}

/** `^(?=…)(?!…)…`, apart; nothing where a bar or a group within would change what they speak of. */
function leadingLooks(source: string): { readonly looks: readonly Look[]; readonly rest: string } {
  const looks: Look[] = [];
  let rest = source;
  for (let found = LOOK.exec(rest); found !== null; found = LOOK.exec(rest)) {
    const { sign = '', inner = '' } = found.groups!;
    looks.push({ ways: waysOf(inner), wanted: sign === '=' });
    rest = `^${rest.slice(found[0].length)}`;
  }
  const oneWay = looks.length > 0 && waysOf(rest).length === 1;
  return oneWay ? { looks, rest } : { looks: [], rest: source };
}

/** One level of groups within is enough for what people write. */
const LOOK =
  /^\^\(\?(?<sign>[=!])(?<inner>(?:[^()[\]\\]|\\.|\[(?:[^\]\\]|\\.)*\]|\((?:[^()[\]\\]|\\.|\[(?:[^\]\\]|\\.)*\])*\))*)\)/su;

/** Its alternatives; bars in groups and sets are theirs. */
function waysOf(source: string): readonly string[] {
  const ways = [''];
  let depth = 0;
  for (const [piece] of source.matchAll(/\\.|\[(?:[^\]\\]|\\.)*\]|./gsu)) {
    if (piece === '(') depth += 1;
    if (piece === ')') depth -= 1;
    if (piece === '|' && depth === 0) ways.push('');
    else ways[ways.length - 1] += piece;
  }
  return ways;
}
