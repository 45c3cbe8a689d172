// Owns where triggers can begin: each begins with a word, so the first three letters of every word of a text tell
// which of them are worth asking there. The letters are read off the patterns themselves, so that a pattern
// changed later says by itself where it begins. Refuses patterns it cannot read instead of guessing.

import { matchesAt, matchesOf } from './find.ts';
import { END, headsOf } from './heads-of.ts';

/** Letters of a head are a to z as 1 to 26; anything else is 0 and ends it. */
const BASE = 27;

/** Word beginnings of a text: offsets, and the head that stands at each. */
export interface Words {
  readonly at: readonly number[];
  readonly heads: readonly number[];
}

/** By code unit: the letter's number, 0 for anything else. */
const NUMBERS: Uint8Array = Uint8Array.from({ length: 129 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /[A-Za-z]/.test(char) ? char.toLowerCase().charCodeAt(0) - 96 : 0;
});

/** The words that begin at these offsets. */
export function wordsAt(text: string, at: readonly number[]): Words {
  return { at, heads: at.map((start) => headAt(text, start)) };
}

function headAt(text: string, at: number): number {
  const first = letterAt(text, at);
  const second = letterAt(text, at + 1);
  return (first * BASE + second) * BASE + (second > 0 ? letterAt(text, at + 2) : 0);
}

function letterAt(text: string, at: number): number {
  return at < text.length ? NUMBERS[Math.min(text.charCodeAt(at), 128)]! : 0;
}

function numberOf(letters: string): number {
  const at = (place: number) => {
    const letter = letters.charAt(place);
    return letter === '' || letter === END ? 0 : letter.charCodeAt(0) - 96;
  };
  return (at(0) * BASE + at(1)) * BASE + at(2);
}

/** A trigger that begins at a word, after `lead` characters at most that are no part of one. Default 0. */
export interface Trigger {
  readonly pattern: RegExp;
  readonly lead?: number | undefined;
}

/** A match, and which trigger it is of. */
export type Triggered = readonly [trigger: number, match: RegExpExecArray];

export interface Triggers {
  /** Every match of each trigger, in the triggers' order; `words` undefined asks at every place. */
  matches(text: string, words: Words | undefined): readonly Triggered[];
}

/** @param triggers 31 at most: one bit each */
export function createTriggers(triggers: readonly Trigger[]): Triggers {
  const sticky = triggers.map(
    ({ pattern }) => new RegExp(pattern.source, `${pattern.flags.replace('g', '')}y`),
  );
  // At the first text, not while a page loads.
  let masks: ReadonlyMap<number, number> | undefined;
  return {
    matches(text, words) {
      if (words === undefined) {
        return triggers.flatMap(({ pattern }, index) =>
          matchesOf(text, pattern).map((match): Triggered => [index, match]),
        );
      }
      masks ??= masksOf(triggers);
      const places: number[] = [];
      const placeMasks: number[] = [];
      let any = 0;
      for (let word = 0; word < words.at.length; word += 1) {
        const mask = masks.get(words.heads[word]!);
        if (mask === undefined) continue;
        any |= mask;
        places.push(words.at[word]!);
        placeMasks.push(mask);
      }
      const found: Triggered[] = [];
      for (const [index, { lead }] of triggers.entries()) {
        const bit = 1 << index;
        if ((any & bit) === 0) continue;
        const own = places.filter((_, at) => (placeMasks[at]! & bit) !== 0);
        for (const match of matchesAt(text, sticky[index]!, own, lead)) found.push([index, match]);
      }
      return found;
    },
  };
}

function masksOf(triggers: readonly Trigger[]): ReadonlyMap<number, number> {
  const masks = new Map<number, number>();
  for (const [index, { pattern }] of triggers.entries()) {
    for (const letters of headsOf(pattern.source)) {
      const head = numberOf(letters);
      masks.set(head, (masks.get(head) ?? 0) | (1 << index));
    }
  }
  return masks;
}
