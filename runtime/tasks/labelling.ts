// Owns labels for texts as an assembled runtime offers them: classify() by embedding, and the heads of
// nearfield-intent, brought at first use. Where the heads are missing the rest works on.
import type { LoadedModel } from '../models.ts';
import type { Embedder } from '../types.ts';
import { type Classifier, createClassifier } from './classify.ts';
import { type AnswerVolatility, createIntentReader, type Intent, type IntentReader } from './intent.ts';

export const DEFAULT_INTENT = 'nearfield-intent';

export interface Labelling extends Classifier {
  /**
   * How soon the answer to a text goes out of date, its kind of task and its language: a hint, each with a score.
   * @throws model-not-found where `nearfield-intent` is not; AbortError
   */
  intent(text: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Intent>;
}

/** {@link Labelling}, and what the cache asks at a write. */
export interface LabellingParts {
  readonly labelling: Labelling;
  /** @throws as `intent`; the cache then goes by its word list */
  readonly volatility: (
    text: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ) => Promise<AnswerVolatility>;
  /** Brings the heads now, while they can be reached. @throws as `intent` */
  readonly warm: () => Promise<void>;
}

export function createLabelling(options: {
  readonly embedder: Embedder;
  /** Brings the heads; asked once, and again after a failure. */
  readonly loadHeads: () => Promise<LoadedModel | Uint8Array | string>;
}): LabellingParts {
  const { embedder, loadHeads } = options;
  let opened: Promise<IntentReader> | undefined;
  const reader = (): Promise<IntentReader> => {
    opened ??= loadHeads()
      .then((heads) => createIntentReader({ embedder, heads }))
      .catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
    return opened;
  };
  return {
    labelling: {
      ...createClassifier({ embedder }),
      intent: async (text, call) => (await reader()).read(text, call),
    },
    volatility: async (text, call) => (await reader()).volatility(text, call),
    warm: async () => void (await reader()),
  };
}
