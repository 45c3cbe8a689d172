// The survey only saves work: what is found with it is what is found when every pattern is asked at every place.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prompts } from '../../scripts/bench/privacy-prompts.ts';
import { CARRIERS, DISGUISES, makeCanaries, seeded } from './canaries.fixture.ts';
import { headsOf } from './heads-of.ts';
import { createSurveyingDetector } from './patterns.ts';
import { surveyEverything, surveyOf } from './survey.ts';

const { signal } = new AbortController();
const pairs = (['birth', 'all'] as const).map((dates) => ({
  surveyed: createSurveyingDetector({ dates }, surveyOf),
  everywhere: createSurveyingDetector({ dates }, surveyEverything),
}));

async function expectSame(text: string): Promise<number> {
  let found = 0;
  for (const { surveyed, everywhere } of pairs) {
    const spans = await surveyed.detect(text, { signal });
    expect(spans, JSON.stringify(text)).toEqual(await everywhere.detect(text, { signal }));
    found += spans.length;
  }
  return found;
}

const canaries = makeCanaries(3, 41);

/** What patterns look for, alone and half. */
const PIECES: readonly string[] = [
  ...canaries.map(({ value }) => value),
  ...[
    'password: ',
    "pass code 'x",
    'my netflix password is ',
    'api_key = "',
    'Bearer ',
    'basic ',
    'token=',
    'pin 12',
    'otp: ',
  ],
  ...[
    'name: ',
    'Dear ',
    '\nHello ',
    '. Hola ',
    '" oi ',
    'Mr. ',
    'paciente ',
    'wife, ',
    'Regards,\n',
    'saludos\n',
    'me llamo ',
  ],
  ...[
    'born on ',
    'd.o.b. ',
    'DOB: ',
    'fecha de nacimiento ',
    'MRN ',
    'n.col ',
    'nºcol ',
    'NHC: ',
    'passport no. ',
    'RG ',
  ],
  ...[
    'account number is ',
    'cuenta: ',
    'aba ',
    'login: ',
    'nick=',
    'address: ',
    'C/ ',
    'av. ',
    'r. ',
    'zip ',
    'c.p. ',
    'CP: ',
  ],
  ...[
    'city: ',
    'P.O. Box ',
    'PO Box 12',
    'Apartado 5',
    ' aged 34 years',
    ' 34 yo',
    ', 45 years',
    'Ana Souza',
    'O Neill',
    'de la ',
  ],
  ...[
    '://',
    '@',
    'https://u:p@h.example',
    'ab://c:d@h',
    '10.1.2.3',
    'v 1.2.3.4',
    'fe80::1:2',
    'aa:bb:cc:dd:ee:ff',
  ],
  ...[
    'AKIAABCD1234EFGH5678',
    'xoxb-1234567890',
    'eyJhbGciOi.abcd',
    '-----BEGIN PRIVATE KEY-----',
    `0x${'ab'.repeat(20)}`,
  ],
  ...[
    'aZ09bY18cX27dW36eV45fU54gT63hS72',
    'RSSMRA85T10A562S',
    'MALE850101HDFRRN09',
    'AB 12 34 56 C',
    '12.ABC.345/01DE-35',
  ],
  ...['QUFB', '41 42 43 44 45 46', '%41', '=41', '&#65;', '\\u0041', '\n> ', '**', '<b x>', 'one two three '],
  ...[
    '\u00a0',
    '\u2028',
    'é',
    'ſ',
    '\u212a',
    'İ',
    '_',
    '4',
    '12',
    '1234567',
    'x',
    'Aa',
    ' ',
    '\n',
    '|',
    '"',
    "'",
    ':',
    '=',
    '-',
  ],
];

const anyPiece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...DISGUISES), fc.constantFrom(...PIECES))
      .map(([how, what]) => how.wear(what)),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 24 }) },
);

describe('the same spans with the survey and without', () => {
  it('in whatever is put together of what patterns look for', { timeout: 120_000 }, async () => {
    let found = 0;
    const texts = fc.array(fc.tuple(anyPiece, fc.constantFrom('', ' ', '\n')), { maxLength: 14 });
    const check = fc.asyncProperty(texts, async (pieces) => {
      found += await expectSame(pieces.flat().join(''));
    });
    await fc.assert(check, { seed: 7, numRuns: 1200 });
    expect(found).toBeGreaterThan(2000);
  });

  it('in every disguise', { timeout: 120_000 }, async () => {
    const pick = seeded(5);
    for (const disguise of DISGUISES) {
      for (const { value } of canaries) {
        await expectSame(CARRIERS[pick(CARRIERS.length)]!.replace('{}', () => disguise.wear(value)));
      }
    }
  });

  it.each(Object.entries(prompts))('in the prompt of the bench, %s', async (_name, text) => {
    await expectSame(text);
    for (let at = 0; at < text.length; at += 97) await expectSame(text.slice(at, at + 160));
  });
});

describe('the first letters of what a pattern matches', () => {
  const heads = (source: string) => [...headsOf(source)].sort().join(' ');

  it('are read through groups, classes, repetitions and looks around', () => {
    expect(heads('\\b(?:name|cc)[:=]')).toBe('cc# nam');
    expect(heads('(?:^|[\\n.!?"] ?)(?:dear|oi)\\s')).toBe('dea oi#');
    expect(heads('d\\.?o\\.?b(?!x)')).toBe('d#'.concat(' do# dob'));
    expect(heads('n[ao]{1,2}me')).toBe('naa nam nao noa nom noo');
    expect(heads('(?<=x)ab(?:cd?)*z')).toBe('abc abz');
  });

  it('leave room for whatever may follow a short one', () => {
    expect(headsOf('pt').size).toBe(27);
    expect(headsOf('p\\w').has('p#')).toBe(true);
  });

  it.each(['\\d+', 'a?', '(a', 'a)', '(a)\\1', '\\p{L}a', '[a'])('refuse %s', (source) => {
    expect(() => headsOf(source)).toThrow();
  });

  it('stand where words begin', () => {
    expect(surveyOf('_ab 1c Ab-cé').words()?.at).toEqual([7, 10]);
    expect(surveyOf('no N.O').words()?.heads).toEqual([(14 * 27 + 15) * 27, 14 * 27 * 27, 15 * 27 * 27]);
  });
});
