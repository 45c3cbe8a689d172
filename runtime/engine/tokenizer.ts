// Owns text to token ids, packed the way sessions read them. Refuses to pad: that is a backend's affair.
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { NearfieldError } from '../errors.ts';

export interface Tokenizer {
  readonly maxTokens: number;
  /** Ids with the model's special tokens, cut to maxTokens; the closing special token stays. */
  encode(text: string): Int32Array;
}

/**
 * No WordPiece or BPE vocabulary in use averages this many characters a token, so a longer text is cut
 * before it is tokenised and a whole book costs no more than a page.
 */
const CHARACTERS_A_TOKEN = 24;

/**
 * Reads a tokenizer.json.
 * @throws model-unsupported when it is not one
 */
export function createTokenizer(json: Uint8Array | string | object, maxTokens: number): Tokenizer {
  const tokenizer = parse(json);
  const whole = (text: string) => tokenizer.encode(text).ids;
  return {
    maxTokens,
    encode(text) {
      const prefix = prefixOf(text, maxTokens * CHARACTERS_A_TOKEN);
      let ids = whole(prefix);
      // A prefix of mostly spaces may hold too few tokens: then there is no way round the whole text.
      if (prefix.length < text.length && ids.length <= maxTokens) ids = whole(text);
      return truncate(ids, maxTokens);
    },
  };
}

/** Ends at white space, so that the last word's pieces are those of the whole text. */
function prefixOf(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const cut = text.slice(0, characters).search(/\s\S*$/);
  return cut > 0 ? text.slice(0, cut) : text;
}

function truncate(ids: readonly number[], maxTokens: number): Int32Array {
  const kept = Int32Array.from(ids.length > maxTokens ? ids.slice(0, maxTokens) : ids);
  if (ids.length > maxTokens) kept[maxTokens - 1] = ids[ids.length - 1] ?? 0;
  return kept;
}

function parse(json: Uint8Array | string | object): HuggingFaceTokenizer {
  try {
    const text = json instanceof Uint8Array ? new TextDecoder().decode(json) : json;
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : text;
    return new HuggingFaceTokenizer(value as object, {});
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The tokenizer file is not a tokenizer.json.', { cause });
  }
}
