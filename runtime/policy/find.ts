// Owns what every pattern file shares: what a find is, and a look back at the words before it.
import type { SpanType } from '../types.ts';

/** Something found in a view's text; offsets are the view's. */
export interface Find {
  readonly start: number;
  readonly end: number;
  readonly type: SpanType;
  /** 0…1; 1 where a checksum holds. */
  readonly score: number;
  /** Which pattern, e.g. `iban`. */
  readonly pattern: string;
}

/** How far back a context word may stand, characters. */
const CONTEXT = 48;

/** Do the words shortly before `at` match? */
export function precededBy(text: string, at: number, words: RegExp): boolean {
  return words.test(text.slice(Math.max(0, at - CONTEXT), at));
}

const WORD_CHAR = /[A-Za-z0-9]/;

/** No letter or digit touches `start`…`end`. */
export function standsAlone(text: string, start: number, end: number): boolean {
  return !WORD_CHAR.test(text.charAt(start - 1)) && !WORD_CHAR.test(text.charAt(end));
}

/** Every match of `pattern`, which is global and matches no nothing. `matchAll` makes a new pattern for each text. */
export function matchesOf(text: string, pattern: RegExp): RegExpExecArray[] {
  const matches: RegExpExecArray[] = [];
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) matches.push(match);
  return matches;
}

/**
 * What {@link matchesOf} would find, whose matches begin at one of `places`, in order, or `lead` characters before at
 * most. `pattern` is sticky.
 */
export function matchesAt(
  text: string,
  pattern: RegExp,
  places: readonly number[],
  lead = 0,
): RegExpExecArray[] {
  const matches: RegExpExecArray[] = [];
  let from = 0;
  for (const place of places) {
    for (let at = Math.max(from, place - lead); at <= place; at += 1) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match === null) continue;
      from = at + match[0].length;
      matches.push(match);
      break;
    }
  }
  return matches;
}
