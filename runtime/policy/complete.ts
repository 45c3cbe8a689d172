// Owns what follows from what was found: halves of one name become one, a name found once is found again
// wherever it stands, and a value with check digits keeps its type. Refuses to take anything back.
import type { Span } from '../types.ts';
import { type Detector, detectAll } from './detector.ts';
import { withoutFigures } from './figures.ts';
import { NOT_NAMES } from './names.ts';
import { mergeSpans } from './spans.ts';

/** Spans this sure keep their type whatever they overlap. */
const SURE = 0.9;
/** A single word of a name is looked for again from this many letters on. */
const MIN_LETTERS = 4;
/** Names looked for again in one request; more are no conversation. */
const MAX_NAMES = 200;
/** What may stand between two halves of a name. */
const JOINT = /^(?:[ \t\u00a0'’.-]{1,2}|[ \t](?:de|da|do|dos|das|del|de la|van|von|y|e)[ \t])$/;

/**
 * Completes what was found in the texts of one request, `found` in the texts' order: every text learns from all.
 * Spans stay unmerged but for names.
 */
export function completeSpans(texts: readonly string[], found: readonly (readonly Span[])[]): Span[][] {
  const completed = found.map((spans, at) => keepSureTypes(joinNames(texts[at]!, spans)));
  const names = collectNames(texts, completed);
  if (names.size === 0) return completed.map((spans) => [...spans]);
  return completed.map((spans, at) => [...spans, ...repeats(texts[at]!, spans, names)]);
}

/** Several detectors as one, its spans completed and merged, figures left; for measuring and for uses without a policy. */
export function combineDetectors(detectors: readonly Detector[]): Detector {
  return {
    id: detectors.map((detector) => detector.id).join('+'),
    async detect(text, { signal }) {
      const limits = { timeoutMs: 60_000, signal, now: () => performance.now() };
      const found = await detectAll(detectors, [text], limits);
      return mergeSpans(completeSpans([text], withoutFigures([text], found))[0] ?? [], () => 'personal');
    },
  };
}

function joinNames(text: string, spans: readonly Span[]): readonly Span[] {
  const people = spans.filter((span) => span.type === 'person');
  if (people.length < 2) return spans;
  const joined: Span[] = [];
  for (const span of [...people].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    const meets =
      last !== undefined && (span.start <= last.end || JOINT.test(text.slice(last.end, span.start)));
    if (!meets) joined.push(span);
    else joined[joined.length - 1] = widest(last, span);
  }
  return [...spans.filter((span) => span.type !== 'person'), ...joined];
}

function widest(a: Span, b: Span): Span {
  const longer = a.end - a.start >= b.end - b.start ? a : b;
  return { ...longer, end: Math.max(a.end, b.end), start: a.start, score: Math.max(a.score, b.score) };
}

/** A tagger's guess that covers a checked number is a longer stretch of the same type. */
function keepSureTypes(spans: readonly Span[]): readonly Span[] {
  const sure = spans.filter((span) => span.score >= SURE && span.source.startsWith('pattern:'));
  if (sure.length === 0) return spans;
  return spans.map((span) => {
    if (!span.source.startsWith('model:')) return span;
    const under = sure.find((other) => other.start < span.end && span.start < other.end);
    return under === undefined ? span : { ...span, type: under.type };
  });
}

/** Whole names, and their words, each to the span it came from. */
function collectNames(
  texts: readonly string[],
  found: readonly (readonly Span[])[],
): ReadonlyMap<string, Span> {
  const names = new Map<string, Span>();
  found.forEach((spans, at) => {
    const text = texts[at]!;
    for (const span of spans) {
      if (span.type !== 'person' || span.end - span.start > 80 || names.size >= MAX_NAMES) continue;
      const name = text.slice(span.start, span.end);
      if (/\p{Lu}/u.test(name) && name.length >= MIN_LETTERS) names.set(name, names.get(name) ?? span);
      for (const word of name.match(/\p{L}[\p{L}'’-]*/gu) ?? []) {
        if (isTelling(word, texts)) names.set(word, names.get(word) ?? span);
      }
    }
  });
  return names;
}

/** A capitalised word that is written small nowhere in the request and is no ordinary word. */
function isTelling(word: string, texts: readonly string[]): boolean {
  if (word.length < MIN_LETTERS || !/^\p{Lu}/u.test(word)) return false;
  const lower = word.toLowerCase();
  if (NOT_NAMES.has(lower)) return false;
  return !texts.some((text) => standing(text, lower).next().done === false);
}

/** Where `word` stands alone in `text`. */
function* standing(text: string, word: string): Generator<number> {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
    if (!isLetter(text, at - 1) && !isLetter(text, at + word.length)) yield at;
  }
}

function isLetter(text: string, at: number): boolean {
  return at >= 0 && at < text.length && /[\p{L}\p{N}]/u.test(text.charAt(at));
}

function repeats(text: string, spans: readonly Span[], names: ReadonlyMap<string, Span>): Span[] {
  const hidden = (start: number, end: number) => spans.some((span) => span.start <= start && end <= span.end);
  const more: Span[] = [];
  for (const [name, origin] of names) {
    for (const start of standing(text, name)) {
      const end = start + name.length;
      if (!hidden(start, end)) more.push({ ...origin, start, end, source: `repeat:${origin.source}` });
    }
  }
  return more;
}
