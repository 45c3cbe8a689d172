import { expect, it } from 'vitest';
import { askWorker } from '../../../scripts/testing/ask-worker.ts';
import { openTestPage } from '../../../scripts/testing/chromium.ts';
import type { Encoded, Question } from './fixtures/page.ts';
import { goldenVectors, openGolden } from './golden-input.ts';

it.each([
  { page: 'isolated, two threads', isolated: true, threads: 2, backend: 'kernel-threads' },
  { page: 'not isolated, one thread', isolated: false, threads: 1, backend: 'kernel' },
])('a page ($page) gives the bits that Node gives', async ({ isolated, threads, backend }) => {
  const model = await openGolden();
  const test = await openTestPage({ isolated });
  try {
    const question: Question = { threads, inputIds: model.golden.inputIds };
    const answer = await askWorker<Encoded>(test, '/runtime/engine/kernel/fixtures/page.ts', question);
    expect(answer).toMatchObject({ backend, isolated, relaxed: true, same: true });
    expect(answer.vectors).toEqual([...(await goldenVectors(model))]);
  } finally {
    await test.close();
  }
});
