// Owns the tagger as a detector: it reads every readable form of a text and tells what it found in the
// original's offsets. The tagger itself is handed in; a tagger that fails or is late ends on the device.
import type { Span, SpanType, Tagger } from '../types.ts';
import type { Detector } from './detector.ts';
import { createPatternDetector } from './patterns.ts';
import { readableViews } from './readable.ts';
import { locate } from './view.ts';

export interface TaggerDetectorOptions {
  readonly tagger: Pick<Tagger, 'model' | 'tag'>;
  /** `all`: every full date. `birth`: none by the tagger; the patterns know dates of birth. Default `all`. */
  readonly dates?: 'birth' | 'all' | undefined;
  /** Types it may tell. Default: all but `url`, since a link to a page is what a question is often about. */
  readonly types?: readonly SpanType[] | undefined;
  /** Spans less sure than this are not told, 0…1. Default 0.5. */
  readonly minScore?: number | undefined;
}

/** A tagger is never as sure as check digits. */
const MAX_SCORE = 0.98;
/** Decoded bytes of something else look like names of nobody. */
const MIN_LETTERS = 2;

/** Names, places, dates and numbers by a model. */
export function createTaggerDetector(options: TaggerDetectorOptions): Detector {
  const { tagger, dates = 'all', minScore = 0.5 } = options;
  const types = options.types === undefined ? undefined : new Set(options.types);
  const wanted = ({ type, score }: Span): boolean =>
    score >= minScore && (types?.has(type) ?? type !== 'url') && (type !== 'date' || dates === 'all');
  return {
    id: 'tagger',
    async detect(text, { signal }) {
      const spans: Span[] = [];
      for (const view of await readableViews(text)) {
        if (countWords(view.text) < MIN_LETTERS) continue;
        for (const span of await tagger.tag(view.text, { signal })) {
          if (!wanted(span) || isPlaceholder(view.text, span)) continue;
          const score = Math.min(span.score, MAX_SCORE);
          // A guess is redacted; only a pattern's secret keeps the whole request here.
          const type = span.type === 'secret' ? 'other' : span.type;
          spans.push({ ...span, ...wholeRun(text, locate(view, span.start, span.end)), score, type });
        }
      }
      return spans;
    },
  };
}

const RUN = /[A-Za-z0-9\u00c0-\u024f]/;

/** Longer runs are no identifier. */
const MAX_RUN = 128;

/** Half of an identifier is none hidden: a guess that ends inside a run of letters and digits takes it all. */
function wholeRun(text: string, range: { start: number; end: number }): { start: number; end: number } {
  let { start, end } = range;
  const goesOn = (at: number): boolean => RUN.test(text.charAt(at - 1)) && RUN.test(text.charAt(at));
  while (goesOn(start) && range.start - start < MAX_RUN) start -= 1;
  while (goesOn(end) && end - range.end < MAX_RUN) end += 1;
  return { start, end };
}

/** What an earlier redaction put in place of a value: `[EMAIL_1_k7qx]`, brackets or not. */
const PLACEHOLDER = /\b[A-Z]{2,12}(?:_[A-Z]{2,4})?_\d{1,6}_[b-df-hj-kmnp-tv-z2-9]{4}\b/g;

function isPlaceholder(text: string, { start, end }: Span): boolean {
  const from = Math.max(0, start - 32);
  for (const match of text.slice(from, end + 32).matchAll(PLACEHOLDER)) {
    const at = from + match.index - 1;
    if (at <= start && end <= at + match[0].length + 2) return true;
  }
  return false;
}

function countWords(text: string): number {
  let letters = 0;
  for (const char of text) {
    if (/[\p{L}\p{N}]/u.test(char)) letters += 1;
    if (letters >= MIN_LETTERS) return letters;
  }
  return letters;
}

/** Patterns with the tagger when there is one; then every full date counts, unless `dates` says otherwise. */
export function createDetectors(
  tagger: TaggerDetectorOptions['tagger'] | undefined,
  { dates = 'all' }: Pick<TaggerDetectorOptions, 'dates'> = {},
): readonly Detector[] {
  if (tagger === undefined) return [createPatternDetector()];
  return [createPatternDetector({ dates }), createTaggerDetector({ tagger, dates })];
}
