import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { EncoderInput, TokenEncoder } from '../types.ts';
import { createTagger, cutWindows } from './tag.ts';
import { decodeWindow } from './tag-decode.ts';
import { createTagTokenizer, PIECE } from './tag-tokens.ts';

const MODEL = new URL('../../models/nearfield-pii/', import.meta.url);
const PIECES = [
  '[PAD]',
  '[UNK]',
  'ana',
  'sou',
  '##za',
  'met',
  'in',
  'lis',
  '##bon',
  '.',
  ',',
  '12',
  '2024',
  '[D5]',
];
const KINDS = ['person', 'location', 'age'];
const WIDTH = 8;

/** Scores a token by its id alone: label of each id, in KINDS' numbering. */
function fakeEncoder(labels: Readonly<Record<string, number>>, runs: EncoderInput[] = []): TokenEncoder {
  const files = {
    labels: { kinds: KINDS, bias: 0, window: 8 },
    tokenizer: { pieces: PIECES },
  };
  return {
    model: 'fake-pii',
    weightsHash: '0'.repeat(64),
    dims: WIDTH,
    maxTokens: 16,
    backend: () => 'kernel',
    file: (role) => new TextEncoder().encode(JSON.stringify(files[role])),
    async run(input, { signal } = {}) {
      signal?.throwIfAborted();
      runs.push(input);
      const scores = new Float32Array(input.inputIds.length * WIDTH);
      input.inputIds.forEach((id, at) => {
        scores[at * WIDTH + (labels[PIECES[id]!] ?? 0)] = 5;
      });
      return scores;
    },
    async dispose() {},
  };
}

describe('tokens', () => {
  const tokenizer = createTagTokenizer(PIECES);
  const pieces = (text: string) => [...tokenizer.tokenize(text).ids].map((id) => PIECES[id]);

  it('are pieces of folded words, with offsets into the text as written', () => {
    const text = 'Ána SOUZA';
    const { starts, ends } = tokenizer.tokenize(text);
    expect(pieces(text)).toEqual(['ana', 'sou', '##za']);
    expect([...starts].map((start, at) => text.slice(start, ends[at]))).toEqual(['Ána', 'SOU', 'ZA']);
  });

  it('keep short numbers and years, and of others the length', () => {
    expect(pieces('12 2024 12345 31')).toEqual(['12', '2024', '[D5]', '[UNK]']);
  });

  it('say case and what stood before', () => {
    const kinds = (text: string) => [...tokenizer.tokenize(text).types].map((type) => [type >> 2, type & 3]);
    // lower, title, upper, initial, mixed, digits, other; spaced, glued, line, piece.
    expect(kinds('met')).toEqual([[0, 2]]);
    expect(kinds('in Ana,IN')).toEqual([
      [0, 2],
      [1, 0],
      [6, 1],
      [2, 1],
    ]);
    expect(kinds('12\nA x')).toEqual([
      [5, 2],
      [3, 2],
      [0, 0],
    ]);
    expect(kinds('sOuza')).toEqual([
      [4, 2],
      [4, PIECE],
    ]);
  });

  it("are the training code's, on the golden texts", async () => {
    const read = async (name: string) => JSON.parse(await readFile(new URL(name, MODEL), 'utf8'));
    const golden = await read('golden.json');
    const real = createTagTokenizer((await read('pieces.json')).pieces);
    golden.texts.forEach((text: string, at: number) => {
      const tokens = real.tokenize(text);
      expect([...tokens.ids]).toEqual(golden.inputIds[at]);
      expect([...tokens.types]).toEqual(golden.typeIds[at]);
      expect([...tokens.starts].map((start, i) => [start, tokens.ends[i]])).toEqual(golden.offsets[at]);
    });
  });
});

describe('decoding', () => {
  const tokens = createTagTokenizer(PIECES).tokenize('ana souza met');
  const decode = (rows: readonly number[][], bias = 0) =>
    decodeWindow(Float32Array.from(rows.flat()), tokens, 0, 4, { kinds: 1, width: 3, bias });

  it('begins a name before it goes on, and never cuts a word in two', () => {
    // The first token would rather be inside, and the second word's piece nobody's.
    const runs = decode([
      [0, 2, 3],
      [0, 0, 4],
      [1, 0, 0],
      [5, 0, 0],
    ]);
    expect(runs.map(({ first, last }) => [first, last])).toEqual([[0, 3]]);
  });

  it('begins no name inside a word', () => {
    const runs = decode([
      [5, 0, 0],
      [2, 0, 0],
      [0, 9, 0],
      [5, 0, 0],
    ]);
    expect(runs.map(({ first, last }) => [first, last])).toEqual([]);
  });

  it('keeps two names apart', () => {
    const runs = decode([
      [0, 5, 0],
      [0, 5, 0],
      [0, 0, 5],
      [5, 0, 0],
    ]);
    expect(runs.map(({ first, last }) => [first, last])).toEqual([
      [0, 1],
      [1, 3],
    ]);
  });

  it('finds more with a larger bias, and says how sure it is', () => {
    const rows = [
      [1, 0.5, 0],
      [5, 0, 0],
      [5, 0, 0],
      [5, 0, 0],
    ];
    expect(decode(rows)).toEqual([]);
    const [run] = decode(rows, 1);
    expect(run!.score).toBeCloseTo((Math.exp(0.5) + 1) / (Math.exp(0.5) + 2), 5);
  });
});

describe('windows', () => {
  const tokenizer = createTagTokenizer(PIECES);
  const cut = (text: string, most: number) => cutWindows(text, tokenizer.tokenize(text), most);

  it('hold every token once and at most so many', () => {
    for (const length of [0, 1, 7, 8, 9, 40]) {
      const bounds = cut('met '.repeat(length), 8);
      expect(bounds.at(-1)).toBe(length);
      bounds.slice(1).forEach((end, at) => {
        expect(end - bounds[at]!).toBeGreaterThan(0);
        expect(end - bounds[at]!).toBeLessThanOrEqual(8);
      });
    }
  });

  it('end at a line, else at a sentence, else between words', () => {
    expect(cut('met met met met met\nmet met. met met met', 8)[1]).toBe(5);
    expect(cut('met met met met met. met met met met', 8)[1]).toBe(6);
    expect(cut('met met met met met met met souza met', 8)[1]).toBe(7);
  });
});

describe('a tagger', () => {
  const labels = { ana: 1, sou: 2, '##za': 2, lis: 3, '##bon': 4, '12': 5 };

  it('tells spans of the text, with their types and who found them', async () => {
    const tagger = createTagger({ encoder: fakeEncoder(labels) });
    const text = 'Ana Souza met 12 in Lisbon.';
    const spans = await tagger.tag(text);
    expect(spans.map(({ start, end, type, source }) => [text.slice(start, end), type, source])).toEqual([
      ['Ana Souza', 'person', 'model:fake-pii'],
      ['Lisbon', 'location', 'model:fake-pii'],
    ]);
    const aged = await createTagger({ encoder: fakeEncoder(labels), ages: true }).tag(text);
    expect(aged.map(({ type }) => type)).toEqual(['person', 'other', 'location']);
  });

  it('runs long texts in several batches, offsets whole', async () => {
    const runs: EncoderInput[] = [];
    const tagger = createTagger({ encoder: fakeEncoder(labels, runs) });
    const text = `${'met met met met met.\n'.repeat(400)}Ana Souza`;
    expect(await tagger.tag(text)).toMatchObject([{ start: text.length - 9, end: text.length }]);
    expect(runs.length).toBeGreaterThan(2);
    for (const { rowTokens } of runs) for (const tokens of rowTokens) expect(tokens).toBeLessThanOrEqual(8);
  });

  it('stops between batches when nobody waits any more', async () => {
    const abort = new AbortController();
    const runs: EncoderInput[] = [];
    const tagging = createTagger({ encoder: fakeEncoder(labels, runs) }).tag('met '.repeat(9000), abort);
    abort.abort();
    await expect(tagging).rejects.toMatchObject({ name: 'AbortError' });
    expect(runs.length).toBeLessThan(3);
  });

  it('refuses a model without labels', () => {
    const encoder = { ...fakeEncoder({}), file: () => new TextEncoder().encode('{}') };
    expect(() => createTagger({ encoder })).toThrow(expect.objectContaining({ code: 'model-unsupported' }));
    expect(() => createTagger({ encoder: { ...fakeEncoder({}), dims: 5 } })).toThrow(/too few scores/);
  });
});
