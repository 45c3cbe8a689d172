import { describe, expect, test } from 'vitest';
import type { Embedder } from '../types.ts';
import { createIntentReader } from './intent.ts';
import { BUCKETS, letterFeatures, wordFeatures } from './intent-features.ts';

const DIMS = 4;

function fakeEmbedder(dims = DIMS): Embedder & { texts: number } {
  const embedder = {
    texts: 0,
    model: 'fake',
    weightsHash: '0'.repeat(64),
    dims,
    maxTokens: 64,
    backend: () => 'kernel',
    async embed(texts: readonly string[]) {
      embedder.texts += texts.length;
      // The vector says "live" for texts that end in "!".
      const embeddings = texts.map((text) => Float32Array.of(text.endsWith('!') ? 1 : 0, 0, 0, 0));
      return { embeddings, tokens: texts.length };
    },
    dispose: async () => {},
  };
  return embedder;
}

function packed(classes: number, columns: number, set: readonly (readonly [number, number, number])[]) {
  const values = new Int8Array(classes * columns);
  for (const [row, column, value] of set) values[row * columns + column] = value;
  const q8 = btoa(String.fromCharCode(...new Uint8Array(values.buffer)));
  return { scale: Array<number>(classes).fill(0.1), q8 };
}

/** Heads that read one word each, and a volatility that also reads the vector. */
function headsFile(change: Readonly<Record<string, unknown>> = {}): string {
  const [now] = wordFeatures('now');
  const only = [...wordFeatures('translate')].filter((at) => !wordFeatures('x').has(at));
  const head = (name: string, classes: readonly string[], features: string, more: object) => ({
    name,
    classes,
    features,
    bias: classes.map((_, at) => (at === 0 ? 0.5 : 0)),
    hashed: packed(classes.length, BUCKETS, []),
    ...more,
  });
  return JSON.stringify({
    schema: 1,
    dims: DIMS,
    buckets: BUCKETS,
    heads: [
      head('volatility', ['timeless', 'months', 'days', 'minutes'], 'words', {
        hashed: packed(4, BUCKETS, [[3, now!, 127]]),
        vector: packed(4, DIMS, [[2, 0, 60]]),
      }),
      head('task', ['answer', 'translate'], 'words', {
        hashed: packed(
          2,
          BUCKETS,
          only.map((at) => [1, at, 100] as const),
        ),
      }),
      head('lang', ['en', 'es', 'pt', 'other'], 'letters', {
        hashed: packed(
          4,
          BUCKETS,
          [...letterFeatures('ñandú')].map((at) => [1, at, 50] as const),
        ),
      }),
    ],
    ...change,
  });
}

/** More words than are read: only its head and its tail count. */
const LONG = Array.from({ length: 100 }, (_, at) => {
  const letter = (index: number) => String.fromCharCode(97 + index);
  return `word${letter(at % 26)}${letter(Math.floor(at / 26))}`;
}).join(' ');

describe('features', () => {
  // Counts and sums that scripts/models/python/intent_features.py gives for the same texts.
  test.each([
    ["What's the price of 3 apples?", 23, 50812, 79, 153893],
    ['¿Qué hora es en Лима 2024?', 21, 52118, 65, 139392],
    ['{"a": [1]} ação 😀 x', 19, 42336, 26, 57742],
    [LONG, 142, 298322, 361, 730113],
  ])('of %j are those the heads were trained on', (text, words, wordSum, letters, letterSum) => {
    const sum = (set: ReadonlySet<number>) => [...set].reduce((total, at) => total + at, 0);
    expect([wordFeatures(text).size, sum(wordFeatures(text))]).toEqual([words, wordSum]);
    expect([letterFeatures(text).size, sum(letterFeatures(text))]).toEqual([letters, letterSum]);
  });
});

describe('intent heads', () => {
  test('each head reads words, the vector, or letters', async () => {
    const reader = createIntentReader({ embedder: fakeEmbedder(), heads: headsFile() });
    expect(await reader.volatility('settled')).toBe('timeless');
    expect(await reader.volatility('now')).toBe('minutes');
    expect(await reader.volatility('settled!')).toBe('days');
    const intent = await reader.read('translate');
    expect(intent.task.label).toBe('translate');
    expect(intent.task.score).toBeGreaterThan(0.5);
    expect(intent.volatility.score).toBeLessThanOrEqual(1);
    expect(reader.language('ñandú').label).toBe('es');
    expect(reader.language('').label).toBe('en');
  });

  test('a whole reading embeds once, and the language alone never', async () => {
    const embedder = fakeEmbedder();
    const reader = createIntentReader({ embedder, heads: new TextEncoder().encode(headsFile()) });
    await reader.read('now');
    reader.language('now');
    expect(embedder.texts).toBe(1);
  });

  test('refuses heads of another encoder, a missing head and what is no heads file', () => {
    const open = (heads: string, dims = DIMS) => createIntentReader({ embedder: fakeEmbedder(dims), heads });
    expect(() => open(headsFile(), 8)).toThrow('vectors of 4');
    expect(() => open(headsFile({ heads: [] }))).toThrow("no head 'volatility'");
    expect(() => open('{}')).toThrow('can not be used');
    expect(() => open('nothing')).toThrow('can not be used');
  });
});
