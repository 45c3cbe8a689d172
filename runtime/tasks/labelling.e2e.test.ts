// classify() and the intent heads on the models in this repository, in this process.
import { afterAll, describe, expect, test } from 'vitest';
import { createNodeEmbedder, loadNodeModel } from '../engine/node.ts';
import { createLabelling, DEFAULT_INTENT } from './labelling.ts';

const embedder = await createNodeEmbedder({ threads: 1 });
afterAll(() => embedder.dispose());

describe('labelling', () => {
  test('reads what a request asks for', async () => {
    const { labelling, volatility } = createLabelling({
      embedder,
      loadHeads: () => loadNodeModel({ model: DEFAULT_INTENT }),
    });
    expect(await labelling.intent('¿Cuánto vale el bitcoin ahora mismo?')).toMatchObject({
      volatility: { label: 'minutes' },
      task: { label: 'answer' },
      language: { label: 'es' },
    });
    expect(await volatility('What is the capital of Mongolia?')).toBe('timeless');
    expect((await labelling.intent('Fasse diesen Bericht kurz zusammen')).language.label).toBe('other');
  });

  test('classifies without heads, and asks for them again after a failure', async () => {
    let tries = 0;
    const { labelling, volatility } = createLabelling({
      embedder,
      async loadHeads() {
        tries += 1;
        if (tries === 1) throw new Error('the disk was away');
        return await loadNodeModel({ model: DEFAULT_INTENT });
      },
    });
    const labels = ['card_lost', 'exchange_rate', { name: 'greeting', examples: ['hi there', 'good day'] }];
    expect((await labelling.classify('someone stole my credit card', labels)).label).toBe('card_lost');
    expect((await labelling.classify('hello!', labels)).label).toBe('greeting');
    expect((await labelling.classify('the mitochondria of plant cells', labels)).label).toBeUndefined();
    await expect(volatility('now')).rejects.toThrow('the disk was away');
    expect(await volatility('what time is it now')).toBe('minutes');
    expect(tries).toBe(2);
  });
});
