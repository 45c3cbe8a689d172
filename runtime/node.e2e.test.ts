// The runtime that createNodeRuntime puts together, on the models in this repository.
import { expect, test } from 'vitest';
import { createNodeRuntime } from './node.ts';

test('labels texts on this host: classify() and the intent heads', async () => {
  const runtime = await createNodeRuntime({ engine: { threads: 1 }, guard: false, tagger: false });
  try {
    const labels = ['refund', 'delivery', { name: 'praise', examples: ['you are great', 'lovely service'] }];
    const { label, scores } = await runtime.classify('when will my parcel be delivered?', labels);
    expect(label).toBe('delivery');
    expect(scores).toHaveLength(3);
    const intent = await runtime.intent('Traduza este parágrafo para o inglês');
    expect(intent).toMatchObject({
      task: { label: 'translate' },
      language: { label: 'pt' },
      volatility: { label: 'timeless' },
    });
  } finally {
    await runtime.close();
  }
});
