// Owns the one cheap look at a text that says which patterns can match in it at all, and where: a table of character
// classes, a few counters, one pass. It may say "perhaps" too often and never "no" in error: what a pattern finds
// must not depend on it, so every pattern can be asked everywhere as well, and a test compares the two.

import { matchesOf } from './find.ts';
import { type Words, wordsAt } from './heads.ts';

/** A stretch of a text and the digits in it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly digits: number;
}

export interface Survey {
  /** Digits in the text, of ASCII, as all below. */
  readonly digits: number;
  /** The most digits without a letter between them. */
  readonly crowd: number;
  /** Runs without a blank, of {@link RUN} characters or more: keys, tokens, links. */
  readonly runs: readonly Stretch[];
  /** Runs of base64's characters, of {@link CODED} or more. */
  readonly coded: readonly Stretch[];
  /** Twelve hexadecimal digits with nothing but their separators between them. */
  readonly hex: boolean;
  /** Two colons with four characters between them at most, as an IPv6 address has them. */
  readonly colons: boolean;
  /** Where words begin, and with what; undefined: every trigger is asked at every place. */
  words(): Words | undefined;
}

/** A link with a user and a password, at its shortest; keys are longer. */
export const RUN = 9;
/** Fewer characters of base64 hold no identifier. */
export const CODED = 8;
const HEX_DIGITS = 12;
const COLON_GAP = 5;

const DIGIT = 1;
const LETTER = 2;
/** A letter, a digit or an underscore. */
const WORD = 4;
const BASE64 = 8;
const BLANK = 16;
const COLON = 32;
/** What has a branch of its own below. */
const KINDS = 63;
const HEX = 64;
/** Digits of hexadecimal and what stands between them. */
const HEXISH = 128;

/** By code unit; what is not ASCII is no letter and no blank, and may stand between hexadecimal digits. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 129 }, (_, code) => {
  const char = String.fromCharCode(code);
  const kinds: readonly (readonly [number, RegExp])[] = [
    [DIGIT, /[0-9]/],
    [LETTER, /[A-Za-z]/],
    [WORD, /\w/],
    [BASE64, /[A-Za-z0-9+/_-]/],
    [BLANK, /[\t-\r ]/],
    [COLON, /:/],
    [HEX, /[0-9A-Fa-f]/],
    [HEXISH, /[0-9A-Fa-f\s:,;\\x\x80-]/],
  ];
  return kinds.reduce((all, [kind, shape]) => (shape.test(char) ? all | kind : all), 0);
});

export function surveyOf(text: string): Survey {
  const runs: Stretch[] = [];
  const coded: Stretch[] = [];
  const words: number[] = [];
  let [digits, crowd, most] = [0, 0, 0];
  let [hexDigits, mostHex] = [0, 0];
  let [colons, colon] = [false, -COLON_GAP - 1];
  let [runFrom, runDigits, codedFrom, codedDigits] = [0, 0, 0, 0];
  let before = BLANK;
  let since = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const kind = at < text.length ? CLASSES[Math.min(text.charCodeAt(at), 128)]! : BLANK;
    // Without a branch: which letters are digits of hexadecimal as well is as good as random.
    hexDigits = (hexDigits + ((kind >> 6) & 1)) & -(kind >> 7);
    if (hexDigits > mostHex) mostHex = hexDigits;
    const now = kind & KINDS;
    if (now === before && at < text.length) continue;
    if (before & DIGIT) {
      digits += at - since;
      crowd += at - since;
      if (crowd > most) most = crowd;
    } else if (before & COLON) {
      if (at - since > 1) colons = true;
      colon = at - 1;
    }
    if (now & LETTER) {
      crowd = 0;
      if (!(before & WORD)) words.push(at);
    } else if (now & COLON && at - colon <= COLON_GAP) colons = true;
    const turned = now ^ before;
    if (turned & BASE64) {
      if (now & BASE64) [codedFrom, codedDigits] = [at, digits];
      else if (at - codedFrom >= CODED)
        coded.push({ start: codedFrom, end: at, digits: digits - codedDigits });
    }
    if (turned & BLANK) {
      if (!(now & BLANK)) [runFrom, runDigits] = [at, digits];
      else if (at - runFrom >= RUN) runs.push({ start: runFrom, end: at, digits: digits - runDigits });
    }
    before = now;
    since = at;
  }
  const hex = mostHex >= HEX_DIGITS;
  return { digits, crowd: most, runs, coded, hex, colons, words: once(() => wordsAt(text, words)) };
}

/** Says "perhaps" of everything: what the other must be equal to. */
export function surveyEverything(text: string): Survey {
  const { length } = text;
  const whole = [{ start: 0, end: length, digits: length }];
  const coded = Array.from({ length }, (_, start) => ({ start, end: start + length, digits: length }));
  const most = Number.POSITIVE_INFINITY;
  return { digits: most, crowd: most, runs: whole, coded, hex: true, colons: true, words: () => undefined };
}

/** `make`, called when it is first asked for and never again. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export interface RunMatch {
  readonly start: number;
  readonly match: RegExpExecArray;
}

/** Every match of `pattern` (global, none of which reaches over a blank) in runs of `length` characters or more. */
export function matchesInRuns(text: string, { runs }: Survey, pattern: RegExp, length: number): RunMatch[] {
  const matches: RunMatch[] = [];
  for (const run of runs) {
    if (run.end - run.start < length) continue;
    const own = text.slice(run.start, run.end);
    for (const match of matchesOf(own, pattern)) matches.push({ start: run.start + match.index, match });
  }
  return matches;
}
