// Figures of tables that a model takes for identifiers, beside identifiers in tables: with a model that takes every
// number for an account.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuMs } from '../../scripts/testing/cpu-time.ts';
import type { Span, Tagger } from '../types.ts';
import { withoutFigures } from './figures.ts';
import { gridsOf } from './grids.ts';
import { combineDetectors, createDetectors, createPolicy } from './index.ts';

const SOURCE = 'model:eager';
const eager: Pick<Tagger, 'model' | 'tag'> = {
  model: 'eager',
  tag: async (text) => everyNumber(text),
};

function everyNumber(text: string): Span[] {
  return Array.from(text.matchAll(/\d{3,}/g), ({ index, 0: digits }) => ({
    start: index,
    end: index + digits.length,
    type: 'account' as const,
    score: 0.9,
    source: SOURCE,
  }));
}

/** The numbers still found. */
function left(text: string, ...others: readonly string[]): string[] {
  const texts = [text, ...others];
  const [spans] = withoutFigures(texts, texts.map(everyNumber));
  return spans!.map(({ start, end }) => text.slice(start, end));
}

const table = (head: string, ...rows: readonly string[]) =>
  [head, head.replace(/[^|]+/g, '---'), ...rows].join('\n');

describe('figures', () => {
  it.each([
    ['under words for figures', table('| Month | Sales |', '| Jan | 120331 |', '| Feb | 98120 |')],
    ['of any length that counts', table('| m | bytes |', '| a | 120331117 |', '| b | 331204413 |')],
    [
      'under years',
      table('| Region | 2023 | 2024 |', '| North | 574354 | 686963 |', '| South | 919166 | 588269 |'),
    ],
    ['without a head', '| 45210 | 8821 |\n| 9921 | 77120 |\n| 100233 | 4412 |'],
    ['by commas', 'week,visits\n1,120331\n2,98120'],
    ['by semicolons, Spanish', 'año;población\n2019;2849146\n2020;2730145'],
    ['by tabs', 'step\ttokens\n1000\t524288\n2000\t1048576'],
    ['by blanks', '2210 18422\n2211 190233\n2212 7712'],
    ['with a rule of dashes', ' table | rows\n-------+--------\n orders | 1048291\n lines | 590211'],
    ['counted people', table('| month | active users |', '| 1 | 182331 |', '| 2 | 201993 |')],
    ['moments', 'ts,value\n1700000000,12033\n1700003600,9812'],
    ['arrays with a key', '{"bytesIn": [4821337, 902118, 11827364]}'],
    ['a line of many', 'Is this growth? 10233, 20411, 40988, 81802, 163911'],
    [
      'quotients and units',
      table('| size | ops/s | price € |', '| 64 | 588054 | 12000 |', '| 256 | 212116 | 9000 |'),
    ],
  ])('%s', (_name, text) => {
    expect(left(text)).toEqual([]);
  });

  it('over two cells, which a pattern took for a phone number, are none', async () => {
    const text = table(
      '| Region | 2023 | 2024 |',
      '| North | 574354 | 686963 |',
      '| South | 919166 | 588269 |',
    );
    const both = combineDetectors(createDetectors(eager));
    expect(await both.detect(text, { signal: new AbortController().signal })).toEqual([]);
  });
});

describe('identifiers', () => {
  const accounts = ['| 4821337 | 12 |', '| 9021184 | 14 |', '| 1182736 | 9 |'];
  const numbers = ['4821337', '9021184', '1182736'];

  it.each([
    ...[
      'Account',
      'Acct',
      'C/C',
      'Cta.',
      'nº de cuenta',
      'Conta corrente',
      'Sort code',
      'IBAN',
      'SSN',
      'CPF',
      'NIF',
      'DNI',
    ],
    ...[
      'Phone',
      'Teléfono',
      'Telemóvel',
      'Mobile',
      'MRN',
      'NHC',
      'Patient',
      'Member ID',
      'Policy',
      'Póliza',
      'Passport',
    ],
    ...[
      'customerId',
      'employee_no',
      'Matrícula',
      'Socio',
      'Usuário',
      'Holder',
      'Tarjeta',
      'Card',
      'ID',
      '#',
      'No.',
      'Num',
      'Order no',
    ],
    ...[
      'UHID',
      'MSISDN',
      'Roll no',
      'Emp code',
      'Meter no',
      'Reg. no',
      'Pupil',
      'Account balance',
      'Customer value',
      'Chart number',
      'Tax ref',
      'Serial',
      'CLABE',
      'Konto',
      'PIN',
    ],
  ])('under %s', (head) => {
    expect(left(table(`| ${head} | n |`, ...accounts))).toEqual(numbers);
    expect(left(`${head},n\n4821337,12\n9021184,14\n1182736,9`)).toEqual(numbers);
    expect(left(`{"${head}": [4821337, 9021184, 1182736]}`)).toEqual(numbers);
  });

  it.each([
    ['said before', `My accounts:\n\n${table('| a | b |', ...accounts)}`],
    ['said after', `${table('| a | b |', ...accounts)}\n\nThose are our clients.`],
    [
      'beside a name',
      table('| who | x |', '| Ana Souza | 4821337 |', '| Tom Reyes | 9021184 |', '| Eva Brown | 1182736 |'),
    ],
    [
      'in a row that says so',
      table('| field | value |', '| account | 4821337 |', '| card | 9021184 |', '| phone | 1182736 |'),
    ],
    ['of somebody named before', `This is what Ana Souza has:\n\n${table('| a | b |', ...accounts)}`],
    ['in groups that are no thousands', '| 48 21337 | 12 |\n| 90 21184 | 14 |\n| 11 82736 | 9 |'],
    ['with a zero in front', '| 04821337 | 12 |\n| 09021184 | 14 |\n| 01182736 | 9 |'],
    ['under a line that is no row', 'Order no and count\n4821337 12\n9021184 14\n1182736 9'],
    ['as many digits each, eight', '48213377 x\n90211843 y\n11827364 z'],
    ['nine', '| 219099999 | 12 |\n| 457550012 | 14 |\n| 523114410 | 9 |'],
    [
      'ten, whatever the head',
      table('| total | b |', '| 4821337001 | 1 |', '| 9021184002 | 2 |', '| 1182736003 | 3 |'),
    ],
    ['one in a line', '4821337\n9021184\n1182736'],
    ['in prose', 'They are 4821337, 9021184 and 1182736.'],
    ['a single row', '| 4821337 | 9021184 | 1182736 |'],
  ])('%s', async (_name, text) => {
    const detectors = createDetectors(eager);
    const spans = await combineDetectors(detectors).detect(text, { signal: new AbortController().signal });
    const hidden = (at: number) => spans.some(({ start, end }) => start <= at && at < end);
    const open = [...text.matchAll(/\d{5,}/g)].filter(({ index }) => !hidden(index));
    expect(open).toEqual([]);
  });

  it('said, or somebody named, in another text of the request', () => {
    const text = table('| a | b |', ...accounts);
    expect(left(text)).toEqual([]);
    expect(left(text, 'Here come the account numbers.')).toEqual(numbers);
    const name: Span = { start: 0, end: 9, type: 'person', score: 0.9, source: SOURCE };
    const [kept] = withoutFigures([text, 'Ana Souza wrote:'], [everyNumber(text), [name]]);
    expect(kept).toHaveLength(3);
  });

  it('that a pattern found stay, and so does what a guess says of them', async () => {
    const text = table('| total | b |', '| 4111111111111111 | 1 |', '| 5555555555554444 | 2 |');
    const policy = createPolicy('balanced', { detectors: createDetectors(eager) });
    const review = await policy.review(
      { messages: [{ role: 'user', content: text }] },
      { task: 'generate', consent: 'cloud' },
    );
    expect(review.decision.farthest).toBe('device');
    expect(review.decision.spanCounts.card).toBe(2);
  });

  it('are what a policy says that counts every guess', async () => {
    const content = table('| Month | Sales |', '| 1 | 120331 |', '| 2 | 98120 |');
    const farthest = async (document: 'strict' | 'balanced') => {
      const policy = createPolicy(document, { detectors: createDetectors(eager) });
      const request = { messages: [{ role: 'user' as const, content }] };
      return (await policy.review(request, { task: 'generate', consent: 'cloud' })).decision.farthest;
    };
    expect(await farthest('balanced')).toBe('cloud');
    expect(await farthest('strict')).toBe('device');
  });

  it('outside of tables stay, whatever stands around them', () => {
    const words = fc.constantFrom(
      'total',
      'of',
      'sales',
      '4821337',
      '90211843',
      '12',
      'and',
      '.',
      ',',
      '\n\n',
      'visits:',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (pieces) => {
        const text = pieces.join(' ');
        fc.pre(gridsOf(text).length === 0);
        expect(left(text)).toEqual(everyNumber(text).map(({ start, end }) => text.slice(start, end)));
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('told by no model are not looked at', () => {
    const spans: Span[] = [
      { start: 12, end: 18, type: 'account', score: 0.8, source: 'pattern:account-number' },
    ];
    const text = 'week,visits\n120331,2\n981207,3';
    expect(withoutFigures([text], [spans])[0]).toBe(spans);
  });
});

it('lets a row of dashes and a quarter be nothing of anybody', () => {
  const guess = (text: string, part: string, type: Span['type']): Span => {
    const start = text.indexOf(part);
    return { start, end: start + part.length, type, score: 0.9, source: SOURCE };
  };
  const text = table('| quarter | sales |', '| T1 | 120331 |', '| T2 | 98120 |');
  const guesses = [guess(text, 'T1', 'medical-id'), guess(text, '---|', 'date')];
  expect(withoutFigures([text], [guesses])).toEqual([[]]);
  const named = `customer\n${text}`;
  expect(withoutFigures([named], [[guess(named, 'T1', 'medical-id')]])[0]).toHaveLength(1);
});

it.each([
  '1,',
  '| 1 ',
  '1\t',
  '1;',
  '1 1\n',
  '|',
  '| 1 | 2 |\n',
  '---|---\n',
  '[1,',
  '"a": [1, 2, 3] ',
  '1, ',
  ' ',
])('reads 100 KB of %j in bounded time', (seed) => {
  const text = seed.repeat(Math.ceil(100_000 / seed.length));
  const began = cpuMs();
  gridsOf(text);
  expect(cpuMs() - began).toBeLessThan(10_000);
});
