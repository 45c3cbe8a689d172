// Bytes as even as the platform's, and the same each time: AES-128 in counter mode. What is tested by counting millions
// of draws would otherwise fail by chance, however wide its bounds.
import { createCipheriv } from 'node:crypto';
import type { RandomBytes } from './randomize.ts';

export function createSeededRandom(seed: number): RandomBytes {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(65_536);
  let block = Buffer.alloc(0);
  let at = 0;
  return (bytes) => {
    if (at + bytes.length > block.length) {
      block = cipher.update(zeros);
      at = 0;
    }
    bytes.set(block.subarray(at, at + bytes.length));
    at += bytes.length;
  };
}
