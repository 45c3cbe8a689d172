// Owns making a request fit to leave: every found value becomes a placeholder, everywhere it occurs, and
// local identities become pseudonyms. Keeps what the way back needs, for this one request only, so
// another request's values can never be restored into this answer.
import type { ChatRequest, Sensitivity, Span, SpanType } from '../types.ts';
import { countTypes } from './decide.ts';
import { rewriteRequest } from './fields.ts';
import type { PlaceholderSession } from './placeholders.ts';
import { mergeSpans } from './spans.ts';

/** A stretch of a redacted text and what it stood for; in order, offsets of both texts. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly originalStart: number;
  readonly originalEnd: number;
}

export interface Redaction {
  readonly request: ChatRequest;
  readonly redactedByType: Readonly<Partial<Record<SpanType, number>>>;
  /** Placeholder to original, for prose. */
  readonly table: ReadonlyMap<string, string>;
  /** Bare placeholder to original, for tool names. */
  readonly names: ReadonlyMap<string, string>;
  /** Redacted text of a document to its segments. */
  readonly segments: ReadonlyMap<string, readonly Segment[]>;
}

export interface RedactOptions {
  readonly session: PlaceholderSession;
  readonly sensitivityOf: (type: SpanType) => Sensitivity;
}

/** Values found once are looked for everywhere; more than this many only where they were found. */
const MAX_SPREAD = 512;

/**
 * `spans` holds one list a field, in {@link rewriteRequest}'s order; undefined redacts nothing but the
 * local identities.
 */
export function redactRequest(
  request: ChatRequest,
  spans: readonly (readonly Span[])[] | undefined,
  options: RedactOptions,
): Redaction {
  const table = new Map<string, string>();
  const names = new Map<string, string>();
  const segments = new Map<string, readonly Segment[]>();
  const types: SpanType[] = [];
  const hidden = spans && spread(request, spans, options);
  let at = 0;
  const rewritten = rewriteRequest(request, (field) => {
    const own = hidden?.[at] ?? [];
    at += 1;
    if (field.kind === 'local') return options.session.pseudonym(field.text);
    const bare = field.kind === 'identifier' || field.kind === 'participant';
    const done = (field.kind === 'arguments' ? redactJson : redactText)(
      field.text,
      own,
      bare,
      options.session,
      bare ? names : table,
    );
    for (const span of own) types.push(span.type);
    if (field.origin === 'document' && done.segments.length > 0) segments.set(done.text, done.segments);
    return done.text;
  });
  return { request: rewritten.request, redactedByType: countTypes(types), table, names, segments };
}

/** Every field's spans, plus every other place where a found value occurs as a whole word. */
function spread(
  request: ChatRequest,
  spans: readonly (readonly Span[])[],
  options: RedactOptions,
): readonly (readonly Span[])[] {
  const texts: string[] = [];
  rewriteRequest(request, (field) => {
    texts.push(field.text);
    return field.text;
  });
  const secretive = spans.map((list) => list.filter((span) => options.sensitivityOf(span.type) !== 'none'));
  const values = new Map<string, Span>();
  for (const [at, list] of secretive.entries()) {
    for (const span of list) {
      const value = texts[at]!.slice(span.start, span.end);
      if (value.length >= 4 && values.size < MAX_SPREAD) values.set(value, span);
    }
  }
  const loose = new Map(
    Array.from(values, ([value, span]): [string, Span] => [plainLetters(value), span]).filter(([value]) =>
      LOOSE.test(value),
    ),
  );
  return secretive.map((list, at) => {
    const text = texts[at]!;
    const more = occurrences(text, values);
    if (loose.size > 0) more.push(...occurrences(plainLetters(text), loose));
    return more.length === 0 ? list : mergeSpans([...list, ...more], options.sensitivityOf);
  });
}

const WORD = /[\p{L}\p{N}]/u;
/** Two words, or a word with digits, are nobody else's in other letters; a single word may be an ordinary one. */
const LOOSE = /\p{L}[^\p{L}]+\p{L}|\p{L}\d|\d\p{L}/u;

/** In small letters without accents, each where it stood; as it is where that moves one. */
function plainLetters(text: string): string {
  const small = text.toLowerCase();
  if (small.length !== text.length) return text;
  return small.replaceAll(/[\u00c0-\u024f]/g, (letter) => letter.normalize('NFD').charAt(0));
}

function occurrences(text: string, values: ReadonlyMap<string, Span>): Span[] {
  const found: Span[] = [];
  for (const [value, span] of values) {
    for (let start = text.indexOf(value); start >= 0; start = text.indexOf(value, start + value.length)) {
      const end = start + value.length;
      if (WORD.test(text.charAt(start - 1)) && WORD.test(value.charAt(0))) continue;
      if (WORD.test(text.charAt(end)) && WORD.test(value.charAt(value.length - 1))) continue;
      found.push({ ...span, start, end });
    }
  }
  return found;
}

type RedactArguments = [
  text: string,
  spans: readonly Span[],
  bare: boolean,
  session: PlaceholderSession,
  table: Map<string, string>,
];

interface RedactedText {
  readonly text: string;
  readonly segments: readonly Segment[];
}

/** A number among arguments has no quotes, and a placeholder in its place needs them. */
function redactJson(...args: RedactArguments): RedactedText {
  const plain = redactText(...args);
  if (plain.segments.length === 0 || isJson(plain.text) || !isJson(args[0])) return plain;
  const quoted = redactText(...args, true);
  return isJson(quoted.text) ? quoted : plain;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const NUMBER = /^-?\d[\d.eE+-]*$/;

function redactText(
  ...[text, spans, bare, session, table, quoteNumbers = false]: [...RedactArguments, quoteNumbers?: boolean]
): RedactedText {
  const escaped = session.lookAlikes(text).filter((range) => spans.every((span) => apart(span, range)));
  if (spans.length === 0 && escaped.length === 0) return { text, segments: [] };
  const cuts = [...spans, ...escaped.map((range) => ({ ...range, type: 'literal' as const }))];
  cuts.sort((a, b) => a.start - b.start);
  const segments: Segment[] = [];
  let made = '';
  let from = 0;
  for (const cut of cuts) {
    const value = text.slice(cut.start, cut.end);
    const placeholder = session.placeholder(cut.type, value, bare);
    made += text.slice(from, cut.start);
    const quote = quoteNumbers && NUMBER.test(value) && isBare(text, cut) ? '"' : '';
    made += quote;
    segments.push({
      start: made.length,
      end: made.length + placeholder.length,
      originalStart: cut.start,
      originalEnd: cut.end,
    });
    made += placeholder + quote;
    table.set(placeholder, value);
    from = cut.end;
  }
  return { text: made + text.slice(from), segments };
}

/** Between JSON's own signs. */
function isBare(text: string, { start, end }: { start: number; end: number }): boolean {
  return (
    /[:[,]\s*$/.test(text.slice(Math.max(0, start - 8), start)) && /^\s*[,\]}]/.test(text.slice(end, end + 8))
  );
}

function apart(a: { start: number; end: number }, b: { start: number; end: number }): boolean {
  return a.end <= b.start || b.end <= a.start;
}

/** Offset in the original text for an offset in the redacted one; inside a placeholder, its near edge. */
export function originalOffset(segments: readonly Segment[], offset: number, edge: 'start' | 'end'): number {
  let shift = 0;
  for (const segment of segments) {
    if (offset <= segment.start) break;
    if (offset < segment.end) return edge === 'start' ? segment.originalStart : segment.originalEnd;
    shift = segment.originalEnd - segment.end;
  }
  return offset + shift;
}
