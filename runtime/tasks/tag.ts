// Owns the tagger: text to spans of names, places, dates and numbers that are somebody's, by a token encoder
// handed in. Long texts are cut into windows at lines and sentences, so cost grows with length alone.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { Span, SpanType, Tagger, TokenEncoder } from '../types.ts';
import { decodeWindow, type TaggedRun } from './tag-decode.ts';
import { createTagTokenizer, LINE, PIECE, type TagTokenizer, type TagTokens } from './tag-tokens.ts';

export interface TaggerOptions {
  readonly encoder: TokenEncoder;
  /**
   * Taken from the score of "nobody's", in the model's log odds: above 0 finds more and errs more.
   * Default: the model's own.
   */
  readonly bias?: number | undefined;
  /** Also report ages, as type `other`. Default false. */
  readonly ages?: boolean | undefined;
}

/** Tokens of one run of the encoder; between two the thread is free and an abort is heard. */
const BATCH_TOKENS = 1024;
/** Where a sentence's end is looked for when a window is full: its second half. */
const EARLIEST_CUT = 0.5;

const labelsSchema: z.ZodMiniType<TaggerLabels> = z.looseObject({
  kinds: z.array(z.string()).check(z.minLength(1)),
  bias: z.number(),
  window: z.int().check(z.positive()),
});

interface TaggerLabels {
  readonly kinds: readonly string[];
  readonly bias: number;
  /** Tokens a window at most. */
  readonly window: number;
}

const vocabularySchema: z.ZodMiniType<{ readonly pieces: readonly string[] }> = z.looseObject({
  pieces: z.array(z.string()).check(z.minLength(2)),
});

/** @throws model-unsupported when the model is no tagger */
export function createTagger(options: TaggerOptions): Tagger {
  const { encoder } = options;
  const labels = readJson(encoder, 'labels', labelsSchema);
  const tokenizer = createTagTokenizer(readJson(encoder, 'tokenizer', vocabularySchema).pieces);
  if (encoder.dims < 1 + 2 * labels.kinds.length) {
    throw new NearfieldError(
      'model-unsupported',
      `${encoder.model} has too few scores a token for its labels.`,
    );
  }
  const source = `model:${encoder.model}`;
  const reading = {
    encoder,
    tokenizer,
    labels,
    bias: options.bias ?? labels.bias,
    ages: options.ages === true,
  };
  return {
    model: encoder.model,
    async tag(text, { signal } = {}) {
      signal?.throwIfAborted();
      return await tagText(text, { ...reading, source, signal });
    },
    dispose: () => encoder.dispose(),
  };
}

interface Reading {
  readonly encoder: TokenEncoder;
  readonly tokenizer: TagTokenizer;
  readonly labels: TaggerLabels;
  readonly bias: number;
  readonly ages: boolean;
  readonly source: string;
  readonly signal: AbortSignal | undefined;
}

async function tagText(text: string, reading: Reading): Promise<readonly Span[]> {
  const tokens = reading.tokenizer.tokenize(text);
  const windows = cutWindows(text, tokens, reading.labels.window);
  const spans: Span[] = [];
  for (let first = 0; first < windows.length - 1; ) {
    let last = first + 1;
    while (last < windows.length - 1 && windows[last + 1]! - windows[first]! <= BATCH_TOKENS) last += 1;
    if (first > 0) await breathe(reading.signal);
    spans.push(...(await tagWindows(tokens, windows.slice(first, last + 1), reading)));
    first = last;
  }
  return spans;
}

/** `bounds`: first token of each window, and the end of the last. */
async function tagWindows(tokens: TagTokens, bounds: readonly number[], reading: Reading): Promise<Span[]> {
  const { encoder, labels, bias, signal } = reading;
  const from = bounds[0]!;
  const to = bounds.at(-1)!;
  const rowTokens = Int32Array.from(bounds.slice(1), (end, at) => end - bounds[at]!);
  const input = {
    inputIds: tokens.ids.subarray(from, to),
    typeIds: tokens.types.subarray(from, to),
    rowTokens,
  };
  const scores = await encoder.run(input, { signal });
  const shape = { kinds: labels.kinds.length, width: encoder.dims, bias };
  return bounds.slice(1).flatMap((end, at) => {
    const start = bounds[at]!;
    const rows = scores.subarray((start - from) * encoder.dims, (end - from) * encoder.dims);
    const runs = decodeWindow(rows, tokens, start, end, shape);
    return runs.flatMap((run) => toSpan(run, tokens, reading) ?? []);
  });
}

function toSpan(run: TaggedRun, tokens: TagTokens, { labels, ages, source }: Reading): Span | undefined {
  const kind = labels.kinds[run.kind]!;
  if (kind === 'age' && !ages) return undefined;
  const type = SPAN_TYPES[kind] ?? 'other';
  const start = tokens.starts[run.first]!;
  const end = tokens.ends[run.last - 1]!;
  return end > start ? { start, end, type, score: Math.min(1, run.score), source } : undefined;
}

/** Kinds a model may name; anything else is `other`. */
const SPAN_TYPES: Readonly<Record<string, SpanType>> = Object.freeze({
  person: 'person',
  address: 'address',
  location: 'location',
  organization: 'organization',
  date: 'date',
  phone: 'phone',
  email: 'email',
  url: 'url',
  account: 'account',
  'national-id': 'national-id',
  'medical-id': 'medical-id',
  'document-id': 'document-id',
  username: 'username',
  secret: 'secret',
});

/**
 * Bounds of windows of at most `most` tokens: the first token of each, then the number of tokens. Cut at the
 * last line in the window's second half, else after the last sentence there, else between words.
 */
export function cutWindows(text: string, tokens: TagTokens, most: number): number[] {
  const count = tokens.ids.length;
  const bounds = [0];
  while (count - bounds.at(-1)! > most) {
    const start = bounds.at(-1)!;
    bounds.push(cutAfter(text, tokens, start, start + most));
  }
  if (count > 0) bounds.push(count);
  return bounds;
}

function cutAfter(text: string, tokens: TagTokens, start: number, end: number): number {
  const earliest = start + Math.floor((end - start) * EARLIEST_CUT);
  let sentence = 0;
  let word = 0;
  for (let at = end; at > earliest; at -= 1) {
    const place = tokens.types[at]! & 3;
    if (place === LINE) return at;
    if (place === PIECE) continue;
    const before = text.charCodeAt(tokens.ends[at - 1]! - 1);
    if (sentence === 0 && place === 0 && (before === 46 || before === 33 || before === 63)) sentence = at;
    if (word === 0 && place === 0) word = at;
  }
  return sentence || word || end;
}

/** Lets timers and messages through, so that a limit or an abort can be heard. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  signal?.throwIfAborted();
}

function readJson<T>(encoder: TokenEncoder, role: 'labels' | 'tokenizer', schema: z.ZodMiniType<T>): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(encoder.file(role))));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', `${encoder.model} has no ${role} file a tagger can read.`, {
      cause,
    });
  }
}
