// The platform's cryptographic bytes, taken in blocks: the same source as shipped, fast enough for millions.
import type { RandomBytes } from './randomize.ts';

export function createBlockRandom(): RandomBytes {
  const block = new Uint8Array(65_536);
  let at = block.length;
  return (bytes) => {
    if (at + bytes.length > block.length) {
      crypto.getRandomValues(block);
      at = 0;
    }
    bytes.set(block.subarray(at, at + bytes.length));
    at += bytes.length;
  };
}
