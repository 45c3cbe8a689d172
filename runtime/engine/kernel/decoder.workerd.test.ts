import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningWorkerd, startWorkerd } from '../../../scripts/testing/workerd.ts';
import { createKernelDecoder } from './decoder.ts';
import { randomDecoder } from './decoder-random-model.ts';

let workerd: RunningWorkerd;
beforeAll(async () => {
  workerd = await startWorkerd({ entry: new URL('./fixtures/decoder-workerd.ts', import.meta.url) });
});
afterAll(() => workerd?.stop());

it.each(['relaxed', 'plain'])('workerd decodes the bits that Node decodes, %s build', async (build) => {
  const { weights, manifest } = randomDecoder();
  const decoder = await createKernelDecoder(weights, manifest);
  const tokens = Array.from({ length: 70 }, (_, at) => (at * 11) % 88);
  const [expected] = await decoder.forward([{ sequence: decoder.open(), tokens, logits: 'all' }]);
  const response = await workerd.fetch(`/?build=${build}&ids=${tokens.join(',')}`);
  const answer = (await response.json()) as { readonly backend: string; readonly logits: number[] };
  expect(answer.backend).toBe('kernel');
  expect(answer.logits).toEqual([...expected!]);
  expect(workerd.refused).toEqual([]);
});
