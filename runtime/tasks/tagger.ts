// Owns how the assembled runtimes come by a tagger: opened once, in the background, and waited for by each text.
// Refuses to go on without a tagger that should be there: it fails, and a review whose detector fails stays on
// the device.

import type { Tagger, TokenEncoder } from '../types.ts';
import { createTagger } from './tag.ts';

export const DEFAULT_TAGGER = 'nearfield-pii';

export interface TaggingOptions {
  /** Model id or folder. Default `nearfield-pii`. */
  readonly model?: string | undefined;
  /** `birth`: dates of birth only. `all`: every full date. Default `all`. */
  readonly dates?: 'birth' | 'all' | undefined;
  /** Above the model's own it finds more and errs more. */
  readonly bias?: number | undefined;
}

/** A tagger whose model may not be open yet. */
export interface OpeningTagger extends Tagger {
  /** Opens the model now instead of at the first text. */
  warm(): Promise<void>;
}

/** A tagger that opens at its first text, which waits. An opening that failed is tried again at the next. */
export function openTagger(
  model: string,
  open: () => Promise<TokenEncoder>,
  { bias }: Pick<TaggingOptions, 'bias'> = {},
): OpeningTagger {
  let opening: Promise<Tagger> | undefined;
  const get = (): Promise<Tagger> => {
    opening ??= open().then(
      (encoder) => createTagger({ encoder, bias }),
      (error) => {
        opening = undefined;
        throw error;
      },
    );
    return opening;
  };
  return {
    model,
    async warm() {
      await get();
    },
    async tag(text, options) {
      return await (await get()).tag(text, options);
    },
    async dispose() {
      await (await opening?.catch(() => undefined))?.dispose();
    },
  };
}
