// Owns the check that a near neighbour asks the same question. Refuses on any difference that changes an
// answer; silence means "no difference found", never "the same".
import { DIRECTION_PAIRS, OPPOSITES } from './lexicon.ts';
import { type Asks, type Reading, readText, stemOf } from './reading.ts';
import type { Refusal } from './reasons.ts';

type Check = (asked: Reading, kept: Reading) => Refusal | undefined;

/** In order: the surest and cheapest to explain first. */
const CHECKS: readonly Check[] = [
  differsInNumber,
  differsInDate,
  differsInUnit,
  differsInNegation,
  differsInOpposite,
  differsInName,
  differsInQuestion,
  differsInOrder,
];

/** The first difference that changes the answer, or undefined. */
export function verify(asked: string, kept: string): Refusal | undefined {
  return asked === kept ? undefined : verifyReadings(readText(asked), readText(kept));
}

export function verifyReadings(asked: Reading, kept: Reading): Refusal | undefined {
  for (const check of CHECKS) {
    const refusal = check(asked, kept);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function differsInNumber(a: Reading, b: Reading): Refusal | undefined {
  return a.numbers.join(' ') === b.numbers.join(' ') ? undefined : 'number';
}

function differsInDate(a: Reading, b: Reading): Refusal | undefined {
  return sameSet(a.dates, b.dates) ? undefined : 'date';
}

/** A unit one side alone names is refused only where the other names one too, or a number stands by it. */
function differsInUnit(a: Reading, b: Reading): Refusal | undefined {
  if (sameSet(a.units, b.units)) return undefined;
  const bothName = a.units.size > 0 && b.units.size > 0;
  return bothName || a.numbers.length > 0 ? 'unit' : undefined;
}

function differsInNegation(a: Reading, b: Reading): Refusal | undefined {
  if (a.negations % 2 !== b.negations % 2) return 'negation';
  return negatedByPrefix(a, b) || negatedByPrefix(b, a) ? 'negation' : undefined;
}

const PREFIX = /^(?:un|in|im|il|ir|dis|non|des|anti|mis)(?=.{4})/;

/** `legal` here, `illegal` there. */
function negatedByPrefix(a: Reading, b: Reading): boolean {
  return a.words.some(({ folded }) => {
    const bare = folded.replace(PREFIX, '');
    return bare !== folded && b.vocabulary.has(bare) && !b.vocabulary.has(folded) && !a.vocabulary.has(bare);
  });
}

/** One text stands on one side of a pair, the other on the other; a text on both sides compares them. */
function differsInOpposite(a: Reading, b: Reading): Refusal | undefined {
  for (const side of a.sides) {
    const other = side.slice(0, -1) + (side.endsWith('+') ? '-' : '+');
    if (!b.sides.has(other) || b.sides.has(side) || a.sides.has(other)) continue;
    return DIRECTION_PAIRS.has(side.slice(0, -1)) ? 'direction' : 'comparison';
  }
  return undefined;
}

function differsInName(a: Reading, b: Reading): Refusal | undefined {
  const [missing, extra] = [unmatchedNames(a, b), unmatchedNames(b, a)];
  if (missing.length > 0 && extra.length > 0) return 'name';
  const [longer, shorter, names] = missing.length > 0 ? [a, b, missing] : [b, a, extra];
  return names.every((name) => completesName(name, longer, shorter)) ? undefined : 'name';
}

/** `Donald` beside `Trump`, where the other text says `Trump`: a fuller form of the same name. */
function completesName(name: string, longer: Reading, shorter: Reading): boolean {
  if (OPPOSITES.has(name)) return false;
  return longer.words.some(({ folded }, at) => {
    if (folded !== name) return false;
    const beside = [longer.words[at - 1], longer.words[at + 1]];
    return beside.some((word) => word?.isName === true && shorter.names.has(word.folded));
  });
}

/** The names of `a` that `b` does not speak of: in any case, inflected, slightly misspelt, or by initials. */
function unmatchedNames(a: Reading, b: Reading): readonly string[] {
  const initials = initialsOf(b);
  return [...a.names].filter((name) => {
    if (b.vocabulary.has(name) || b.vocabulary.has(name.replaceAll(/[.-]/g, ''))) return false;
    if ([...b.vocabulary].some((word) => isSpellingOf(name, word))) return false;
    if (name.length >= 2 && initials.includes(name.replaceAll('.', ''))) return false;
    return !isSpeltOut(name, a, b);
  });
}

function isSpellingOf(name: string, word: string): boolean {
  if (stemOf(name) === stemOf(word)) return true;
  return name.length >= 6 && Math.abs(name.length - word.length) <= 1 && editDistanceIsOne(name, word);
}

function initialsOf(reading: Reading): string {
  return reading.words.map((word) => word.folded[0] ?? '').join('');
}

/** The name is a part of what the other abbreviates: `United States` against `US`. */
function isSpeltOut(name: string, a: Reading, b: Reading): boolean {
  const names = a.words.filter((word) => word.isName).map((word) => word.folded);
  const initials = names.map((each) => each[0] ?? '').join('');
  return [...b.names].some((other) => {
    const short = other.replaceAll('.', '');
    return short.length >= 2 && initials.includes(short) && short.includes(name[0] ?? '?');
  });
}

/** Exactly one letter changed, added, dropped, or two neighbours swapped. */
function editDistanceIsOne(a: string, b: string): boolean {
  let from = 0;
  while (from < a.length && a[from] === b[from]) from += 1;
  let back = 0;
  while (back < a.length - from && back < b.length - from && a.at(-1 - back) === b.at(-1 - back)) back += 1;
  const [left, right] = [a.slice(from, a.length - back), b.slice(from, b.length - back)];
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}

/** Kinds of answer that stand for nothing else; `what`, `how` and requests may ask for any. */
const PRECISE: ReadonlySet<Asks> = new Set(['who', 'when', 'where', 'why', 'quantity', 'duration', 'yes-no']);

function differsInQuestion(a: Reading, b: Reading): Refusal | undefined {
  if (a.asks === b.asks) return undefined;
  return PRECISE.has(a.asks) && PRECISE.has(b.asks) ? 'question-word' : undefined;
}

/** Between these the order of two things says which is which. */
const ORDERING = new Set(
  'to from into than for over by of que para a de do da em at as per against convert become becomes instead beat beats defeat'.split(
    ' ',
  ),
);
/** Joined by these, order says nothing. */
const SYMMETRIC = new Set(
  'and or vs versus between y e o ou u entre difference diferencia diferenca compare compared'.split(' '),
);

/** The same words in another order, where order tells who does what to whom. */
function differsInOrder(a: Reading, b: Reading): Refusal | undefined {
  const ordered = (reading: Reading): boolean =>
    reading.words.some(({ folded }) => ORDERING.has(folded)) &&
    !reading.words.some(({ folded }) => SYMMETRIC.has(folded));
  if (!ordered(a) || !ordered(b)) return undefined;
  const shared = new Set(a.content.filter((stem) => b.content.includes(stem)));
  const first = a.content.filter((stem) => shared.has(stem));
  const second = b.content.filter((stem) => shared.has(stem));
  const complete = shared.size >= 0.8 * Math.max(a.content.length, b.content.length);
  if (!complete || first.length < 2 || first.join(' ') === second.join(' ')) return undefined;
  return swapsObjects(a, b, shared) ? 'order' : undefined;
}

/** Two shared words stand on opposite sides of the same ordering word in the two texts. */
function swapsObjects(a: Reading, b: Reading, shared: ReadonlySet<string>): boolean {
  const [left, right] = [sidesOfOrdering(a, shared), sidesOfOrdering(b, shared)];
  return [...left].some((pair) => {
    const [word, before, after] = pair.split(' ');
    return right.has(`${word} ${after} ${before}`) && !right.has(pair);
  });
}

/** Every `ordering word, shared word before it, shared word after it`. */
function sidesOfOrdering(reading: Reading, shared: ReadonlySet<string>): ReadonlySet<string> {
  const pairs = new Set<string>();
  reading.words.forEach(({ folded }, at) => {
    if (!ORDERING.has(folded)) return;
    const before = reading.words.slice(0, at).filter((word) => shared.has(word.stem));
    const after = reading.words.slice(at + 1).filter((word) => shared.has(word.stem));
    for (const x of before) for (const y of after) pairs.add(`${folded} ${x.stem} ${y.stem}`);
  });
  return pairs;
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
