// Patterns must be linear in the text: 100 KB made to provoke backtracking is read in bounded time.
import { describe, expect, it } from 'vitest';
import { cpuMs } from '../../scripts/testing/cpu-time.ts';
import { createPatternDetector } from './index.ts';

const detector = createPatternDetector({ dates: 'all' });
const signal = new AbortController().signal;
const SIZE = 100_000;

const seeds = [
  'a',
  'A',
  '1',
  '@',
  '[',
  '%',
  '&',
  '=',
  '\\',
  '<',
  '-',
  '.',
  ' ',
  '\n',
  '+',
  '(',
  '/',
  ':',
  'é',
  '\u200b',
  'Aa ',
  'A. ',
  'a.',
  'a@',
  'a@a.',
  'a at ',
  ' dot ',
  'one ',
  '1 ',
  '1-',
  '12 ',
  '1\n',
  'a\n',
  'a b ',
  '%41',
  '%25',
  '&#65;',
  '\\u0041',
  '=41',
  '0x41 ',
  '41 ',
  'QUFB',
  'eyJh.',
  'sk-',
  'key=',
  'password: ',
  'Basic ',
  'name: ',
  'Calle A ',
  '1 Oak ',
  'Mr. ',
  'born ',
  'a:',
  '::',
  'ES91',
  '12345678',
  'X1',
  'https://a:b',
  '://',
  'ab://c:d@',
  "'",
  '"',
  'aaaaaaaaaaaa_',
  '-----BEGIN PRIVATE KEY-----',
  'de la ',
  'A de ',
  'January 1, ',
  'passport no ',
  '{"a":',
  '<a ',
  '<a b ',
  '**1',
  'password ',
  'my a b password is ',
  'AB 12 34 56 ',
  'ABCDEF12A12A123',
  'db_pass: ',
  'a_b c_d ',
  '"a": "',
  '`@',
  '\\_',
  '\n> 1',
  '\n>>>>',
  'я@я.',
  '例@',
  '_',
  'EMAIL_1_',
  '[EMAIL_1_bbbb',
  '😀',
];

describe('100 KB of anything', () => {
  const each = seeds.map((seed) => [JSON.stringify(seed), seed] as const);
  it.each(each)('%s repeated', { timeout: 300_000 }, async (_name, seed) => {
    const time = async (length: number) => {
      const text = seed.repeat(Math.ceil(length / seed.length));
      const began = cpuMs();
      await Promise.resolve(detector.detect(text, { signal })).catch(() => undefined);
      return cpuMs() - began;
    };
    await time(1000);
    // A second at most where it is linear; quadratic work on 100 KB would take minutes.
    expect(await time(SIZE)).toBeLessThan(20_000);
  });
});
