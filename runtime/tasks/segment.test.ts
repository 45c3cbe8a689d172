import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitSentences, windowsOf } from './segment.ts';

const cut = (text: string): string[] => splitSentences(text).map(({ start, end }) => text.slice(start, end));

describe('splitSentences', () => {
  it('keeps abbreviations, initials and decimals inside a sentence', () => {
    expect(cut('Dr. Smith saw J. R. Jones at 3.5 mg. He left at noon.')).toEqual([
      'Dr. Smith saw J. R. Jones at 3.5 mg.',
      'He left at noon.',
    ]);
  });

  it('knows Spanish and Portuguese abbreviations', () => {
    expect(cut('La Sra. Pérez vive en Avda. Goya. Llamó ayer.')).toEqual([
      'La Sra. Pérez vive en Avda. Goya.',
      'Llamó ayer.',
    ]);
    expect(cut('Conforme o art. 5 da lei. A Exma. Juíza decidiu.')).toEqual([
      'Conforme o art. 5 da lei.',
      'A Exma. Juíza decidiu.',
    ]);
  });

  it('ends a sentence at a word that is an abbreviation only before a number', () => {
    expect(cut('He went out. She stayed in.')).toHaveLength(2);
    expect(cut('The answer is no. The tenant pays.')).toHaveLength(2);
    expect(cut('Two years ago. Rent is 900 euros.')).toHaveLength(2);
    expect(cut('It starts on 3 mar. 2024 and ends later.')).toHaveLength(1);
  });

  it('joins wrapped lines and splits at blank lines and list items', () => {
    expect(cut('A line that\nwraps here. Next.\n\nHeading\n\n- one\n- two')).toEqual([
      'A line that\nwraps here.',
      'Next.',
      'Heading',
      '- one',
      '- two',
    ]);
  });

  it('cuts a run of words with no stop so that each piece fits an encoder row', () => {
    const words = Array.from({ length: 130 }, (_, at) => `word${at}`).join(' ');
    const pieces = cut(words);
    expect(pieces.length).toBe(3);
    expect(pieces.join(' ')).toBe(words);
  });

  it('returns ordered, non-overlapping, trimmed ranges that lose only white space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        const ranges = splitSentences(text);
        let at = 0;
        for (const { start, end } of ranges) {
          expect(text.slice(at, start).trim()).toBe('');
          expect(end).toBeGreaterThan(start);
          expect(text.slice(start, end)).toBe(text.slice(start, end).trim());
          at = end;
        }
        expect(text.slice(at).trim()).toBe('');
      }),
    );
  });
});

describe('windowsOf', () => {
  it('covers every sentence, and neighbours overlap', () => {
    const text = Array.from({ length: 20 }, (_, at) => `Sentence number ${at} has exactly seven words.`).join(
      ' ',
    );
    const sentences = splitSentences(text);
    const windows = windowsOf(text, sentences, 30);
    const covered = new Set(
      windows.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
    );
    expect(covered.size).toBe(sentences.length);
    for (const [at, { first }] of windows.slice(1).entries())
      expect(first).toBeLessThanOrEqual(windows[at]!.last);
  });
});
