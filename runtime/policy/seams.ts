// Owns values that lie over several texts: a number typed in three messages, a document handed in as pieces that were
// cut through one, parts of a message that meet. The end of a text, all of the short ones after it and the beginning
// of the next are read together; only what is sure in itself counts.
import type { Span } from '../types.ts';
import { TooMuchText } from './detector.ts';
import type { Field } from './fields.ts';

/** Longer than any value looked for; a key may be longer, and is known by its beginning. */
const REACH = 64;
/** Texts that are read together wherever each may be the first; the longest card, a digit in each. */
const MOST_TEXTS = 20;
/**
 * Stretches read together in one request: a thousand texts of which each goes on in the next. Many thousands, in a body of
 * some kilobytes, would else take a gigabyte before any time limit is looked at.
 */
const MOST_PIECES = 250_000;
const SURE = 0.9;
/** No value of three texts is shorter. */
const SHORTEST = 7;
/** A value goes on: near the border one of the texts has what a value has, and the next begins with a part of one. */
const ENDS = /[\d@_][^\n]{0,40}$/;
const STARTS = /^[^\n]{0,40}[\d@_]/;
const BEGINS = /^\s{0,2}[\p{L}\p{N}@.+_-]/u;
/**
 * Nothing but a part of a value: a word without a blank beside it, or words that have a digit or a sign, or few
 * capitals, as in an IBAN.
 */
const PIECE = String.raw`(?:[^\s\d@_]*[\d@_]\S*|[A-Z]{1,4}|[.+()*/|-]{1,3})`;
const PART = new RegExp(String.raw`^(?:\S+|\s*${PIECE}(?:\s+${PIECE})*\s*)$`);

/** A stretch of a field and where it stands in what is read. */
interface Piece {
  readonly field: number;
  /** Where it begins in the field. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

interface Seam {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

/** A text that may go on in the next: a field, or a part of one. */
interface Text {
  readonly field: number;
  /** Where it begins in the field. */
  readonly from: number;
  readonly text: string;
}

/**
 * Adds to `found`, one list a field, what lies over fields of one origin that follow one another, and over parts.
 * @throws TooMuchText
 */
export async function detectSeams(
  fields: readonly Field[],
  found: readonly Span[][],
  detect: (texts: readonly string[]) => Promise<Span[][]>,
): Promise<void> {
  const seams: Seam[] = [];
  let pieces = 0;
  for (const flow of [...flowsOf(fields), ...partsOf(fields)]) {
    for (const seam of seamsOf(flow)) {
      pieces += seam.pieces.length;
      if (pieces > MOST_PIECES) throw new TooMuchText();
      seams.push(seam);
    }
  }
  if (seams.length === 0) return;
  const spans = await detect(seams.map(({ text }) => text));
  for (const [at, seam] of seams.entries()) for (const span of spans[at]!) keepOver(seam, span, found);
}

/** Fields that say something and go on in one another, by origin. */
function flowsOf(fields: readonly Field[]): readonly (readonly Text[])[] {
  const flows = new Map<Field['origin'], Text[]>();
  for (const [field, { text, origin, flows: goesOn }] of fields.entries()) {
    if (goesOn !== true || isBlank(text)) continue;
    const flow = flows.get(origin);
    if (flow) flow.push({ field, from: 0, text });
    else flows.set(origin, [{ field, from: 0, text }]);
  }
  return [...flows.values()];
}

/** Parts of one message are sent without anything between, and read so; whoever wrote them may have meant a blank. */
function partsOf(fields: readonly Field[]): readonly (readonly Text[])[] {
  return fields.flatMap(({ text, joints = [] }, field) => {
    if (joints.length === 0) return [];
    const ends = [...joints, text.length];
    const parts = [0, ...joints].map(
      (from, at): Text => ({ field, from, text: text.slice(from, ends[at]!) }),
    );
    return [parts.filter((part) => !isBlank(part.text))];
  });
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}

/**
 * For every text: itself with the next, and with each after that while those between are parts of a value and no
 * more. A chain of more texts than {@link MOST_TEXTS} is read whole as well, once.
 */
function* seamsOf(flow: readonly Text[]): Generator<Seam, void, void> {
  const isPart = flow.map(({ text }) => text.length <= REACH && PART.test(text));
  for (let first = 0; first + 1 < flow.length; first += 1) {
    const read = [tailOf(flow[first]!)];
    const beginsChain = first === 0 || !isPart[first];
    for (let next = first + 1; next < flow.length; next += 1) {
      const { field, from, text } = flow[next]!;
      if (!BEGINS.test(text)) break;
      read.push({ field, from, text: text.slice(0, REACH) });
      const after = flow[next + 1]?.text;
      const goesOn = isPart[next] === true && after !== undefined && BEGINS.test(after);
      const isLast = !goesOn || (read.length === MOST_TEXTS && !beginsChain);
      if ((isLast || read.length <= MOST_TEXTS) && mayHold(read)) {
        yield join(read, '');
        // Blanks part numbers that are not of the value as well: the longest says what those on the way would.
        if (isLast || read.length === 2) yield join(read, ' ');
      }
      if (isLast) break;
    }
  }
}

function tailOf({ field, from, text }: Text): Text {
  const skipped = Math.max(0, text.length - REACH);
  return { field, from: from + skipped, text: text.slice(skipped) };
}

function mayHold([before, ...rest]: readonly Text[]): boolean {
  const after = rest.map(({ text }) => text).join('');
  if (rest.length > 1 && before!.text.length + after.length < SHORTEST) return false;
  return ENDS.test(before!.text) || STARTS.test(after);
}

/** A piece may be cut inside a value; people begin a message where a blank would stand. */
function join(texts: readonly Text[], joint: string): Seam {
  let text = '';
  const pieces = texts.map(({ field, from, text: own }, at): Piece => {
    if (at > 0) text += joint;
    const start = text.length;
    text += own;
    return { field, from, start, end: text.length };
  });
  return { text, pieces };
}

/**
 * Unless one of the texts surely holds something whole there: then this is it and its neighbour. Of parts, what lies
 * in one counts as well: sent without a blank, the next may have hidden it.
 */
function keepOver({ text, pieces }: Seam, span: Span, found: readonly Span[][]): void {
  const touched = pieces.filter(({ start, end }) => span.start < end && start < span.end);
  if (span.score < SURE || (touched.length < 2 && pieces[0]!.field !== pieces[1]!.field)) return;
  const parts = new Map<number, Span>();
  for (const { field, from, start, end } of touched) {
    const begin = from + Math.max(0, span.start - start);
    const before = parts.get(field)?.start ?? begin;
    parts.set(field, { ...span, start: before, end: from + Math.min(end, span.end) - start, source: SEAM });
  }
  const fresh = [...parts].filter(([field, part]) => isNew(part, found[field]!));
  // Cut before its sign, an address is whole in the last text, and its beginning is in those before.
  const whole = touched.find(({ field }) => !fresh.some(([other]) => other === field));
  const isCut = span.type === 'email' && LOCAL_PIECE.test(text.slice(span.start, whole?.start));
  if (fresh.length < parts.size && !isCut) return;
  for (const [field, part] of fresh) found[field]!.push(part);
}

/** No word of a sentence. */
const LOCAL_PIECE = /^[^\s@]*(?:[._+-][A-Za-z0-9]|\d)[^\s@]*$/;

/** What check digits say counts for more than a number that a word beside it made a phone. */
function isNew(part: Span, found: readonly Span[]): boolean {
  return found.every(
    ({ start, end, score, source }) =>
      source === SEAM || score < part.score || end <= part.start || part.end <= start,
  );
}

const SEAM = 'pattern:seam';
