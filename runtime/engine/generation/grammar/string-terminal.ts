// Owns the inside of a JSON string with its closing quote: whole UTF-8, escapes, length in code points, a
// pattern, words it must not be. A byte may follow only where the string can still become a right one.
import type { PatternWalk } from './pattern-walk.ts';
import { createNumbering, type Terminal } from './terminal.ts';

export interface StringBounds {
  /** Code points. */
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly pattern?: PatternWalk | undefined;
  /** Texts it must not be. Not together with a pattern. */
  readonly except?: ReadonlySet<string> | undefined;
}

interface State {
  readonly mode: 'letter' | 'tail' | 'escape' | 'hex' | 'end';
  /** Of the pattern; 0 without one. */
  readonly set: number;
  /** Code points so far, no further than they matter. */
  readonly count: number;
  /** Of `tail` and `hex`: what the bytes so far say, and how many are to come. */
  readonly value: number;
  readonly left: number;
  /** Of `tail`: the least code point that needs as many bytes. */
  readonly floor: number;
  /** The text so far, while it may become an exception. */
  readonly word: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Source: RFC 8259, 7. */
const ESCAPES: ReadonlyMap<number, number> = new Map(
  (
    [
      ['"', 0x22],
      ['\\', 0x5c],
      ['/', 0x2f],
      ['b', 8],
      ['f', 12],
      ['n', 10],
      ['r', 13],
      ['t', 9],
    ] as const
  ).map(([letter, code]) => [letter.charCodeAt(0), code]),
);
const LETTER_X = 0x78;
/** By bytes to come after the first. */
const FLOORS = [0, 0x80, 0x800, 0x10000] as const;

/** Undefined when no string is within the bounds. */
export function createStringTerminal(bounds: StringBounds = {}): Terminal | undefined {
  const { minLength: min = 0, maxLength: max = Number.POSITIVE_INFINITY, pattern, except } = bounds;
  const counts = min > 0 || max !== Number.POSITIVE_INFINITY;
  const states = createNumbering<State>((s) =>
    [s.mode, s.set, s.count, s.value, s.left, s.floor, s.word ?? '\u0000'].join('|'),
  );
  const prefixes = new Set([...(except ?? [])].flatMap((word) => prefixesOf(word)));

  function viable({ set, count }: State): boolean {
    if (count > max) return false;
    if (pattern === undefined) return true;
    return pattern.reaches(set, Math.max(0, min - count), max - count);
  }

  /** After one more code point; undefined where the string can not become right any more. */
  function after(state: State, code: number): State | undefined {
    const word = state.word === undefined ? undefined : state.word + String.fromCodePoint(code);
    const count = state.count + 1;
    const next: State = {
      mode: 'letter',
      set: pattern?.step(state.set, code) ?? 0,
      count: !counts ? 0 : max === Number.POSITIVE_INFINITY ? Math.min(count, min) : count,
      value: 0,
      left: 0,
      floor: 0,
      word: word !== undefined && prefixes.has(word) ? word : undefined,
    };
    return viable(next) ? next : undefined;
  }

  const mayClose = (state: State) =>
    state.mode === 'letter' &&
    state.count >= min &&
    (pattern?.accepts(state.set) ?? true) &&
    !(state.word !== undefined && except?.has(state.word));

  /** Some code point of those the bytes so far allow leads on. */
  function someAfter(state: State, low: number, high: number): number | undefined {
    if (pattern === undefined) return after(state, low) && low;
    return pattern.candidates(state.set, low, high).find((code) => after(state, code) !== undefined);
  }

  function stepLetter(state: State, byte: number): State | undefined {
    if (byte === QUOTE) return mayClose(state) ? { ...state, mode: 'end' } : undefined;
    if (byte < 0x20) return undefined;
    if (byte === BACKSLASH) {
      const escaped: State = { ...state, mode: 'escape' };
      return [...ESCAPES.values()].some((code) => after(state, code)) ? escaped : undefined;
    }
    if (byte < 0x80) return after(state, byte);
    const left = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (byte < 0xc2 || byte > 0xf4) return undefined;
    return tail({ ...state, mode: 'tail', value: byte & (0x3f >> left), left, floor: FLOORS[left]! });
  }

  function tail(state: State): State | undefined {
    const [low, high] = span(state);
    return low <= high && someAfter(state, low, high) !== undefined ? state : undefined;
  }

  function stepTail(state: State, byte: number): State | undefined {
    if ((byte & 0xc0) !== 0x80) return undefined;
    const value = (state.value << 6) | (byte & 0x3f);
    if (state.left > 1) return tail({ ...state, value, left: state.left - 1 });
    // What is too long for its value, or a surrogate, was seen by `span` while its bytes came.
    return tail({ ...state, value, left: 0 }) && after(state, value);
  }

  function stepEscape(state: State, byte: number): State | undefined {
    const code = ESCAPES.get(byte);
    if (code !== undefined) return after(state, code);
    // A pattern's letters are written as they are, so its states need no fourth kind of spelling.
    if (byte !== 0x75 || pattern !== undefined) return undefined;
    return { ...state, mode: 'hex', value: 0, left: 4 };
  }

  function stepHex(state: State, byte: number): State | undefined {
    const digit = Number.parseInt(String.fromCharCode(byte), 16);
    if (!(digit >= 0)) return undefined;
    const value = state.value * 16 + digit;
    // Surrogates come in pairs or not at all; beyond U+FFFF the letter itself is written.
    if (state.left === 3 && value >= 0xd8 && value <= 0xdf) return undefined;
    return state.left > 1 ? { ...state, value, left: state.left - 1 } : after(state, value);
  }

  const steps = {
    letter: stepLetter,
    tail: stepTail,
    escape: stepEscape,
    hex: stepHex,
    end: () => undefined,
  };

  function step(state: number, byte: number): number {
    const from = states.get(state);
    const next = steps[from.mode](from, byte);
    return next === undefined ? -1 : states.of(next);
  }

  /** Bytes of a code point that leads towards the end. */
  function advance(state: State): readonly number[] {
    if (state.mode === 'tail') {
      const code = someAfter(state, ...span(state))!;
      return bytesOf(String.fromCodePoint(code)).slice(-state.left);
    }
    if (state.mode === 'escape') {
      return [[...ESCAPES].find(([, code]) => after(state, code) !== undefined)![0]];
    }
    if (state.mode === 'hex') return Array<number>(state.left).fill(0x30);
    const code =
      pattern?.towardsEnd(state.set, Math.max(0, min - state.count), max - state.count) ?? LETTER_X;
    return bytesOf(JSON.stringify(String.fromCodePoint(code)).slice(1, -1));
  }

  function closing(state: number): readonly number[] {
    const bytes: number[] = [];
    let at = state;
    while (states.get(at).mode !== 'end') {
      const from = states.get(at);
      const more = mayClose(from) ? [QUOTE] : advance(from);
      for (const byte of more) at = step(at, byte);
      bytes.push(...more);
    }
    return bytes;
  }

  function alike(state: number, reach: number): number {
    const from = states.get(state);
    if (!counts || pattern !== undefined || max - from.count <= reach) return state;
    if (from.count >= min) return max - min > reach ? states.of({ ...from, count: min }) : state;
    return min - from.count > reach ? states.of({ ...from, count: 0 }) : state;
  }

  const begin: State = {
    mode: 'letter',
    set: pattern?.start ?? 0,
    count: 0,
    value: 0,
    left: 0,
    floor: 0,
    word: except === undefined ? undefined : '',
  };
  if (min > max || !viable(begin)) return undefined;
  return {
    start: states.of(begin),
    step,
    accepts: (at) => states.get(at).mode === 'end',
    more: (at) => states.get(at).mode !== 'end',
    closing,
    alike,
  };
}

/** Code points that the bytes so far can become; empty where low exceeds high. Source: RFC 3629, 4. */
function span({ value, left, floor }: State): [low: number, high: number] {
  const first = value << (6 * left);
  let low = Math.max(first, floor);
  let high = Math.min(first + 2 ** (6 * left) - 1, 0x10ffff);
  if (low >= 0xd800 && low <= 0xdfff) low = 0xe000;
  if (high >= 0xd800 && high <= 0xdfff) high = 0xd7ff;
  return [low, high];
}

function bytesOf(text: string): readonly number[] {
  return [...new TextEncoder().encode(text)];
}

function prefixesOf(word: string): string[] {
  const letters = [...word];
  return [...letters.keys(), letters.length].map((length) => letters.slice(0, length).join(''));
}
