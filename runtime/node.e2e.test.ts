// The runtime that createNodeRuntime puts together, on the models in this repository.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

test('looks for every model, the guard among them, in the folder that was named', async () => {
  const modelsFolder = await mkdtemp(join(tmpdir(), 'nearfield-models-'));
  const model = fileURLToPath(new URL('../models/all-minilm-l6-v2', import.meta.url));
  const runtime = await createNodeRuntime({ engine: { model, modelsFolder, threads: 1 } });
  try {
    const documents = [{ id: 'lease', text: 'The flat has two rooms. The notice period is three months.' }];
    await runtime.answer({ question: 'How long is the notice period?', documents });
    const { cache } = await runtime.answer({ question: 'How long is the period of notice?', documents });
    expect(cache).toMatchObject({ status: 'miss', reason: 'guard-failed' });
  } finally {
    await runtime.close();
    await rm(modelsFolder, { recursive: true });
  }
});
