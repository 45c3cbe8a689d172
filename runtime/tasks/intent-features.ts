// Owns the hashed features that the intent heads read; scripts/models/python/intent_features.py computes the
// same for training, and a test holds the two together. Pure functions of a text.

export const BUCKETS = 4096;
const MOST_CHARACTERS = 2000;
const HEAD_WORDS = 40;
const TAIL_WORDS = 20;
const LANGUAGE_CHARACTERS = 300;
const SIGNS = [...'?¿!¡{}()[]<>=;:"\'`/_#@$%€+*|\\'];
const WORD = /[\p{L}\p{N}_]+/gu;
const LETTERS_BEYOND_LATIN = /[^\0-\u024f]/;

/** Buckets of words, pairs of words, beginnings of words and signs; each once, in no order. */
export function wordFeatures(text: string): Set<number> {
  const read = text.slice(0, MOST_CHARACTERS);
  const all = (read.toLowerCase().match(WORD) ?? []).map((word) => word.replace(/[0-9]+/g, '0'));
  // An instruction stands before or after the text it is about.
  const words =
    all.length > HEAD_WORDS + TAIL_WORDS ? [...all.slice(0, HEAD_WORDS), ...all.slice(-TAIL_WORDS)] : all;
  const found = new Set(SIGNS.filter((sign) => read.includes(sign)).map((sign) => bucket(`s:${sign}`)));
  let before = '^';
  for (const word of words) {
    found.add(bucket(`w:${word}`));
    found.add(bucket(`b:${before} ${word}`));
    found.add(bucket(`p:${[...word].slice(0, 5).join('')}`));
    before = word;
  }
  return found.add(bucket(`b:${before} $`));
}

/** Buckets of runs of one to four letters, and of whole words, each once: what tells a language. */
export function letterFeatures(text: string): Set<number> {
  const found = new Set<number>();
  for (const word of text.slice(0, LANGUAGE_CHARACTERS).toLowerCase().match(WORD) ?? []) {
    if (/^[0-9]+$/.test(word)) continue;
    const padded = [...` ${word} `];
    for (let size = 1; size <= 4; size += 1) {
      for (let at = 0; at + size <= padded.length; at += 1) {
        found.add(bucket(padded.slice(at, at + size).join('')));
      }
    }
    found.add(bucket(`=${word}`));
    if (LETTERS_BEYOND_LATIN.test(word)) found.add(bucket('script'));
  }
  return found;
}

/** FNV-1a over UTF-16 code units, folded. Source: Fowler, Noll and Vo, draft-eastlake-fnv. */
function bucket(feature: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < feature.length; at += 1) {
    value = Math.imul(value ^ feature.charCodeAt(at), 0x01000193);
  }
  return ((value ^ (value >>> 16)) >>> 0) % BUCKETS;
}
