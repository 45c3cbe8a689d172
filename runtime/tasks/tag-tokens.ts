// Owns text to the tagger's tokens: words, their pieces, and for each a type that says what lower-casing lost
// (case, what stood before). scripts/models/python/pii_tokens.py is the same in Python; the golden file holds
// the two together.

/** Tokens of one text, side by side. */
export interface TagTokens {
  readonly ids: Int32Array;
  /** Case times four plus place; see {@link PIECE} and {@link LINE}. */
  readonly types: Int32Array;
  /** UTF-16 offsets into the text, end exclusive. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export interface TagTokenizer {
  tokenize(text: string): TagTokens;
}

const WORD = /[\p{L}\p{Nl}\p{No}]+|\p{Nd}+|[^\s\ufeff]/gu;
/** Letters; a longer run is no word of a language. */
const LONGEST_WORD = 40;
const MOST_DIGITS = 12;
/** Words whose pieces are remembered. */
const MEMORY = 20_000;

const [LOWER, TITLE, UPPER, INITIAL, MIXED, DIGITS, OTHER, CASELESS] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const [SPACED, GLUED] = [0, 1] as const;
/** Place of a token that begins a line. */
export const LINE = 2;
/** Place of a token that continues a word. */
export const PIECE = 3;

interface Word {
  /** (piece id, letters) pairs. */
  readonly pieces: readonly (readonly [id: number, letters: number])[];
  readonly kind: number;
}

/** @param pieces the vocabulary in order of id; pieces inside a word begin with `##` */
export function createTagTokenizer(pieces: readonly string[]): TagTokenizer {
  const vocabulary = new Map(pieces.map((piece, id) => [piece, id]));
  const unknown = vocabulary.get('[UNK]') ?? 1;
  const words = new Map<string, Word>();

  const wordOf = (text: string): Word => {
    const known = words.get(text);
    if (known !== undefined) return known;
    const word = { pieces: cut(text, vocabulary, unknown), kind: caseOf(text) };
    if (words.size < MEMORY) words.set(text, word);
    return word;
  };

  return {
    tokenize(text) {
      const columns: [number[], number[], number[], number[]] = [[], [], [], []];
      let last = 0;
      for (const match of text.matchAll(WORD)) {
        const start = match.index;
        const end = start + match[0].length;
        const word = wordOf(match[0]);
        addWord(columns, word, start, end, placeOf(text, last, start));
        last = end;
      }
      const [ids, types, starts, ends] = columns.map((column) => Int32Array.from(column));
      return { ids: ids!, types: types!, starts: starts!, ends: ends! };
    },
  };
}

function addWord(
  columns: readonly [number[], number[], number[], number[]],
  word: Word,
  start: number,
  end: number,
  place: number,
): void {
  const [ids, types, starts, ends] = columns;
  let at = start;
  word.pieces.forEach(([id, letters], index) => {
    // Folding may change a word's length; offsets only matter at its ends.
    const stop = index === word.pieces.length - 1 ? end : Math.min(end, at + letters);
    ids.push(id);
    types.push(word.kind * 4 + (index === 0 ? place : PIECE));
    starts.push(at);
    ends.push(stop);
    at = stop;
  });
}

function placeOf(text: string, last: number, start: number): number {
  if (start === 0) return LINE;
  if (last === start) return GLUED;
  for (let at = last; at < start; at += 1) if (text.charCodeAt(at) === 10) return LINE;
  return SPACED;
}

function cut(
  text: string,
  vocabulary: ReadonlyMap<string, number>,
  unknown: number,
): readonly (readonly [number, number])[] {
  if (/^\p{Nd}/u.test(text)) return [[vocabulary.get(digitName(text)) ?? unknown, text.length]];
  const folded = fold(text);
  const whole = [[unknown, folded.length]] as const;
  if (folded.length === 0 || folded.length > LONGEST_WORD) return whole;
  const found: (readonly [number, number])[] = [];
  for (let start = 0; start < folded.length; ) {
    const piece = longestPiece(folded, start, vocabulary);
    if (piece === undefined) return whole;
    found.push(piece);
    start += piece[1];
  }
  return found;
}

function longestPiece(
  word: string,
  start: number,
  vocabulary: ReadonlyMap<string, number>,
): readonly [number, number] | undefined {
  const prefix = start === 0 ? '' : '##';
  for (let end = word.length; end > start; end -= 1) {
    const id = vocabulary.get(prefix + word.slice(start, end));
    if (id !== undefined) return [id, end - start];
  }
  return undefined;
}

/** Short runs and years as they are, others by how long they are. */
function digitName(run: string): string {
  if (run.length <= 2 || (run.length === 4 && /^(?:19|20)/.test(run))) return run;
  return `[D${Math.min(run.length, MOST_DIGITS)}]`;
}

function fold(word: string): string {
  return word
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '');
}

function caseOf(word: string): number {
  if (/^\p{Nd}/u.test(word)) return DIGITS;
  if (!/^\p{L}/u.test(word)) return OTHER;
  const lower = word.toLowerCase();
  const upper = word.toUpperCase();
  if (lower === upper) return CASELESS;
  if (word === lower) return LOWER;
  if (word === upper) return [...word].length === 1 ? INITIAL : UPPER;
  const rest = [...word].slice(1).join('');
  return rest === rest.toLowerCase() ? TITLE : MIXED;
}
