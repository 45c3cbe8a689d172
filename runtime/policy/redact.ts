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
    const done = redactText(field.text, own, bare, options.session, bare ? names : table);
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
  return secretive.map((list, at) => {
    const more = occurrences(texts[at]!, values);
    return more.length <= list.length ? list : mergeSpans([...list, ...more], options.sensitivityOf);
  });
}

const WORD = /[\p{L}\p{N}]/u;

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

function redactText(
  text: string,
  spans: readonly Span[],
  bare: boolean,
  session: PlaceholderSession,
  table: Map<string, string>,
): { readonly text: string; readonly segments: readonly Segment[] } {
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
    segments.push({
      start: made.length,
      end: made.length + placeholder.length,
      originalStart: cut.start,
      originalEnd: cut.end,
    });
    made += placeholder;
    table.set(placeholder, value);
    from = cut.end;
  }
  return { text: made + text.slice(from), segments };
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
