// Owns the guard: does a kept question ask the same as a new one? Texts in, a share of certainty out. Its model
// is its own, words and all, so it works beside any encoder and needs none to run.
import * as z from 'zod/mini';
import { NearfieldError } from '../../errors.ts';
import type { LoadedModel } from '../../models.ts';
import { createTokenizer } from '../tokenizer.ts';
import { type AskGuard, askOnceOpened } from './ask.ts';
import { createGuardNetwork, type ReadText } from './network.ts';
import { readGuardWeights } from './weights.ts';

export type { AskGuard } from './ask.ts';

export interface QuestionGuard {
  /** Manifest id. */
  readonly model: string;
  /** How sure it is that both ask the same, 0…1. The same either way round. */
  same(a: string, b: string): number;
}

/** Loads at the first question, and computes on the thread that asks. */
export function openGuardOnce(load: () => Promise<LoadedModel>): AskGuard {
  return askOnceOpened(async () => createQuestionGuard(await load()));
}

interface GuardGolden {
  readonly pairs: readonly (readonly [string, string])[];
  readonly logits: readonly number[];
}

const goldenSchema: z.ZodMiniType<GuardGolden> = z.object({
  pairs: z.array(z.tuple([z.string(), z.string()])).check(z.minLength(1)),
  logits: z.array(z.number()),
});

/** The reference computes in another order of additions, nothing else. */
const MOST_DIFFERENCE = 0.02;
/** Texts kept as read: a question that is asked often is read once. About 6 kB each. */
const READ_TEXTS = 256;

/** @throws model-load-failed, model-unsupported, golden-mismatch */
export function createQuestionGuard(model: LoadedModel): QuestionGuard {
  const { manifest } = model;
  const tokenizer = createTokenizer(model.file('tokenizer'), manifest.maxTokens + 2);
  const network = createGuardNetwork(readGuardWeights(model.file('weights')));
  const known = new Map<string, ReadText>();

  function read(text: string): ReadText {
    const folded = text.toLowerCase();
    const kept = known.get(folded);
    // Without the special tokens at both ends: they stand for no word.
    const found = kept ?? network.read(tokenizer.encode(folded).slice(1, -1));
    known.delete(folded);
    known.set(folded, found);
    if (known.size > READ_TEXTS) known.delete(known.keys().next().value ?? '');
    return found;
  }

  const compare = (a: string, b: string): number => network.compare(read(a), read(b));
  if (model.has('golden')) check(compare, parseGolden(model.file('golden')));
  return { model: manifest.id, same: (a, b) => 1 / (1 + Math.exp(-compare(a, b))) };
}

function parseGolden(bytes: Uint8Array): GuardGolden {
  try {
    return goldenSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The golden file needs pairs and logits.', { cause });
  }
}

function check(compare: (a: string, b: string) => number, { pairs, logits }: GuardGolden): void {
  pairs.forEach(([a, b], at) => {
    const difference = Math.abs(compare(a, b) - (logits[at] ?? Number.NaN));
    if (!(difference <= MOST_DIFFERENCE)) {
      throw new NearfieldError('golden-mismatch', `Golden pair ${at} is off by ${difference.toFixed(3)}.`);
    }
  });
}
