// Owns how a question is read for comparison: numbers, units, names, dates and the words that turn an
// answer around, in English, Spanish and Portuguese. Refuses to decide anything.
import {
  DATE_WORDS,
  NEGATIONS,
  NUMBER_WORDS,
  OPPOSITES,
  QUESTION_WORDS,
  STOP_WORDS,
  UNITS,
} from './lexicon.ts';

export interface Word {
  /** Lower case, no accents, no apostrophes. */
  readonly folded: string;
  /** What inflections of a word share. */
  readonly stem: string;
  /** Capitalised where grammar does not ask for it, or written with capitals or digits inside. */
  readonly isName: boolean;
}

export interface Reading {
  readonly words: readonly Word[];
  /** Sorted; numerals of any spelling, e.g. `5`, `1/2`, `3.14`. */
  readonly numbers: readonly string[];
  readonly units: ReadonlySet<string>;
  readonly dates: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
  /** Folded forms of every word, and of its parts. */
  readonly vocabulary: ReadonlySet<string>;
  /** Stems of content words, in order. */
  readonly content: readonly string[];
  readonly negations: number;
  /** `3+`: the first side of the third pair of opposites. */
  readonly sides: ReadonlySet<string>;
  readonly asks: Asks;
}

/** What kind of answer is asked for. */
export type Asks =
  | 'who'
  | 'when'
  | 'where'
  | 'why'
  | 'what'
  | 'how'
  | 'quantity'
  | 'duration'
  | 'yes-no'
  | 'other';

const TOKEN = /\p{N}+(?:[.,:/]\p{N}+)*|[\p{L}\p{M}]+(?:['’.&-][\p{L}\p{N}\p{M}]+)*[\p{L}\p{N}\p{M}+#]*/gu;
const NUMERAL = /^\p{N}/u;
const ROMAN = /^(?:I{2,3}|IV|VI{0,3}|IX|XI{0,3}|XIV|XV)$/;
const ROMAN_VALUES: Readonly<Record<string, string>> = {
  II: '2',
  III: '3',
  IV: '4',
  V: '5',
  VI: '6',
  VII: '7',
  VIII: '8',
  IX: '9',
  X: '10',
  XI: '11',
  XII: '12',
  XIII: '13',
  XIV: '14',
  XV: '15',
};
const SYMBOL_UNITS: readonly (readonly [RegExp, string])[] = [
  [/%/, 'percent'],
  [/\$/, 'dollar'],
  [/€/, 'euro'],
  [/£/, 'pound-sterling'],
  [/¥/, 'yen'],
  [/₹/, 'rupee'],
];
/** Contracted numerals with their unit: `5km`, `10kg`, `1st`, `90s`, `4pm`. */
const GLUED = /^(\p{N}+(?:[.,]\p{N}+)*)(\p{L}+)$/u;

export function readText(text: string): Reading {
  const tokens = tokensOf(text);
  const shouts = isTitled(tokens);
  const numbers: string[] = [];
  const units = new Set<string>(SYMBOL_UNITS.filter(([sign]) => sign.test(text)).map(([, unit]) => unit));
  const dates = new Set<string>();
  const names = new Set<string>();
  const sides = new Set<string>();
  const vocabulary = new Set<string>();
  const words: Word[] = [];
  let negations = 0;
  for (const token of tokens) {
    const folded = fold(token.raw);
    const number = numeralOf(token, folded);
    if (number !== undefined) {
      numbers.push(number);
      vocabulary.add(number);
      continue;
    }
    const isName = !shouts && looksNamed(token);
    const date = DATE_WORDS.get(folded);
    if (date !== undefined) dates.add(date);
    const unit = UNITS.get(folded);
    if (unit !== undefined) units.add(unit);
    if (NEGATIONS.has(folded)) negations += 1;
    for (const side of OPPOSITES.get(folded) ?? []) sides.add(side);
    if (isName && date === undefined && !STOP_WORDS.has(folded)) names.add(folded);
    vocabulary.add(folded);
    for (const part of folded.split(/[.&-]/)) vocabulary.add(part);
    words.push({ folded, stem: stemOf(folded), isName });
  }
  const content = words.filter((word) => isContent(word.folded)).map((word) => word.stem);
  numbers.sort();
  return { words, numbers, units, dates, names, vocabulary, content, negations, sides, asks: asksOf(words) };
}

interface Token {
  readonly raw: string;
  readonly startsSentence: boolean;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.normalize('NFKC').matchAll(TOKEN)) {
    const between = text.slice(end, match.index);
    const startsSentence = tokens.length === 0 || /[.!?:¿¡\n"“(]/.test(between);
    end = match.index + match[0].length;
    const glued = GLUED.exec(match[0]);
    const parts = glued === null ? [match[0]] : [glued[1]!, glued[2]!];
    for (const raw of parts) if (!/^(?:st|nd|rd|th)$/.test(raw)) tokens.push({ raw, startsSentence });
  }
  return tokens;
}

/** In a headline or in capitals, a capital says nothing. */
function isTitled(tokens: readonly Token[]): boolean {
  const long = tokens.filter((token) => token.raw.length > 3 && /\p{L}/u.test(token.raw));
  const capital = long.filter((token) => /^\p{Lu}/u.test(token.raw));
  return long.length >= 4 && capital.length >= 0.75 * long.length;
}

function looksNamed({ raw, startsSentence }: Token): boolean {
  if (raw === 'I' || /^I['’]/.test(raw)) return false;
  if (/^.+\p{Lu}/u.test(raw) || /\p{L}\p{N}/u.test(raw)) return true; // iPhone, USB, B12
  return !startsSentence && /^\p{Lu}/u.test(raw);
}

function numeralOf({ raw }: Token, folded: string): string | undefined {
  if (NUMERAL.test(raw)) return canonicalNumber(raw);
  if (ROMAN.test(raw) && raw.length > 1) return ROMAN_VALUES[raw];
  return NUMBER_WORDS.get(folded);
}

/** `1,000` and `1.000` are 1000, `3,14` is 3.14, `05` is 5. */
function canonicalNumber(raw: string): string {
  const plain = raw.normalize('NFKC');
  if (/^\d{1,3}(?:[.,]\d{3})+$/.test(plain)) return plain.replaceAll(/[.,]/g, '').replace(/^0+(?=\d)/, '');
  const value = Number(plain.replace(',', '.'));
  return Number.isFinite(value) ? String(value) : plain;
}

export function fold(word: string): string {
  return word
    .normalize('NFKD')
    .replaceAll(/[\p{M}'’]/gu, '')
    .toLowerCase();
}

/** A light stem: plural, verb and gender endings of the three languages. Wrong for some, alike for both texts. */
export function stemOf(folded: string): string {
  if (folded.length < 4) return folded;
  return folded
    .replace(/(?:ies|y)$/, 'i')
    .replace(/(?:ations?|aciones|acion|acoes|acao|ments?|mientos?|mentos?)$/, '')
    .replace(/(?:ingly|ing|edly|ed|ly|mente)$/, '')
    .replace(/(?:es|s|e|os|as|a|o)$/, '')
    .replace(/(.)\1$/, '$1');
}

function isContent(folded: string): boolean {
  return !STOP_WORDS.has(folded) && !QUESTION_WORDS.has(folded) && !NEGATIONS.has(folded);
}

const QUANTITY = /^(?:many|much|cuanto|cuanta|cuantos|cuantas|quanto|quanta|quantos|quantas)$/;
const DURATION = /^(?:long|far|old|tall|big|often|fast|high|deep|large|heavy)$/;
const YES_NO =
  /^(?:is|are|was|were|do|does|did|can|could|should|will|would|has|have|am|es|son|puedo|puede|debo|e|posso|pode|devo)$/;

function asksOf(words: readonly Word[]): Asks {
  const [first] = words;
  if (first !== undefined && YES_NO.test(first.folded)) return 'yes-no';
  for (const [at, { folded }] of words.entries()) {
    if (QUANTITY.test(folded)) return 'quantity';
    const kind = QUESTION_WORDS.get(folded);
    if (kind === undefined) continue;
    const next = words[at + 1]?.folded ?? '';
    if (kind === 'how' && QUANTITY.test(next)) return 'quantity';
    if (kind === 'how' && DURATION.test(next)) return 'duration';
    return kind as Asks;
  }
  return 'other';
}
