// Owns the one cheap look at a text that says which patterns can match in it at all, and where: a table of character
// classes, a few counters, one pass. It may say "perhaps" too often and never "no" in error: what a pattern finds
// must not depend on it, so every pattern can be asked everywhere as well, and a test compares the two.

import { type Words, wordsOf } from './heads.ts';

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
const HEX = 4;
/** Digits of hexadecimal and what stands between them. */
const HEXISH = 8;
const BASE64 = 16;
const BLANK = 32;
const COLON = 64;

/** By code unit; what is not ASCII is taken for a separator of everything but letters and blanks. */
const CLASSES: Uint8Array = Uint8Array.from({ length: 129 }, (_, code) => {
  const char = String.fromCharCode(code);
  return (
    (/\d/.test(char) ? DIGIT : 0) |
    (/[A-Za-z]/.test(char) ? LETTER : 0) |
    (/[0-9A-Fa-f]/.test(char) ? HEX : 0) |
    (/[0-9A-Fa-f\s:,;\\x-]/.test(char) || code > 127 ? HEXISH : 0) |
    (/[A-Za-z0-9+/_-]/.test(char) ? BASE64 : 0) |
    (/\s/.test(char) && code < 128 ? BLANK : 0) |
    (char === ':' ? COLON : 0)
  );
});

export function surveyOf(text: string): Survey {
  const runs: Stretch[] = [];
  const coded: Stretch[] = [];
  let digits = 0;
  let crowd = 0;
  let most = 0;
  let hexDigits = 0;
  let hex = false;
  let colons = false;
  let colon = -COLON_GAP - 1;
  let runFrom = 0;
  let runDigits = 0;
  let codedFrom = 0;
  let codedDigits = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 10;
    const kind = CLASSES[Math.min(code, 128)]!;
    if (!(kind & BASE64)) {
      if (at - codedFrom >= CODED) coded.push({ start: codedFrom, end: at, digits: digits - codedDigits });
      codedFrom = at + 1;
      codedDigits = digits;
      if (kind & BLANK) {
        if (at - runFrom >= RUN) runs.push({ start: runFrom, end: at, digits: digits - runDigits });
        runFrom = at + 1;
        runDigits = digits;
      } else if (kind & COLON) {
        if (at - colon <= COLON_GAP) colons = true;
        colon = at;
      }
    }
    if (kind & DIGIT) {
      digits += 1;
      crowd += 1;
      if (crowd > most) most = crowd;
    } else if (kind & LETTER) crowd = 0;
    if (!(kind & HEXISH)) hexDigits = 0;
    else if (kind & HEX) {
      hexDigits += 1;
      if (hexDigits === HEX_DIGITS) hex = true;
    }
  }
  return { digits, crowd: most, runs, coded, hex, colons, words: once(() => wordsOf(text)) };
}

/** Says "perhaps" of everything: what the other must be equal to. */
export function surveyEverything(text: string): Survey {
  const { length } = text;
  const whole = [{ start: 0, end: length, digits: length }];
  const coded = Array.from({ length }, (_, start) => ({ start, end: start + length, digits: length }));
  const most = Number.POSITIVE_INFINITY;
  return { digits: most, crowd: most, runs: whole, coded, hex: true, colons: true, words: () => undefined };
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Every match of `pattern` (global, none of which reaches over a blank) in runs of `length` characters or more. */
export function* matchesInRuns(
  text: string,
  { runs }: Survey,
  pattern: RegExp,
  length: number,
): Generator<{ readonly start: number; readonly match: RegExpExecArray }> {
  for (const run of runs) {
    if (run.end - run.start < length) continue;
    for (const match of text.slice(run.start, run.end).matchAll(pattern)) {
      yield { start: run.start + match.index, match };
    }
  }
}
