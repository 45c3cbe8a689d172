import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningWorkerd, startWorkerd } from '../../../scripts/testing/workerd.ts';
import { goldenVectors, openGolden } from './golden-input.ts';

let workerd: RunningWorkerd;
beforeAll(async () => {
  workerd = await startWorkerd({ entry: new URL('./fixtures/workerd.ts', import.meta.url) });
});
afterAll(() => workerd?.stop());

it.each(['relaxed', 'plain'])('workerd gives the bits that Node gives, %s build', async (build) => {
  const response = await workerd.fetch(`/?build=${build}`);
  const answer = (await response.json()) as { readonly backend: string; readonly vectors: number[] };
  expect(answer.backend).toBe('kernel');
  expect(answer.vectors).toEqual([...(await goldenVectors(await openGolden()))]);
  expect(workerd.refused).toEqual([]);
});
