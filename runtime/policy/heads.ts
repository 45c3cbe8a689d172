// Owns where triggers can begin: each begins with a word, so the first three letters of every word of a text tell
// which of them are worth asking there. The letters are read off the patterns themselves, so that a pattern
// changed later says by itself where it begins. Refuses patterns it cannot read instead of guessing.

import { matchesAt } from './find.ts';
import { END, headsOf } from './heads-of.ts';

/** Letters of a head are a to z as 1 to 26; anything else is 0 and ends it. */
const BASE = 27;

/** Word beginnings of a text: offsets, and the head that stands at each. */
export interface Words {
  readonly at: readonly number[];
  readonly heads: readonly number[];
}

/** By code unit: the letter's number; 27 for a digit or an underscore; 0 for what is no part of a word. */
const KINDS: Uint8Array = Uint8Array.from({ length: 129 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (/[A-Za-z]/.test(char)) return char.toLowerCase().charCodeAt(0) - 96;
  return /[0-9_]/.test(char) ? BASE : 0;
});

function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return KINDS[Math.min(code, 128)]!;
}

/** Where words begin that begin with a letter. */
export function wordsOf(text: string): Words {
  const at: number[] = [];
  const heads: number[] = [];
  let inside = false;
  for (let index = 0; index < text.length; index += 1) {
    const kind = kindAt(text, index);
    if (!inside && kind > 0 && kind < BASE) {
      at.push(index);
      heads.push(headAt(text, index, kind));
    }
    inside = kind > 0;
  }
  return { at, heads };
}

function headAt(text: string, at: number, first: number): number {
  const second = at + 1 < text.length ? kindAt(text, at + 1) % BASE : 0;
  const third = second > 0 && at + 2 < text.length ? kindAt(text, at + 2) % BASE : 0;
  return (first * BASE + second) * BASE + third;
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

export interface Triggers {
  /** Every match of each trigger, in the triggers' order; `words` undefined asks at every place. */
  matches(
    text: string,
    words: Words | undefined,
  ): Iterable<readonly [trigger: number, match: RegExpExecArray]>;
}

/** @param triggers 31 at most: one bit each */
export function createTriggers(triggers: readonly Trigger[]): Triggers {
  const sticky = triggers.map(
    ({ pattern }) => new RegExp(pattern.source, `${pattern.flags.replace('g', '')}y`),
  );
  const masks = new Map<number, number>();
  for (const [index, { pattern }] of triggers.entries()) {
    for (const letters of headsOf(pattern.source)) {
      const head = numberOf(letters);
      masks.set(head, (masks.get(head) ?? 0) | (1 << index));
    }
  }
  return {
    *matches(text, words) {
      if (words === undefined) {
        for (const [index, { pattern }] of triggers.entries()) {
          for (const match of text.matchAll(pattern)) yield [index, match];
        }
        return;
      }
      const places: number[][] = triggers.map(() => []);
      for (let word = 0; word < words.at.length; word += 1) {
        const mask = masks.get(words.heads[word]!) ?? 0;
        for (let left = mask; left !== 0; left &= left - 1) {
          const index = 31 - Math.clz32(left & -left);
          places[index]!.push(words.at[word]!);
        }
      }
      for (const [index, { lead = 0 }] of triggers.entries()) {
        for (const match of matchesAt(text, sticky[index]!, places[index]!, lead)) yield [index, match];
      }
    },
  };
}
