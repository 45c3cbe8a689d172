// Owns reading text that kept its characters but not its order or spelling: rot13, reversed, broken over
// lines, spread out, marked up, quoted, digits said in words. Each reader gives a view with the way back.
import { replaceView, reversedView, textOf, type View } from './view.ts';

const ROT13_HINT = /[A-Za-z]\d|\d[A-Za-z]|\b(?:gur|naq|anzr|cngvrag|cnffjbeq|ahzore)\b/i;

/** Letters turned by thirteen, where something in the text could be an identifier so written. */
export function rot13View(view: View): View | undefined {
  if (!ROT13_HINT.test(view.text)) return undefined;
  const codes = new Uint16Array(view.text.length);
  for (let at = 0; at < codes.length; at += 1) codes[at] = turned(view.text.charCodeAt(at));
  return { ...view, text: textOf(codes) };
}

function turned(code: number): number {
  if (code >= 97 && code <= 122) return code < 110 ? code + 13 : code - 13;
  if (code >= 65 && code <= 90) return code < 78 ? code + 13 : code - 13;
  return code;
}

const REVERSED_DIGITS = /\d[^A-Za-z]{0,8}\d[^A-Za-z]{0,8}\d[^A-Za-z]{0,8}\d/;
const REVERSED_KEY = /[A-Za-z0-9]{12}_/;

export function backwardsView(view: View): View | undefined {
  const { text } = view;
  // Signs first: most texts have none, and looking for them costs next to nothing.
  const hinted =
    text.includes('@') || REVERSED_DIGITS.test(text) || (text.includes('_') && REVERSED_KEY.test(text));
  return hinted ? reversedView(view) : undefined;
}

const LINE_BREAK = /[\w@.+%-]-?\r?\n[ \t>]{0,8}(?=[\w@.+%-])/g;

/**
 * Lines joined, where a value may have been broken between two of them: every other break in the first
 * view, the others in the second, so that a value on its own line does not grow into the next.
 */
export function joinedViews(view: View): View[] {
  if (!view.text.includes('\n')) return [];
  const joined = [0, 1].map((parity) => {
    let count = 0;
    return replaceView(view, LINE_BREAK, (match) => {
      count += 1;
      if (count % 2 !== parity || !breaksValue(view.text, match)) return undefined;
      return match[0].charAt(0);
    });
  });
  return joined.filter((one) => one !== undefined);
}

/** Only beside something that could be part of a value: prose broken into lines is not joined. */
function breaksValue(text: string, match: RegExpExecArray): boolean {
  const end = match.index + match[0].length;
  let from = match.index;
  while (from > 0 && match.index - from < SIDE - 1 && !BLANK.test(text.charAt(from - 1))) from -= 1;
  return (
    BEFORE_BREAK.test(text.slice(from, match.index + 1)) || AFTER_BREAK.test(text.slice(end, end + SIDE))
  );
}

/** How far a value may reach on one side of a break, characters. */
const SIDE = 40;
const BLANK = /\s/;
const BEFORE_BREAK = /[@\d_]|\.[a-z]/i;
const AFTER_BREAK = /^\S*?(?:[@\d_]|[a-z]\.[a-z])/i;

const MARK_HINT = /[*`~][\d@]|[\d@][*`~]|\\[@_.+-]/;
const MARK = /(?<=[\d@])[*`~]{1,4}|[*`~]{1,4}(?=[\d@])|\\(?=[@_.+-])/g;

/** Markdown's marks and escapes inside a value gone: `**4111** **1111**`, `ana\_maria\@mail.example`. */
export function unmarkedView(view: View): View | undefined {
  return MARK_HINT.test(view.text) ? replaceView(view, MARK, () => '') : undefined;
}

const TAG_HINT = /<[A-Za-z][A-Za-z0-9]{0,9}\s[^<>]/;
const TAG = /<\/?[A-Za-z][A-Za-z0-9]{0,9}(?:\s[^<>]{0,300})?\/?>/g;
/** Tags between which a reader sees a gap: two cells of a table are two values. */
const BLOCK_TAG =
  /^<\/?(?:td|th|tr|li|p|div|br|hr|h[1-6]|table|tbody|ul|ol|dl|dd|dt|section|blockquote|pre)\b/i;

/** Tags gone, attributes and all: `ana<span class="at">@</span>mail.example`. */
export function untaggedView(view: View): View | undefined {
  if (!TAG_HINT.test(view.text)) return undefined;
  return replaceView(view, TAG, ([tag]) => (BLOCK_TAG.test(tag) ? ' ' : ''));
}

const FILE_NAME_GAP = /(?<=[A-Za-z])_(?=[A-Z][a-z])/g;

/** `CV_Maria_Garcia.pdf`: files are named so after people. */
export function spacedNamesView(view: View): View | undefined {
  return view.text.includes('_') ? replaceView(view, FILE_NAME_GAP, () => ' ') : undefined;
}

const QUOTED_LINE = /\r?\n[ \t>]{1,12}/g;

/** A quoted mail without the marks that begin its lines: a number may go on in the next. */
export function unquotedView(view: View): View | undefined {
  if (!/\n[ \t]{0,8}>/.test(view.text)) return undefined;
  return replaceView(view, QUOTED_LINE, ([line]) => (line.includes('>') ? '\n' : undefined));
}

const SPREAD = /(?<!\S)(?:\S[ \n]){5,}\S(?!\S)/g;

/** `j o h n @ …`: single characters with a space between each, closed up. */
export function closedUpView(view: View): View | undefined {
  return replaceView(view, SPREAD, (match) => match[0].replace(/[ \n]/g, ''));
}

const DIGIT_WORDS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['0', 'zero oh cero'],
    ['1', 'one uno una um uma'],
    ['2', 'two dos dois duas'],
    ['3', 'three tres'],
    ['4', 'four cuatro quatro'],
    ['5', 'five cinco'],
    ['6', 'six seis meia'],
    ['7', 'seven siete sete'],
    ['8', 'eight ocho oito'],
    ['9', 'nine nueve nove'],
    ['-', 'dash hyphen minus guion traco hifen'],
    ['.', 'dot point punto ponto'],
    ['+', 'plus mas mais'],
    ['/', 'slash barra'],
    ['', 'space espacio espaco'],
  ].flatMap(([value, words]) => words!.split(' ').map((word) => [word, value!])),
);
const WORD = `(?:${Object.keys(DIGIT_WORDS).join('|')})`;
const SPELLED = new RegExp(
  String.raw`\b(?:${WORD}|\d{1,4})(?:[\s,.;:/-]{1,3}(?:${WORD}|(?:double|triple|doble) ${WORD}|\d{1,4})){3,}\b`,
  'gi',
);
const SPELLED_HINT = new RegExp(String.raw`\b${WORD}\b[\s,.;:/-]{1,3}(?:${WORD}|\d)\b`, 'i');
const SPELLED_PIECE = new RegExp(
  String.raw`(?:(double|triple|doble) )?(${WORD}|\d{1,4})|[\s,.;:/-]{1,3}`,
  'gi',
);

/** Digits said in English, Spanish or Portuguese words, written as digits. */
export function spelledView(view: View): View | undefined {
  if (!SPELLED_HINT.test(view.text)) return undefined;
  return replaceView(view, SPELLED, (match) => {
    const words = match[0].match(new RegExp(String.raw`\b${WORD}\b`, 'gi')) ?? [];
    return words.length < 3 ? undefined : match[0].replace(SPELLED_PIECE, spelledPiece);
  });
}

/** Plain spaces between words vanish; a comma or a dash was meant to part groups. */
function spelledPiece(piece: string, times: string | undefined, word: string | undefined): string {
  if (word === undefined) return /^\s+$/.test(piece) ? '' : '-';
  const digit = DIGIT_WORDS[word.toLowerCase()] ?? word;
  return times ? digit.repeat(times.toLowerCase() === 'triple' ? 3 : 2) : digit;
}
