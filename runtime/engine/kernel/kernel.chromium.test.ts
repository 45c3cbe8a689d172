import { expect, it } from 'vitest';
import { openTestPage } from '../../../scripts/testing/chromium.ts';
import { goldenVectors, openGolden } from './golden-input.ts';

interface Answer {
  readonly ok?: {
    readonly backend: string;
    readonly relaxed: boolean;
    readonly isolated: boolean;
    readonly vectors: number[];
    readonly same: boolean;
  };
  readonly failed?: string;
}

it.each([
  { page: 'isolated, two threads', isolated: true, threads: 2, backend: 'kernel-threads' },
  { page: 'not isolated, one thread', isolated: false, threads: 1, backend: 'kernel' },
])('a page ($page) gives the bits that Node gives', async ({ isolated, threads, backend }) => {
  const model = await openGolden();
  const test = await openTestPage({ isolated });
  try {
    const answer = await test.page.evaluate(
      async ({ threads, inputIds }) => {
        const worker = new Worker('/runtime/engine/kernel/fixtures/page.ts', { type: 'module' });
        return await new Promise<Answer>((resolve) => {
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => resolve({ failed: event.message });
          worker.postMessage({ threads, inputIds });
        });
      },
      { threads, inputIds: model.golden.inputIds },
    );
    expect(answer.failed, test.log.join('\n')).toBeUndefined();
    expect(answer.ok).toMatchObject({ backend, isolated, relaxed: true, same: true });
    expect(answer.ok!.vectors).toEqual([...(await goldenVectors(model))]);
  } finally {
    await test.close();
  }
});
