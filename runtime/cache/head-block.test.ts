import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeBlock, encodeBlock } from './head-block.ts';
import { same, sampleEntry, toHead } from './store.contract.ts';
import type { EntryHead } from './store.ts';

const head: fc.Arbitrary<EntryHead> = fc
  .record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    text: fc.string({ unit: 'grapheme', maxLength: 40 }),
    tags: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
    values: fc.option(fc.int8Array({ maxLength: 48 }), { nil: undefined }),
    scale: fc.double({ noNaN: true }),
    costMs: fc.double({ noNaN: true }),
  })
  .map(({ seed, text, tags, values, scale, costMs }) => ({
    ...toHead(sampleEntry(seed)),
    ...{ text, tags, costMs, vector: values && { values, scale } },
  }));

it('gives back what went in', () => {
  fc.assert(
    fc.property(fc.array(head, { maxLength: 20 }), (heads) => {
      const places = heads.map((_, at) => at * 3 + 1);
      const block = decodeBlock(encodeBlock({ places, heads })!);
      same(block?.heads, heads);
      expect(block?.places).toEqual(places);
    }),
  );
});

it('does not take a text that UTF-8 cannot keep', () => {
  const odd = { ...toHead(sampleEntry(1)), text: 'half a pair: \ud83d' };
  expect(encodeBlock({ places: [1], heads: [odd] })).toBeUndefined();
});

it('does not believe a block that was cut, grown or changed in one byte', () => {
  const heads = [1, 2, 3].map((seed) => toHead(sampleEntry(seed)));
  const block = encodeBlock({ places: [1, 2, 3], heads })!;
  fc.assert(
    fc.property(
      fc.nat({ max: block.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      fc.nat({ max: block.length - 1 }),
      (at, change, length) => {
        const flipped = block.slice();
        flipped[at]! ^= change;
        expect(decodeBlock(flipped)).toBeUndefined();
        expect(decodeBlock(block.slice(0, length))).toBeUndefined();
      },
    ),
  );
  expect(decodeBlock(new Uint8Array([...block, ...new Uint8Array(8)]))).toBeUndefined();
  expect(decodeBlock(new Uint8Array(0))).toBeUndefined();
});
