// Owns the check a backend passes before it may answer: known texts must give known ids and vectors.
// Quantised graphs have come out silently wrong on some GPUs; a fast wrong answer is no answer.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { EncoderInput, EncoderSession } from '../types.ts';
import { cosine } from './pooling.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface Golden {
  readonly texts: readonly string[];
  readonly inputIds: readonly (readonly number[])[];
  /** Unit vectors of the reference, [texts][dims]. */
  readonly embeddings: readonly (readonly number[])[];
  /** Least cosine to the reference. Default 0.99. */
  readonly minCosine?: number | undefined;
}

const goldenSchema: z.ZodMiniType<Golden> = z.looseObject({
  texts: z.array(z.string()).check(z.minLength(1)),
  inputIds: z.array(z.array(z.int())),
  embeddings: z.array(z.array(z.number())),
  minCosine: z.optional(z.number()),
});

/**
 * The reference is the fp32 model, so this bounds quantisation and kernel together; a wrong kernel lands far
 * below. Between two backends of one artefact the tests ask for 0.999.
 */
const MIN_COSINE = 0.99;
/** The shortest of the golden texts: enough to see a wrong kernel, short enough not to be felt at start. */
const CHECKED_TEXTS = 3;

/** @throws model-unsupported when the file is not a golden file */
export function parseGolden(bytes: Uint8Array): Golden {
  try {
    return goldenSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The golden file needs texts, inputIds and embeddings.', {
      cause,
    });
  }
}

/** @throws golden-mismatch when the tokenizer gives other ids than the reference's */
export function checkTokenizer(tokenizer: Tokenizer, golden: Golden): void {
  golden.texts.forEach((text, at) => {
    const expected = golden.inputIds[at] ?? [];
    const actual = tokenizer.encode(text);
    if (actual.length !== expected.length || !actual.every((id, token) => id === expected[token])) {
      throw new NearfieldError('golden-mismatch', `Golden text ${at}: the tokenizer gave other ids.`);
    }
  });
}

/** Runs the shortest golden texts as one batch. @throws golden-mismatch */
export async function checkSession(session: EncoderSession, golden: Golden): Promise<void> {
  const texts = golden.inputIds
    .map((ids, text) => ({ ids: Int32Array.from(ids), text }))
    .sort((a, b) => a.ids.length - b.ids.length)
    .slice(0, CHECKED_TEXTS);
  const values = await session.run(packRows(texts.map(({ ids }) => ids)), 'pooled');
  const minimum = golden.minCosine ?? MIN_COSINE;
  texts.forEach(({ text }, at) => {
    const expected = Float32Array.from(golden.embeddings[text] ?? []);
    const actual = values.subarray(at * expected.length, (at + 1) * expected.length);
    const similarity = cosine(expected, actual);
    if (similarity < minimum) {
      throw new NearfieldError(
        'golden-mismatch',
        `Golden text ${text} on ${session.backend}: cosine ${similarity.toFixed(4)}, expected ${minimum}.`,
      );
    }
  });
}

/** Rows of token ids, one after another, without padding. */
export function packRows(rows: readonly Int32Array[]): EncoderInput {
  const rowTokens = Int32Array.from(rows, (row) => row.length);
  const inputIds = new Int32Array(rowTokens.reduce((sum, tokens) => sum + tokens, 0));
  let at = 0;
  for (const row of rows) {
    inputIds.set(row, at);
    at += row.length;
  }
  return { inputIds, rowTokens };
}
