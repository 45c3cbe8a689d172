// Owns values that lie over two texts: a number typed in two messages, a document handed in as pieces that were cut
// through one. The end of a text and the beginning of the next are read together; only what is sure in itself counts.
import type { Span } from '../types.ts';
import type { Field } from './fields.ts';

/** Longer than any value looked for; a key may be longer, and is known by its beginning. */
const REACH = 64;
const SURE = 0.9;
/** A value goes on: the first text ends with a part of one, the next begins with one. */
const ENDS = /[\d@_][^\n]{0,40}$/;
const BEGINS = /^\s{0,2}[\p{L}\p{N}@.+_-]/u;

interface Seam {
  readonly left: number;
  readonly right: number;
  /** The left field's characters before the ones read. */
  readonly skipped: number;
  readonly text: string;
  /** Where the left text ends and the right one begins, in `text`. */
  readonly end: number;
  readonly begin: number;
}

/** Adds to `found`, one list a field, what lies over two fields of one origin that follow one another. */
export async function detectSeams(
  fields: readonly Field[],
  found: readonly Span[][],
  detect: (texts: readonly string[]) => Promise<Span[][]>,
): Promise<void> {
  const seams = seamsOf(fields);
  if (seams.length === 0) return;
  const spans = await detect(seams.map(({ text }) => text));
  for (const [at, seam] of seams.entries()) for (const span of spans[at]!) keepOver(seam, span, found);
}

function seamsOf(fields: readonly Field[]): Seam[] {
  const last = new Map<Field['origin'], number>();
  const seams: Seam[] = [];
  for (const [right, { text, origin, flows }] of fields.entries()) {
    if (flows !== true) continue;
    const left = last.get(origin);
    last.set(origin, right);
    if (left === undefined || !BEGINS.test(text)) continue;
    const before = fields[left]!.text;
    const tail = before.slice(-REACH);
    if (!ENDS.test(tail)) continue;
    // A piece may be cut inside a value; people begin a message where a blank would stand.
    for (const joint of ['', ' ']) {
      const joined = {
        text: tail + joint + text.slice(0, REACH),
        end: tail.length,
        begin: tail.length + joint.length,
      };
      seams.push({ left, right, skipped: before.length - tail.length, ...joined });
    }
  }
  return seams;
}

/** Unless one of the texts surely holds something whole there: then this is it and its neighbour. */
function keepOver(seam: Seam, span: Span, found: readonly Span[][]): void {
  if (span.score < SURE || span.start >= seam.end || span.end <= seam.begin) return;
  const left = { ...span, start: span.start + seam.skipped, end: seam.end + seam.skipped };
  const right = { ...span, start: 0, end: span.end - seam.begin };
  const isNew = (part: Span, at: number) =>
    found[at]!.every(
      ({ start, end, score, source }) =>
        source === SEAM || score < SURE || end <= part.start || part.end <= start,
    );
  if (!isNew(left, seam.left) || !isNew(right, seam.right)) return;
  found[seam.left]!.push({ ...left, source: SEAM });
  found[seam.right]!.push({ ...right, source: SEAM });
}

const SEAM = 'pattern:seam';
