// Owns cutting text into sentences with offsets. Rules over the platform's segmenter, since an extracted
// sentence is shown to people and "Dr. / Smith" in two halves is wrong. Refuses nothing; never copies text.

/** A stretch of a text. Offsets are UTF-16 code units, end exclusive, white space trimmed. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

// Abbreviations that end in a full stop without ending a sentence; en, es, pt. Compared lower-cased.
const ABBREVIATIONS: ReadonlySet<string> = new Set(
  (
    'dr dra mr mrs ms prof sr sra srta jr nº núm arts figs eq vs e.g i.e cf al inc ltd dept approx pp eds ' +
    'lt sgt capt adm ud uds avda c/ pág págs exmo exma ilmo v.g p.ej p.ex séc u.s u.k'
  ).split(' '),
);
// Words of their own as well ("out" is outubro and out): an abbreviation only in front of a number.
const BEFORE_NUMBERS: ReadonlySet<string> = new Set(
  (
    'no num art sec fig p vol ed ca cap tel ext av st est rev gen col hon ' +
    'jan feb mar apr may jun jul aug sep sept oct nov dec ene abr ago dic fev mai set out dez'
  ).split(' '),
);

const MAX_WORDS = 60; // longer "sentences" (tables, lists without stops) are cut so each fits an encoder row
const BLOCK_BREAK = /\n\s*\n|\n(?=\s*(?:[-*•#|]|\d+[.)]\s))|(?<=[:.!?;])\s*\n/g;

/** Sentences of a text in order. Line breaks inside a paragraph do not end a sentence; blank lines do. */
export function splitSentences(text: string): readonly TextRange[] {
  return splitBlocks(text).flatMap((block) => splitBlock(text, block));
}

function splitBlocks(text: string): readonly TextRange[] {
  const blocks: TextRange[] = [];
  let start = 0;
  for (const match of text.matchAll(BLOCK_BREAK)) {
    blocks.push({ start, end: match.index });
    start = match.index + match[0].length;
  }
  blocks.push({ start, end: text.length });
  return blocks.map((block) => trim(text, block)).filter((block) => block.end > block.start);
}

function splitBlock(text: string, block: TextRange): readonly TextRange[] {
  const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
  const sentences: TextRange[] = [];
  let start = block.start;
  for (const { segment, index } of segmenter.segment(text.slice(block.start, block.end))) {
    const end = block.start + index + segment.length;
    const last = end === block.end;
    if (!last && !endsSentence(text, start, end)) continue;
    sentences.push(trim(text, { start, end }));
    start = end;
  }
  return sentences.filter((range) => range.end > range.start).flatMap((range) => cutLong(text, range));
}

/** The platform breaks after any stop followed by a capital, and at line breaks; take those back. */
function endsSentence(text: string, start: number, end: number): boolean {
  const body = text.slice(start, end).trimEnd();
  if (!/[.!?…。！？]["'”’»)\]]*$/.test(body)) return false;
  const lastWord = /([\p{L}\p{N}/.º]+)\.$/u.exec(body)?.[1];
  if (lastWord === undefined) return true;
  const isInitial = /^\p{Lu}$/u.test(lastWord);
  const isListNumber = /^\d{1,3}$/.test(lastWord) && body.length <= lastWord.length + 1;
  const word = lastWord.toLowerCase();
  const isShort = ABBREVIATIONS.has(word) || (BEFORE_NUMBERS.has(word) && /^\s*\d/.test(text.slice(end)));
  return !isInitial && !isListNumber && !isShort;
}

function cutLong(text: string, range: TextRange): readonly TextRange[] {
  const words = [...text.slice(range.start, range.end).matchAll(/\S+/g)];
  if (words.length <= MAX_WORDS) return [range];
  const pieces = Math.ceil(words.length / MAX_WORDS);
  const size = Math.ceil(words.length / pieces);
  return Array.from({ length: pieces }, (_, piece) => {
    const first = words[piece * size]!;
    const last = words[Math.min(words.length, (piece + 1) * size) - 1]!;
    return { start: range.start + first.index, end: range.start + last.index + last[0].length };
  });
}

function trim(text: string, { start, end }: TextRange): TextRange {
  let from = start;
  let to = end;
  while (from < to && /\s/.test(text[from]!)) from += 1;
  while (to > from && /\s/.test(text[to - 1]!)) to -= 1;
  return { start: from, end: to };
}

/** A title rather than a statement: a Markdown heading, or a few words with no stop, colon or figure. */
export function isHeading(sentence: string): boolean {
  if (sentence.startsWith('#')) return true;
  if (/^[-*•|]|[\d:=]|[.!?…;)"”»]$/.test(sentence)) return false;
  return sentence.split(/\s+/).length <= 5;
}

/** Windows of neighbouring sentences of about `maxWords` words, each begun half a window after the last. */
export function windowsOf(
  text: string,
  sentences: readonly TextRange[],
  maxWords = 90,
): readonly { readonly first: number; readonly last: number }[] {
  const words = sentences.map(({ start, end }) => text.slice(start, end).split(/\s+/).length);
  const windows: { first: number; last: number }[] = [];
  for (let first = 0; first < sentences.length; ) {
    let last = first;
    for (let sum = words[first]!; last + 1 < sentences.length && sum + words[last + 1]! <= maxWords; ) {
      last += 1;
      sum += words[last]!;
    }
    windows.push({ first, last });
    if (last === sentences.length - 1) break;
    first = Math.max(first + 1, first + Math.ceil((last - first + 1) / 2));
  }
  return windows;
}
