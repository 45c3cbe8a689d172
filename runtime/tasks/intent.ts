// Owns what a text asks for, by the small heads of nearfield-intent: how soon its answer goes out of date,
// what kind of task it is, which language it is in. Linear, over the encoder that is loaded anyway and hashed
// words; a few microseconds beside the encoder's milliseconds. A hint for cache and router, never a guard.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { LoadedModel } from '../models.ts';
import type { Embedder } from '../types.ts';
import { BUCKETS, letterFeatures, wordFeatures } from './intent-features.ts';

/** How soon the answer to a text may be another one: settled, in months, in days, within the hour. */
export type AnswerVolatility = 'timeless' | 'months' | 'days' | 'minutes';

export type TaskKind =
  | 'answer'
  | 'summarise'
  | 'rewrite'
  | 'translate'
  | 'classify'
  | 'extract'
  | 'write'
  | 'code'
  | 'chat';

export type TextLanguage = 'en' | 'es' | 'pt' | 'other';

/** A head's choice, and its probability 0…1. */
export interface Labelled<Label extends string> {
  readonly label: Label;
  readonly score: number;
}

export interface Intent {
  readonly volatility: Labelled<AnswerVolatility>;
  readonly task: Labelled<TaskKind>;
  readonly language: Labelled<TextLanguage>;
}

export interface IntentReader {
  /** All heads; embeds the text once. */
  read(text: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Intent>;
  /** The volatility head alone; what the cache is handed. */
  volatility(
    text: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<AnswerVolatility>;
  /** The language head alone; needs no encoder. */
  language(text: string): Labelled<TextLanguage>;
}

const part = z.object({ scale: z.array(z.number()), q8: z.string() });
const headsSchema = z.object({
  schema: z.literal(1),
  dims: z.int(),
  buckets: z.literal(BUCKETS),
  heads: z.array(
    z.object({
      name: z.string(),
      classes: z.array(z.string()).check(z.minLength(2)),
      features: z.enum(['words', 'letters']),
      bias: z.array(z.number()),
      hashed: part,
      vector: z.optional(part),
    }),
  ),
});

interface Head {
  readonly classes: readonly string[];
  readonly read: (text: string) => ReadonlySet<number>;
  readonly bias: readonly number[];
  /** INT8 [classes, buckets] and one scale a class. */
  readonly hashed: Matrix;
  /** INT8 [classes, dims]. */
  readonly vector: Matrix | undefined;
}

interface Matrix {
  readonly values: Int8Array;
  readonly scale: readonly number[];
  readonly columns: number;
}

/**
 * @param heads the weights of nearfield-intent, as loaded or as the bytes or text of heads.json
 * @throws model-unsupported when the file is no heads.json, or was made for vectors of another length
 */
export function createIntentReader(options: {
  readonly embedder: Embedder;
  readonly heads: LoadedModel | Uint8Array | string;
}): IntentReader {
  const { embedder } = options;
  const heads = parseHeads(options.heads, embedder.dims);
  const volatility = headOf(heads, 'volatility');
  const task = headOf(heads, 'task');
  const language = headOf(heads, 'lang');

  async function embed(text: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    const { embeddings } = await embedder.embed([text], { signal });
    return embeddings[0]!;
  }

  return {
    language: (text) => choose<TextLanguage>(language, text),
    async volatility(text, { signal } = {}) {
      return choose<AnswerVolatility>(volatility, text, await embed(text, signal)).label;
    },
    async read(text, { signal } = {}) {
      const vector = await embed(text, signal);
      return {
        volatility: choose(volatility, text, vector),
        task: choose(task, text, vector),
        language: choose(language, text),
      };
    },
  };
}

function parseHeads(given: LoadedModel | Uint8Array | string, dims: number): ReadonlyMap<string, Head> {
  const source = typeof given === 'object' && 'file' in given ? given.file('weights') : given;
  const parsed = headsSchema.safeParse(parseJson(source));
  if (!parsed.success) throw unsupported(`${parsed.error.issues[0]?.message ?? 'it is not valid'}`);
  if (parsed.data.dims !== dims) {
    throw unsupported(`they read vectors of ${parsed.data.dims}, the encoder gives ${dims}`);
  }
  return new Map(
    parsed.data.heads.map((head) => {
      const { classes, bias } = head;
      const matrix = (columns: number, { scale, q8 }: z.infer<typeof part>): Matrix => {
        const values = fromBase64(q8);
        if (values.length === columns * classes.length && scale.length === classes.length) {
          return { values, scale, columns };
        }
        throw unsupported(`head ${head.name} has ${values.length} weights for ${classes.length} classes`);
      };
      return [
        head.name,
        {
          classes,
          bias,
          read: head.features === 'letters' ? letterFeatures : wordFeatures,
          hashed: matrix(BUCKETS, head.hashed),
          vector: head.vector && matrix(dims, head.vector),
        },
      ];
    }),
  );
}

function parseJson(source: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof source === 'string' ? source : new TextDecoder().decode(source));
  } catch {
    return undefined;
  }
}

function unsupported(why: string): NearfieldError {
  return new NearfieldError('model-unsupported', `The intent heads can not be used: ${why}.`);
}

function fromBase64(text: string): Int8Array {
  return Int8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function headOf(heads: ReadonlyMap<string, Head>, name: string): Head {
  const head = heads.get(name);
  if (head === undefined) throw unsupported(`there is no head '${name}'`);
  return head;
}

/** Softmax over the head's logits; its weights name only labels of `Label`. */
function choose<Label extends string>(head: Head, text: string, vector?: Float32Array): Labelled<Label> {
  const buckets = head.read(text);
  const root = Math.sqrt(Math.max(1, buckets.size));
  const logits = head.classes.map((_, at) => {
    let hashed = 0;
    for (const bucket of buckets) hashed += head.hashed.values[at * BUCKETS + bucket]!;
    let logit = head.bias[at]! + (hashed * head.hashed.scale[at]!) / root;
    if (head.vector !== undefined && vector !== undefined) logit += product(head.vector, at, vector);
    return logit;
  });
  const best = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - best), 0);
  return { label: head.classes[logits.indexOf(best)] as Label, score: 1 / sum };
}

function product({ values, scale, columns }: Matrix, row: number, vector: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < columns; at += 1) sum += values[row * columns + at]! * vector[at]!;
  return sum * scale[row]!;
}
