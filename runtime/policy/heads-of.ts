// Owns reading off a regular expression which letters the words begin with that it can match. Knows the small part of
// the grammar that triggers are written in and refuses the rest: a wrong answer would hide a find.

/** Letters that are told of a head. */
export const HEAD_LETTERS = 3;
/** Ends a head: whatever is no letter. */
export const END = '#';

const ALPHABET: readonly string[] = [...'abcdefghijklmnopqrstuvwxyz', END];

/** From the heads read so far to those after this part. */
type Part = (heads: ReadonlySet<string>) => ReadonlySet<string>;

/**
 * The first letters, in lower case, of all that `source` matches: {@link HEAD_LETTERS} of them, or fewer and
 * {@link END}. What comes before the first letter is left out. May tell more heads than there are.
 * @throws Error on what it does not know
 */
export function headsOf(source: string): ReadonlySet<string> {
  const reader = { source, at: 0 };
  const part = readAlternatives(reader);
  if (reader.at < source.length)
    throw new Error(`Heads: unexpected ${source.slice(reader.at, reader.at + 8)}`);
  let heads = part(new Set(['']));
  if (heads.has('')) throw new Error(`Heads: ${source} may begin with no letter.`);
  // What follows the match may be anything.
  for (let letter = 1; letter < HEAD_LETTERS; letter += 1) heads = step(heads, ALPHABET);
  return heads;
}

interface Reader {
  readonly source: string;
  at: number;
}

function readAlternatives(reader: Reader): Part {
  const options = [readSequence(reader)];
  while (reader.source.charAt(reader.at) === '|') {
    reader.at += 1;
    options.push(readSequence(reader));
  }
  return (heads) => new Set(options.flatMap((option) => [...option(heads)]));
}

function readSequence(reader: Reader): Part {
  const parts: Part[] = [];
  while (reader.at < reader.source.length && !'|)'.includes(reader.source.charAt(reader.at))) {
    const part = readOne(reader);
    const [least, most] = readTimes(reader);
    if (part) parts.push(repeated(part, least, most));
  }
  return (heads) => {
    let now = heads;
    for (const part of parts) {
      if (isDone(now)) return now;
      now = part(now);
    }
    return now;
  };
}

/** Undefined for what matches a place and no character. */
function readOne(reader: Reader): Part | undefined {
  const { source } = reader;
  const rest = source.slice(reader.at);
  const group = /^\((\?:|\?<?[=!])?/.exec(rest);
  if (group) {
    reader.at += group[0].length;
    const part = readAlternatives(reader);
    if (source.charAt(reader.at) !== ')') throw new Error('Heads: a group has no end.');
    reader.at += 1;
    return group[1] === undefined || group[1] === '?:' ? part : undefined;
  }
  const token = /^(?:\[(?:[^\]\\]|\\.)+\]|\\[^u]|\\u[0-9a-fA-F]{4}|[^\\[\]{}()*+?|])/.exec(rest)?.[0];
  if (token === undefined || /^\\[1-9pPkcx]/.test(token))
    throw new Error(`Heads: unexpected ${rest.slice(0, 8)}`);
  reader.at += token.length;
  if (/^(?:\\b|\^|\$)$/.test(token)) return undefined;
  const letters = lettersOf(token);
  return (heads) => step(heads, letters);
}

/** Which letters one character of the pattern stands for, in either case; {@link END} for all else. */
function lettersOf(token: string): readonly string[] {
  if (/^[A-Za-z]$/.test(token)) return [token.toLowerCase()];
  const known = KNOWN.get(token) ?? lettersOfClass(token);
  KNOWN.set(token, known);
  return known;
}

const KNOWN = new Map<string, readonly string[]>();

function lettersOfClass(token: string): readonly string[] {
  const one = new RegExp(`^${token}$`, 'i');
  return ALPHABET.filter((letter) =>
    letter === END ? OTHERS.some((other) => one.test(other)) : one.test(letter),
  );
}

/** All that is ASCII and no letter, and one character that is not ASCII. */
const OTHERS: readonly string[] = Array.from({ length: 129 }, (_, code) =>
  code < 128 ? String.fromCharCode(code) : '\u4e00',
).filter((char) => !/[a-z]/i.test(char));

function readTimes(reader: Reader): readonly [number, number] {
  const times = /^(?:([?*+])|\{(\d+)(,?)(\d*)\})\??/.exec(reader.source.slice(reader.at));
  if (times === null) return [1, 1];
  reader.at += times[0].length;
  const [, sign, least, comma, most] = times;
  const many = Number.POSITIVE_INFINITY;
  if (sign !== undefined) return [sign === '+' ? 1 : 0, sign === '?' ? 1 : many];
  return [Number(least), comma === '' ? Number(least) : most === '' ? many : Number(most)];
}

function repeated(part: Part, least: number, most: number): Part {
  return (heads) => {
    let now = heads;
    const all = new Set(least === 0 ? heads : []);
    // A head has no more letters than these; further turns say nothing new.
    const turns = Math.min(most, least + HEAD_LETTERS + 1);
    for (let turn = 1; turn <= turns; turn += 1) {
      now = part(now);
      if (turn >= least) for (const head of now) all.add(head);
    }
    return all;
  };
}

function isDone(heads: ReadonlySet<string>): boolean {
  for (const head of heads) if (head.length < HEAD_LETTERS && !head.endsWith(END)) return false;
  return true;
}

function step(heads: ReadonlySet<string>, letters: readonly string[]): ReadonlySet<string> {
  const next = new Set<string>();
  for (const head of heads) {
    if (head.length === HEAD_LETTERS || head.endsWith(END)) next.add(head);
    else for (const letter of letters) next.add(head === '' && letter === END ? '' : head + letter);
  }
  return next;
}
