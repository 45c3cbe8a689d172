// Owns values of plain JSON that their key gives away: `hunter2` is a word until `password` stands beside it.
// Such a value is read once more behind its key; only numbers and secrets that words give away count there.
import type { Span } from '../types.ts';
import type { Field } from './fields.ts';
import { isTellingKey, isTold, keyWords } from './keys.ts';

interface Labelled {
  readonly at: number;
  readonly text: string;
  /** Where the value begins in `text`. */
  readonly from: number;
}

/** What `detect` finds in each field, and behind the keys of those that have one. */
export async function detectLabelled(
  fields: readonly Field[],
  detect: (texts: readonly string[]) => Promise<Span[][]>,
): Promise<Span[][]> {
  const labelled = fields.flatMap((field, at) => labelledOf(field, at));
  const texts = fields.map((field) => field.text);
  const all = await detect([...texts, ...labelled.map(({ text }) => text)]);
  const found = all.slice(0, texts.length);
  for (const [index, { at, from }] of labelled.entries()) {
    for (const span of all[texts.length + index]!) {
      if (span.end <= from || !isTold(span)) continue;
      found[at]!.push({ ...span, start: Math.max(0, span.start - from), end: span.end - from });
    }
  }
  return found;
}

function labelledOf({ label, text }: Field, at: number): Labelled[] {
  if (label === undefined || text === '' || !isTellingKey(label)) return [];
  const words = `${keyWords(label)}: `;
  return [{ at, text: words + text, from: words.length }];
}
