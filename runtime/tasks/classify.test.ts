import { describe, expect, test } from 'vitest';
import type { Embedder } from '../types.ts';
import { type ClassLabel, createClassifier, labelWords } from './classify.ts';

/** Vectors of three directions, by the words a text has: enough to know what is near what. */
function fakeEmbedder(): Embedder & { readonly calls: string[][] } {
  const calls: string[][] = [];
  const axes = ['card', 'weather', 'music'];
  return {
    calls,
    model: 'fake',
    weightsHash: '0'.repeat(64),
    dims: 3,
    maxTokens: 64,
    backend: () => 'kernel',
    async embed(texts) {
      calls.push([...texts]);
      const embeddings = texts.map((text) => {
        const vector = Float32Array.from(axes, (axis) => text.toLowerCase().split(axis).length - 1 + 0.01);
        return vector.map((value) => value / Math.hypot(...vector));
      });
      return { embeddings, tokens: texts.length };
    },
    dispose: async () => {},
  };
}

const LABELS = ['CardArrival', 'weather_query', 'play-music'];

describe('classify', () => {
  test('names the nearest label; scores fall, and sum to 1', async () => {
    const { classify } = createClassifier({ embedder: fakeEmbedder() });
    const { label, scores } = await classify('what will the weather be', LABELS);
    expect(label).toBe('weather_query');
    expect(scores.map((entry) => entry.label)).toContain('CardArrival');
    expect(scores.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1);
    expect(scores[0]!.score).toBeGreaterThan(0.99);
    expect(scores.map(({ similarity }) => similarity)).toEqual(
      scores.map(({ similarity }) => similarity).sort((a, b) => b - a),
    );
  });

  test('says undefined under the threshold, and never with other: false', async () => {
    const { classify } = createClassifier({ embedder: fakeEmbedder() });
    const mixed = 'card weather music';
    expect((await classify(mixed, LABELS, { other: 0.6 })).label).toBeUndefined();
    expect((await classify(mixed, LABELS, { other: false })).label).toBeDefined();
    expect((await classify(mixed, LABELS, { other: 0.5 })).label).toBeDefined();
  });

  test('examples move a label away from its name', async () => {
    const { classify } = createClassifier({ embedder: fakeEmbedder() });
    const shown: ClassLabel[] = [
      { name: 'card', examples: Array(8).fill('music') },
      { name: 'weather', examples: ['weather'] },
    ];
    expect((await classify('music', shown)).label).toBe('card');
    expect((await classify('music', ['card', 'weather'], { other: 0.3 })).label).toBeUndefined();
  });

  test('a description counts beside the name', async () => {
    const { classify } = createClassifier({ embedder: fakeEmbedder() });
    const labels = [{ name: 'a', description: 'music music music' }, { name: 'card' }];
    expect((await classify('music', labels)).label).toBe('a');
  });

  test('embeds a label set once, and again when a template changes', async () => {
    const embedder = fakeEmbedder();
    const { classify, classifyAll } = createClassifier({ embedder });
    await classify('card', LABELS);
    await classifyAll(['music', 'weather'], LABELS);
    expect(embedder.calls.map((texts) => texts.length)).toEqual([9, 1, 2]);
    await classify('card', LABELS, { templates: ['about {}'] });
    expect(embedder.calls[3]).toEqual(['about card arrival', 'about weather query', 'about play music']);
  });

  test('one caller leaving does not spoil the labels for the next; a failure is not kept', async () => {
    const embedder = fakeEmbedder();
    const { classify } = createClassifier({ embedder });
    await expect(classify('card', LABELS, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    let broken = true;
    const failing = createClassifier({
      embedder: {
        ...embedder,
        embed: async (texts, options) => {
          if (broken) throw new Error('lost');
          return await embedder.embed(texts, options);
        },
      },
    });
    await expect(failing.classify('card', LABELS)).rejects.toThrow('lost');
    broken = false;
    expect((await failing.classify('card', LABELS)).label).toBe('CardArrival');
  });

  test.each([[[]], [['a', 'a']], [['a', ' ']]])('refuses labels %j', async (labels) => {
    const { classify } = createClassifier({ embedder: fakeEmbedder() });
    await expect(classify('card', labels)).rejects.toMatchObject({ code: 'invalid-request' });
  });

  test('no texts, no answers', async () => {
    expect(await createClassifier({ embedder: fakeEmbedder() }).classifyAll([], LABELS)).toEqual([]);
  });
});

test('labelWords reads names apart', () => {
  expect(['card_arrival', 'PlayMusic', 'alarm/set', 'ÁguaFria'].map(labelWords)).toEqual([
    'card arrival',
    'play music',
    'alarm set',
    'água fria',
  ]);
});
