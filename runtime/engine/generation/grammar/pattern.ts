// Owns regular expressions of schemas as automata over code points. Takes the part of ECMAScript's that is
// regular and says which part of the rest it met. Source: ECMA-262, 22.2.1, with the `u` flag.
import { unsupported } from './refusals.ts';

/** Code points from `low` to `high`, both inclusive. */
export type Range = readonly [low: number, high: number];

export interface Automaton {
  /** States from which `start` goes on its own. */
  readonly start: readonly number[];
  readonly accept: number;
  /** Consuming edges a state. */
  readonly edges: readonly (readonly Edge[])[];
  /** States reached from a state for nothing, itself included. */
  readonly closures: readonly (readonly number[])[];
}

export interface Edge {
  readonly ranges: readonly Range[];
  readonly to: number;
}

type Node =
  | { readonly kind: 'set'; readonly ranges: readonly Range[] }
  | { readonly kind: 'concat' | 'or'; readonly items: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number };

export const MAX_STATES = 6000;
const MAX_CODE_POINT = 0x10ffff;
/** What a JSON string can hold here: everything but lone surrogates and controls without a short escape. */
export const WRITABLE: readonly Range[] = [
  [8, 10],
  [12, 13],
  [0x20, 0xd7ff],
  [0xe000, MAX_CODE_POINT],
];
const DIGIT: readonly Range[] = [[48, 57]];
const WORD: readonly Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const SPACE: readonly Range[] = [
  [9, 13],
  [32, 32],
  [160, 160],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: readonly Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const ANY: Node = { kind: 'set', ranges: [[0, MAX_CODE_POINT]] };
const ANYTHING: Node = { kind: 'repeat', item: ANY, min: 0, max: Number.POSITIVE_INFINITY };

/** No lookarounds: pattern-looks.ts has those that can be had. @throws invalid-request naming the part that is not taken */
export function compilePlain(source: string, at: string): Automaton {
  const letters = [...source];
  let index = 0;
  const peek = () => letters[index];
  const refuse = (what: string): never => unsupported(at, `pattern with ${what} is not supported`);

  function alternatives(depth: number): Node {
    const items = [branch(depth)];
    while (peek() === '|') {
      index += 1;
      items.push(branch(depth));
    }
    return items.length === 1 ? items[0]! : { kind: 'or', items };
  }

  /** A pattern matches anywhere in the text unless it is anchored. */
  function branch(depth: number): Node {
    const items: Node[] = [];
    if (peek() === '^' && depth === 0) index += 1;
    else if (depth === 0) items.push(ANYTHING);
    let anchored = false;
    for (let letter = peek(); letter !== undefined && letter !== '|' && letter !== ')'; letter = peek()) {
      if (anchored) refuse('$ inside');
      if (letter === '$' && depth === 0) {
        anchored = true;
        index += 1;
      } else items.push(quantified(depth));
    }
    if (depth === 0 && !anchored) items.push(ANYTHING);
    return { kind: 'concat', items };
  }

  function quantified(depth: number): Node {
    const item = atom(depth);
    const rest = letters.slice(index).join('');
    const sign = /^(?:[*+?]|\{(\d+)(,)?(\d+)?\})\??/.exec(rest);
    if (sign === null) return item;
    index += [...sign[0]].length;
    if (/^[*+?]/.test(letters[index] ?? '')) refuse('two quantifiers');
    const infinite = Number.POSITIVE_INFINITY;
    if (sign[0].startsWith('*')) return { kind: 'repeat', item, min: 0, max: infinite };
    if (sign[0].startsWith('+')) return { kind: 'repeat', item, min: 1, max: infinite };
    if (sign[0].startsWith('?')) return { kind: 'repeat', item, min: 0, max: 1 };
    const min = Number(sign[1]);
    const max = sign[2] === undefined ? min : sign[3] === undefined ? infinite : Number(sign[3]);
    if (max < min) refuse('numbers out of order in {}');
    return { kind: 'repeat', item, min, max };
  }

  function atom(depth: number): Node {
    const letter = letters[index++]!;
    if (letter === '(') return group(depth);
    if (letter === '[') return { kind: 'set', ranges: set() };
    if (letter === '.') return { kind: 'set', ranges: complement(LINE_ENDS) };
    if (letter === '\\') return { kind: 'set', ranges: escaped(false) };
    if (/[\^$*+?{}\])]/.test(letter)) return refuse(`${letter} there`);
    return { kind: 'set', ranges: [one(letter)] };
  }

  function group(depth: number): Node {
    if (peek() === '?') {
      index += 1;
      const kind = letters[index++];
      if (kind === '<' && /[A-Za-z_$]/.test(peek() ?? '')) index = letters.indexOf('>', index) + 1;
      else if (kind !== ':') return refuse('lookaround or a group option');
    }
    const inner = alternatives(depth + 1);
    if (letters[index++] !== ')') return refuse('an open group');
    return inner;
  }

  function set(): readonly Range[] {
    const negated = peek() === '^';
    if (negated) index += 1;
    const ranges: Range[] = [];
    while (peek() !== ']') {
      if (peek() === undefined) return refuse('an open set');
      const from = member();
      const isRange = peek() === '-' && letters[index + 1] !== ']' && letters[index + 1] !== undefined;
      if (!isRange) {
        ranges.push(...from);
        continue;
      }
      index += 1;
      const to = member();
      const [low, high] = [from[0]![0], to[0]![1]];
      if (from.length > 1 || to.length > 1 || high < low) return refuse('a range of sets');
      ranges.push([low, high]);
    }
    index += 1;
    return negated ? complement(ranges) : normalise(ranges);
  }

  function member(): readonly Range[] {
    const letter = letters[index++]!;
    return letter === '\\' ? escaped(true) : [one(letter)];
  }

  function escaped(inSet: boolean): readonly Range[] {
    const letter = letters[index++];
    const known = letter === undefined ? undefined : ESCAPES[letter];
    if (known !== undefined) return known;
    if (inSet && letter === 'b') return [[8, 8]];
    if (letter === 'x' || letter === 'u') return [hex(letter)];
    if (letter !== undefined && /[\^$\\.*+?()[\]{}|/-]/.test(letter)) return [one(letter)];
    return refuse(`\\${letter ?? ''}`);
  }

  function hex(kind: string): Range {
    const rest = letters.slice(index).join('');
    const match =
      kind === 'x' ? /^([0-9a-f]{2})/i.exec(rest) : /^(?:\{([0-9a-f]+)\}|([0-9a-f]{4}))/i.exec(rest);
    const value = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16);
    if (match === null || !(value <= MAX_CODE_POINT)) return refuse(`\\${kind} without its digits`);
    index += match[0].length;
    return [value, value];
  }

  const tree = alternatives(0);
  if (index < letters.length) refuse(`${letters[index]} there`);
  return build(tree, () => refuse(`more than ${MAX_STATES} states`));
}

const ESCAPES: Readonly<Record<string, readonly Range[]>> = Object.freeze({
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
  t: [[9, 9]],
  n: [[10, 10]],
  v: [[11, 11]],
  f: [[12, 12]],
  r: [[13, 13]],
  0: [[0, 0]],
});

function one(letter: string): Range {
  const code = letter.codePointAt(0)!;
  return [code, code];
}

function normalise(ranges: readonly Range[]): readonly Range[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = merged[merged.length - 1];
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else merged.push([low, high]);
  }
  return merged;
}

function complement(ranges: readonly Range[]): readonly Range[] {
  const gaps: Range[] = [];
  let from = 0;
  for (const [low, high] of normalise(ranges)) {
    if (low > from) gaps.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= MAX_CODE_POINT) gaps.push([from, MAX_CODE_POINT]);
  return gaps;
}

export function intersect(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  return normalise(
    a.flatMap(([low, high]) =>
      b.flatMap(([from, to]): Range[] =>
        Math.max(low, from) <= Math.min(high, to) ? [[Math.max(low, from), Math.min(high, to)]] : [],
      ),
    ),
  );
}

/** Thompson's construction. */
function build(tree: Node, tooLarge: () => never): Automaton {
  const edges: Edge[][] = [];
  const free: number[][] = [];
  const state = (): number => {
    if (edges.length >= MAX_STATES) tooLarge();
    edges.push([]);
    free.push([]);
    return edges.length - 1;
  };

  /** Adds `node` after `from`; returns where it ends. */
  function add(node: Node, from: number): number {
    if (node.kind === 'set') {
      const to = state();
      const ranges = intersect(node.ranges, WRITABLE);
      if (ranges.length > 0) edges[from]!.push({ ranges, to });
      return to;
    }
    if (node.kind === 'concat') return node.items.reduce((at, item) => add(item, at), from);
    const end = state();
    if (node.kind === 'repeat') return repeat(node, from, end);
    for (const item of node.items) free[add(item, from)]!.push(end);
    return end;
  }

  function repeat(
    { item, min, max }: { readonly item: Node; readonly min: number; readonly max: number },
    from: number,
    end: number,
  ): number {
    let at = from;
    for (let count = 0; count < min; count += 1) at = add(item, at);
    if (max === Number.POSITIVE_INFINITY) {
      const loop = state();
      free[at]!.push(loop);
      free[add(item, loop)]!.push(loop);
      free[loop]!.push(end);
      return end;
    }
    for (let count = min; count < max; count += 1) {
      free[at]!.push(end);
      at = add(item, at);
    }
    free[at]!.push(end);
    return end;
  }

  const begin = state();
  const accept = add(tree, begin);
  const closures = free.map((_, at) => closureOf(at, free));
  return { start: closures[begin]!, accept, edges, closures };
}

function closureOf(from: number, free: readonly (readonly number[])[]): readonly number[] {
  const seen = new Set([from]);
  const open = [from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const next of free[at]!) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
  return [...seen].sort((a, b) => a - b);
}
