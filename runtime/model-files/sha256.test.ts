import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSha256 } from './sha256.ts';

const hexOf = (...parts: readonly Uint8Array[]): string => {
  const hash = createSha256();
  for (const part of parts) hash.update(part);
  return hash.hex();
};

// Source: FIPS 180-4's examples, csrc.nist.gov.
test.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
])('the published hash of %j', (text, hash) => {
  expect(hexOf(new TextEncoder().encode(text))).toBe(hash);
});

test('is the platform’s, however the bytes are cut', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
  fc.assert(
    fc.property(parts, (cut) => {
      const whole = createHash('sha256');
      for (const part of cut) whole.update(part);
      expect(hexOf(...cut)).toBe(whole.digest('hex'));
    }),
  );
});
