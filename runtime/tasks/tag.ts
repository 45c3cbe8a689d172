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
    async tag(text, { signal, seen = new Map() } = {}) {
      signal?.throwIfAborted();
      return await tagText(text, { ...reading, source, signal, seen });
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
  readonly seen: Map<string, Float32Array>;
}

async function tagText(text: string, reading: Reading): Promise<readonly Span[]> {
  const tokens = reading.tokenizer.tokenize(text);
  const windows = toWindows(tokens, cutWindows(text, tokens, reading.labels.window));
  await readNew(windows, reading);
  const shape = { kinds: reading.labels.kinds.length, width: reading.encoder.dims, bias: reading.bias };
  return windows.flatMap(({ key, start, end }) =>
    decodeWindow(reading.seen.get(key)!, tokens, start, end, shape).flatMap(
      (run) => toSpan(run, tokens, reading) ?? [],
    ),
  );
}

interface Window {
  readonly ids: Int32Array;
  readonly types: Int32Array;
  readonly start: number;
  readonly end: number;
  /** Equal for windows the encoder cannot tell apart. */
  readonly key: string;
}

function toWindows(tokens: TagTokens, bounds: readonly number[]): Window[] {
  return bounds.slice(1).map((end, at) => {
    const start = bounds[at]!;
    const [ids, types] = [tokens.ids.subarray(start, end), tokens.types.subarray(start, end)];
    return { ids, types, start, end, key: `${ids.join()};${types.join()}` };
  });
}

/** Runs the encoder over windows nobody has read, each once. */
async function readNew(windows: readonly Window[], { encoder, signal, seen }: Reading): Promise<void> {
  const fresh = [
    ...new Map(windows.filter(({ key }) => !seen.has(key)).map((each) => [each.key, each])).values(),
  ];
  for (let first = 0; first < fresh.length; ) {
    if (first > 0) await breathe(signal);
    const batch = takeBatch(fresh, first);
    first += batch.length;
    const input = {
      inputIds: joined(batch.map(({ ids }) => ids)),
      typeIds: joined(batch.map(({ types }) => types)),
      rowTokens: Int32Array.from(batch, ({ ids }) => ids.length),
    };
    const scores = await encoder.run(input, { signal });
    let from = 0;
    for (const { key, ids } of batch) {
      const to = from + ids.length * encoder.dims;
      seen.set(key, scores.subarray(from, to));
      from = to;
    }
  }
}

function takeBatch(windows: readonly Window[], first: number): readonly Window[] {
  let last = first + 1;
  let tokens = windows[first]!.ids.length;
  while (last < windows.length && tokens + windows[last]!.ids.length <= BATCH_TOKENS) {
    tokens += windows[last]!.ids.length;
    last += 1;
  }
  return windows.slice(first, last);
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
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
