import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelFile } from '../models.ts';
import { createByteCheck } from './byte-check.ts';

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function fileOf(bytes: Uint8Array, piece: number | undefined): ModelFile {
  const file = { path: 'w.bin', role: 'weights', bytes: bytes.byteLength, sha256: hashOf(bytes) } as const;
  if (piece === undefined) return file;
  const count = Math.ceil(bytes.byteLength / piece);
  const sha256 = Array.from({ length: count }, (_, at) =>
    hashOf(bytes.subarray(at * piece, (at + 1) * piece)),
  );
  return { ...file, pieces: { bytes: piece, sha256 } };
}

/** Hands the bytes over in parts of one buffer that is overwritten, as readers do. */
async function check(
  file: ModelFile,
  bytes: Uint8Array,
  cuts: readonly number[],
): Promise<string | undefined> {
  const buffer = new Uint8Array(bytes.byteLength);
  const it = createByteCheck(file);
  const bounds = [
    0,
    ...cuts.map((cut) => Math.round(cut * bytes.byteLength)).sort((a, b) => a - b),
    bytes.byteLength,
  ];
  for (let at = 1; at < bounds.length; at += 1) {
    const part = bytes.subarray(bounds[at - 1], bounds[at]);
    buffer.set(part);
    await it.add(buffer.subarray(0, part.byteLength));
    buffer.fill(0xaa);
  }
  return await it.end();
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 3000 });
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

describe.each([
  ['one hash', undefined],
  ['hashes of pieces', 256],
])('by %s', (_, piece) => {
  test('the right bytes are right, however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, cuts, async (right, at) => {
        expect(await check(fileOf(right, piece), right, at)).toBeUndefined();
      }),
    );
  });

  test('a file that should be empty and is not is told', async () => {
    const file = fileOf(new Uint8Array(0), piece);
    expect(await check(file, new Uint8Array(0), [])).toBeUndefined();
    expect(await check(file, Uint8Array.of(1, 2, 3), [0.5])).toBeTypeOf('string');
  });

  test('one changed, missing or additional byte is told', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, cuts, fc.nat(), async (right, at, place) => {
        const file = fileOf(right, piece);
        const changed = right.slice();
        changed[place % right.length]! ^= 1;
        expect(await check(file, changed, at)).toMatch(
          piece ? /^other bytes from \d+ on$/ : / of [0-9a-f]{64}$/,
        );
        expect(await check(file, right.subarray(1), at)).toBeTypeOf('string');
        expect(await check(file, Uint8Array.of(...right, 0), at)).toBeTypeOf('string');
      }),
    );
  });
});
