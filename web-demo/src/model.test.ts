import type { Embedder } from 'nearfield';
import { describe, expect, it } from 'vitest';
import { createPageModel, type ModelFacts } from './model.ts';

const facts: ModelFacts = {
  id: 'm',
  dims: 2,
  maxTokens: 8,
  licence: 'Apache-2.0',
  weightsHash: 'a'.repeat(64),
  bytes: 100,
};

function embedder(): Embedder {
  return {
    ...facts,
    model: facts.id,
    backend: () => 'test',
    embed: async (texts) => ({ embeddings: texts.map(() => new Float32Array([1, 0])), tokens: texts.length }),
    dispose: async () => {},
  };
}

describe('the page model', () => {
  it('opens once for many callers and adds up the bytes of all files', async () => {
    let opened = 0;
    const seen: number[] = [];
    const model = createPageModel(facts, async (_id, onBytes) => {
      opened += 1;
      onBytes('weights', 30);
      seen.push(model.state.value.loadedBytes);
      onBytes('weights', 60);
      onBytes('tokenizer', 40);
      seen.push(model.state.value.loadedBytes);
      return embedder();
    });
    await Promise.all([model.load(), model.embedder.embed(['a']), model.embedder.embed(['b'])]);
    expect({ opened, seen }).toEqual({ opened: 1, seen: [30, 100] });
    expect(model.state.value).toMatchObject({
      phase: 'ready',
      backend: 'test',
      weightsHash: facts.weightsHash,
    });
  });

  it('says why a load failed, and the next use tries again', async () => {
    let tries = 0;
    const model = createPageModel(facts, async () => {
      tries += 1;
      if (tries === 1) throw new Error('no room');
      return embedder();
    });
    await model.load();
    expect(model.state.value).toMatchObject({ phase: 'failed', error: 'no room' });
    await expect(model.embedder.embed(['a'])).resolves.toMatchObject({ tokens: 1 });
    expect(model.state.value).toMatchObject({ phase: 'ready', error: undefined });
  });
});
