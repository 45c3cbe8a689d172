// Which labelled spans count, and that what is left out is neither missed nor found in vain.
import type { Detector } from 'nearfield/policy';
import { expect, test } from 'vitest';
import { judge, metricsOf, type Row } from './pii-score.ts';

const text = 'NHC 2569870, soltera, ana@correo.es, sana';
const span = (word: string, label: string) => ({
  start: text.indexOf(word),
  end: text.indexOf(word) + word.length,
  label,
});
const row: Row = {
  id: '1',
  lang: 'es',
  text,
  spans: [
    span('2569870', 'ID_SUJETO_ASISTENCIA'),
    span('soltera', 'ID_SUJETO_ASISTENCIA'),
    span('ana@correo.es', 'CORREO_ELECTRONICO'),
  ],
};

/** Finds these words as persons: scoring asks what is hidden, not what it is called. */
const finds = (...words: readonly string[]): Detector => ({
  id: 'words',
  detect: async () =>
    words.map((word) => ({
      start: text.indexOf(word),
      end: text.indexOf(word) + word.length,
      type: 'person',
      score: 1,
      source: 'words',
    })),
});

test('every labelled span counts', async () => {
  const { all } = await judge(row, finds('2569870', 'sana'));
  expect(all).toMatchObject({ gold: 3, whole: 1, goldChars: 7 + 7 + 11, hiddenGoldChars: 7, overChars: 4 });
});

test('spans of other types and without the pattern are set aside, found or not', async () => {
  const counted = { types: new Set(['medical-id']), matching: /[0-9]|@/u };
  const hit = await judge(row, finds('2569870', 'soltera', 'ana@correo.es'), counted);
  expect(hit.all).toMatchObject({ gold: 1, whole: 1, goldChars: 7, overChars: 0, hiddenChars: 7 });
  expect(metricsOf([hit.all]).precision).toBe(1);
  const missed = await judge(row, finds('sana'), counted);
  expect(missed.all).toMatchObject({ gold: 1, whole: 0, hiddenGoldChars: 0, overChars: 4 });
});
