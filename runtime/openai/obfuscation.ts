// Owns hiding the length of what a stream's frame says: TLS hides words and not sizes, and sizes of tokens give
// words away (Weiss et al. 2024, "What Was Your Prompt?"). OpenAI's field `obfuscation`, which clients overlook.

/** Frames grow to a multiple of this many bytes: one token's frame and another's are the same size. */
const BLOCK_BYTES = 128;
const FIELD = ',"obfuscation":""}';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const encoder: TextEncoder = new TextEncoder();

/**
 * A JSON object's text with its padding; random, so that compression on the way does not take it out again. `likelihoods`
 * is how many tokens' it tells: each spells its token twice over, so blocks have room for all of them.
 */
export function padded(json: string, likelihoods = 0): string {
  const block = likelihoods === 0 ? BLOCK_BYTES : BLOCK_BYTES * (3 + likelihoods);
  const bytes = encoder.encode(json).length - 1 + FIELD.length;
  const missing = (block - (bytes % block)) % block;
  return `${json.slice(0, -1)}${FIELD.slice(0, -2)}${letters(missing)}"}`;
}

/** Bytes of one call, more are refused. Source: Web Cryptography API, getRandomValues. */
const MOST_RANDOM_BYTES = 65_536;

function letters(count: number): string {
  let text = '';
  while (text.length < count) {
    const random = new Uint8Array(Math.min(count - text.length, MOST_RANDOM_BYTES));
    text += Array.from(crypto.getRandomValues(random), (byte) => LETTERS[byte & 63]).join('');
  }
  return text;
}
