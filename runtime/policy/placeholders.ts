// Owns placeholders: their shape, their numbering within a session, and which text could be mistaken for
// one. Shape: `[EMAIL_1_k7qx]`. Square brackets and an upper-case word are what models copy most
// faithfully, the brackets end it without lookahead, and neither JSON, Markdown emphasis nor a URL
// rewrites it. The four trailing characters are drawn a session, so two sessions never share one.
import type { SpanType } from '../types.ts';

/** No vowels (no words), no look-alikes (0/o, 1/l). */
const ALPHABET = 'bcdfghjkmnpqrstvwxz23456789';
const NONCE_LENGTH = 4;
/** Values remembered a session; the oldest go first. A value seen again later gets a new number. */
const MAX_VALUES = 10_000;

export interface PlaceholderSession {
  /** The placeholder for this value, the same each time. `bare` has no brackets, for identifier fields. */
  placeholder(type: SpanType | 'literal', value: string, bare: boolean): string;
  /** Text that this session could mistake for one of its own, in any case; escaped before it leaves. */
  lookAlikes(text: string): readonly { readonly start: number; readonly end: number }[];
  /** Stands for a local identity (`user`, `scope`); unlinkable to the same identity in another session. */
  pseudonym(value: string): string;
}

export type RandomBytes = (bytes: number) => Uint8Array;

/** The platform's cryptographic randomness, read when called. */
export function cryptoRandom(bytes: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(bytes));
}

export function createPlaceholderSession(random: RandomBytes): PlaceholderSession {
  const nonce = draw(random, NONCE_LENGTH);
  const byValue = new Map<string, string>();
  const counters = new Map<string, number>();
  const name = (label: string, value: string): string => {
    const key = `${label}\u0000${value}`;
    const known = byValue.get(key);
    if (known !== undefined) return known;
    const count = (counters.get(label) ?? 0) + 1;
    counters.set(label, count);
    const made = `${label}_${count}_${nonce}`;
    byValue.set(key, made);
    if (byValue.size > MAX_VALUES) byValue.delete(byValue.keys().next().value as string);
    return made;
  };
  const lookAlike = new RegExp(`\\[?[a-z][a-z_]{0,23}_\\d{1,6}_${nonce}\\]?`, 'gi');
  return {
    lookAlikes(text) {
      if (!text.toLowerCase().includes(nonce)) return [];
      return Array.from(text.matchAll(lookAlike), (m) => ({ start: m.index, end: m.index + m[0].length }));
    },
    placeholder(type, value, bare) {
      const made = name(type.toUpperCase().replace('-', '_'), value);
      return bare ? made : `[${made}]`;
    },
    pseudonym: (value) => name('ID', value),
  };
}

/** Rejection sampling, so every character is equally likely. */
function draw(random: RandomBytes, length: number): string {
  const limit = 256 - (256 % ALPHABET.length);
  let made = '';
  for (let tries = 0; made.length < length; tries += 1) {
    if (tries > 64) throw new RangeError('Placeholder nonce: the random source gives no usable bytes.');
    for (const byte of random(length * 2)) {
      if (byte < limit && made.length < length) made += ALPHABET[byte % ALPHABET.length];
    }
  }
  return made;
}
