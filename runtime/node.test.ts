// What createNodeRuntime opens, it closes; what it and createPageRuntime refuse is refused before anything is opened.
import { expect, test, vi } from 'vitest';
import { createPageRuntime } from './browser.ts';
import { createNodeRuntime } from './node.ts';
import { findNodeTagger } from './tasks/tagger-node.ts';
import type { Tagger } from './types.ts';

vi.mock(import('./tasks/tagger-node.ts'), async (load) => ({ ...(await load()), findNodeTagger: vi.fn() }));

test('closes the tagger that it found', async () => {
  const tagger: Tagger = { model: 'nearfield-pii', tag: async () => [], dispose: vi.fn(async () => {}) };
  vi.mocked(findNodeTagger).mockResolvedValue(tagger);
  const runtime = await createNodeRuntime({ guard: false });
  expect(tagger.dispose).not.toHaveBeenCalled();
  await runtime.close();
  expect(tagger.dispose).toHaveBeenCalledOnce();
});

test('refuses a wrong policy or edge before it loads a model, in a page too', async () => {
  const policy = 'nonsense' as 'balanced';
  const refused = { code: 'invalid-request' };
  const nowhere = { model: 'nowhere', modelsFolder: '/nowhere' };
  await expect(createNodeRuntime({ policy, engine: nowhere })).rejects.toMatchObject(refused);
  await expect(createNodeRuntime({ engine: nowhere })).rejects.toMatchObject({ code: 'model-not-found' });
  // There is no page here: whatever it opened would fail otherwise.
  const models = 'https://models.invalid/';
  await expect(createPageRuntime({ models, policy })).rejects.toMatchObject(refused);
  await expect(createPageRuntime({ models, edge: { baseUrl: '/v1' } })).rejects.toMatchObject(refused);
});
