// Owns the check a decoder passes before it may answer: a known text, forced, must make the known tokens likely.
// A shader or a build that is silently wrong gives fluent nonsense; nobody would notice otherwise.
import * as z from 'zod/mini';
import { NearfieldError } from '../../errors.ts';
import type { Decoder } from './types.ts';

export interface DecoderGolden {
  readonly texts: readonly string[];
  readonly inputIds: readonly (readonly number[])[];
  /** After each token of each text, the fp32 model's likeliest next tokens, best first, and their logits. */
  readonly top: readonly (readonly {
    readonly ids: readonly number[];
    readonly logits: readonly number[];
  }[])[];
}

const numbers: z.ZodMiniType<readonly number[]> = z.array(z.number()).check(z.minLength(1));
const goldenSchema: z.ZodMiniType<DecoderGolden> = z.looseObject({
  texts: z.array(z.string()).check(z.minLength(1)),
  inputIds: z.array(z.array(z.int())),
  top: z.array(z.array(z.looseObject({ ids: numbers, logits: numbers }))),
});

/**
 * How far below our likeliest token's logit the reference's may lie. INT8 against fp32 moved logits by 0.35 at most on
 * SmolLM2-135M; logits of a wrong kernel are off by ten and more.
 */
const MOST_SHORTFALL = 1.5;
const TIMED_STEPS = 3;

/** @throws model-unsupported when the file is not a decoder's golden file */
export function parseDecoderGolden(bytes: Uint8Array): DecoderGolden {
  try {
    return goldenSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The golden file needs texts, inputIds and top.', {
      cause,
    });
  }
}

/** Forces the shortest golden text: half as a prompt, the rest token by token. @throws golden-mismatch */
export async function checkDecoder(decoder: Decoder, golden: DecoderGolden): Promise<void> {
  const text = golden.inputIds.reduce(
    (best, ids, at) => (ids.length < golden.inputIds[best]!.length ? at : best),
    0,
  );
  const ids = golden.inputIds[text]!;
  const half = Math.max(1, ids.length >> 1);
  const sequence = decoder.open();
  try {
    const pieces = [ids.slice(0, half), ...ids.slice(half).map((id) => [id])].filter(
      (piece) => piece.length > 0,
    );
    let position = 0;
    for (const tokens of pieces) {
      const [logits] = await decoder.forward([{ sequence, tokens, logits: 'all' }]);
      for (let at = 0; at < tokens.length; at += 1, position += 1) {
        const row = logits!.subarray(at * decoder.vocab, (at + 1) * decoder.vocab);
        checkRow(
          row,
          golden.top[text]![position]!.ids[0]!,
          `text ${text}, token ${position} on ${decoder.backend}`,
        );
      }
    }
  } finally {
    sequence.close();
  }
}

function checkRow(row: Float32Array, wanted: number, where: string): void {
  const most = row.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  const shortfall = most - row[wanted]!;
  // Also catches NaN, which no comparison holds for.
  if (shortfall <= MOST_SHORTFALL) return;
  const text = `Golden ${where}: the reference's token lies ${shortfall.toFixed(2)} below the likeliest, at most ${MOST_SHORTFALL} expected.`;
  throw new NearfieldError('golden-mismatch', text);
}

/** Milliseconds of one token's step: the quickest of three after one that warms up. */
export async function timeDecoder(decoder: Decoder, clock: () => number): Promise<number> {
  const sequence = decoder.open();
  let quickest = Number.POSITIVE_INFINITY;
  try {
    for (let step = 0; step <= TIMED_STEPS; step += 1) {
      const started = clock();
      await decoder.forward([{ sequence, tokens: [1], logits: 'last' }]);
      if (step > 0) quickest = Math.min(quickest, clock() - started);
    }
  } finally {
    sequence.close();
  }
  return quickest;
}
