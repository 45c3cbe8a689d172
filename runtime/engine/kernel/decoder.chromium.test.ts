import { expect, it } from 'vitest';
import { askWorker } from '../../../scripts/testing/ask-worker.ts';
import { openTestPage } from '../../../scripts/testing/chromium.ts';
import { createKernelDecoder } from './decoder.ts';
import { randomDecoder } from './decoder-random-model.ts';
import type { Decoded, Question } from './fixtures/decoder-page.ts';

it.each([
  { page: 'isolated, two threads', isolated: true, threads: 2, backend: 'kernel-threads' },
  { page: 'not isolated, one thread', isolated: false, threads: 1, backend: 'kernel' },
])('a page ($page) decodes the bits that Node decodes', async ({ isolated, threads, backend }) => {
  const { weights, manifest } = randomDecoder();
  const decoder = await createKernelDecoder(weights, manifest);
  const ids = Array.from({ length: 70 }, (_, at) => (at * 11) % 88);
  const [expected] = await decoder.forward([{ sequence: decoder.open(), tokens: ids, logits: 'all' }]);
  const test = await openTestPage({ isolated });
  try {
    const question: Question = { threads, ids };
    const answer = await askWorker<Decoded>(
      test,
      '/runtime/engine/kernel/fixtures/decoder-page.ts',
      question,
    );
    expect(answer).toMatchObject({ backend, isolated, relaxed: true });
    expect(answer.logits).toEqual([...expected!]);
  } finally {
    await test.close();
  }
});
