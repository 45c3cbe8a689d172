import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDetokenizer, createStopFinder } from './detokenizer.ts';
import { CONTROL, tinySentencePieceJson, tinyTokenizerJson } from './fixtures/tiny-tokenizer.ts';
import { createVocabulary } from './vocabulary.ts';

const byteLevel = createVocabulary(tinyTokenizerJson());
const pieces = createVocabulary(tinySentencePieceJson());
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('é', '日', '😀', '👩‍👩‍👧', 'a', ' ', '\n', '﻿', 'the', '{"') }),
);

describe('createDetokenizer', () => {
  it('gives back every text, and each part of it is whole characters', () => {
    fc.assert(
      fc.property(text, (given) => {
        const detokenizer = createDetokenizer(byteLevel);
        const parts = byteLevel.encodePlain(given).map((id) => detokenizer.push(id));
        expect(parts.join('') + detokenizer.end()).toBe(given);
        for (const part of parts) expect(part.isWellFormed()).toBe(true);
        expect(parts.join('').includes('\ufffd')).toBe(given.includes('\ufffd'));
      }),
      { numRuns: 300 },
    );
  });

  it('gives a character with its last byte, no later', () => {
    const detokenizer = createDetokenizer(byteLevel);
    const bytes = [...new TextEncoder().encode('a😀b')];
    const single = new Map(
      Array.from({ length: byteLevel.size }, (_, id): [number, number] => [
        byteLevel.bytesOf(id)?.length === 1 ? byteLevel.bytesOf(id)![0]! : -1,
        id,
      ]),
    );
    const parts = bytes.map((byte) => detokenizer.push(single.get(byte)!));
    expect(parts).toEqual(['a', '', '', '', '😀', 'b']);
  });

  it('marks a character that was never finished', () => {
    const detokenizer = createDetokenizer(byteLevel);
    const [first] = byteLevel.encodePlain('日');
    expect(detokenizer.push(first!)).toBe('');
    expect(detokenizer.end()).toBe('\ufffd');
  });

  it('says nothing for control tokens', () => {
    const detokenizer = createDetokenizer(byteLevel);
    const ids = CONTROL.map((name) => byteLevel.idOf(name)!);
    expect(ids.map((id) => detokenizer.push(id)).join('') + detokenizer.end()).toBe('');
  });

  it('reads SentencePiece: marks are spaces, byte tokens join, the first space goes', () => {
    const given = 'he hehe 日本 a';
    const detokenizer = createDetokenizer(pieces);
    const ids = pieces.encodePlain(given);
    expect(ids.some((id) => pieces.bytesOf(id)!.length === 1 && pieces.bytesOf(id)![0]! > 127)).toBe(true);
    expect(ids.map((id) => detokenizer.push(id)).join('') + detokenizer.end()).toBe(given);
  });
});

describe('createStopFinder', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '#', '😀', '\n') });
  const stops = fc.array(
    fc.string({ unit: fc.constantFrom('a', 'b', '#', '😀'), minLength: 1, maxLength: 4 }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );

  /** Where the stop begins that is whole first, the longest of several; the text's end without one. */
  const firstStop = (whole: string, sequences: readonly string[]) => {
    for (let end = 1; end <= whole.length; end += 1) {
      const ending = sequences.filter((sequence) => whole.slice(0, end).endsWith(sequence));
      if (ending.length > 0) return end - Math.max(...ending.map(({ length }) => length));
    }
    return whole.length;
  };

  it('cuts at the stop that is whole first, however the text is split', () => {
    fc.assert(
      fc.property(letters, stops, (whole, sequences) => {
        const characters = [...whole];
        const cut = firstStop(whole, sequences);
        for (let split = 0; split <= characters.length; split += 1) {
          const finder = createStopFinder(sequences);
          const chunks = [characters.slice(0, split).join(''), characters.slice(split).join('')];
          expect(told(finder, chunks)).toBe(whole.slice(0, cut));
        }
        expect(told(createStopFinder(sequences), characters)).toBe(whole.slice(0, cut));
      }),
      { numRuns: 300 },
    );
  });

  it('holds back only what a stop sequence could begin with', () => {
    fc.assert(
      fc.property(letters, stops, (whole, sequences) => {
        fc.pre(firstStop(whole, sequences) === whole.length);
        const finder = createStopFinder(sequences);
        let gone = '';
        let given = '';
        for (const character of whole) {
          given += character;
          gone += finder.push(character).text;
          const held = given.slice(gone.length);
          expect(held === '' || sequences.some((sequence) => sequence.startsWith(held))).toBe(true);
        }
        expect(gone + finder.end()).toBe(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('ends at a stop inside a longer one that may never be whole', () => {
    for (const chunks of [['go #a1'], ['go #', 'a', '1'], [...'go #a1']]) {
      expect(told(createStopFinder(['#a1', 'a']), chunks)).toBe('go #');
      expect(told(createStopFinder(['a', '#a']), chunks)).toBe('go ');
    }
  });

  it('tells which stop it was and what came after', () => {
    const finder = createStopFinder(['END', '<tool_call>']);
    expect(finder.push('say <tool')).toEqual({ text: 'say ' });
    expect(finder.push('_call>\n{')).toEqual({ text: '', stop: 1, after: '\n{' });
  });

  function told(finder: ReturnType<typeof createStopFinder>, chunks: readonly string[]): string {
    let said = '';
    for (const chunk of chunks) {
      const found = finder.push(chunk);
      said += found.text;
      if (found.stop !== undefined) return said;
    }
    return said + finder.end();
  }
});
