// What createNodeRuntime opens, it closes.
import { expect, test, vi } from 'vitest';
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
