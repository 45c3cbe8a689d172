import { expect, it } from 'vitest';
import { openTestPage } from '../../../scripts/testing/chromium.ts';
import { createKernelDecoder } from './decoder.ts';
import { randomDecoder } from './decoder-random-model.ts';

interface Answer {
  readonly ok?: {
    readonly backend: string;
    readonly relaxed: boolean;
    readonly isolated: boolean;
    readonly logits: number[];
  };
  readonly failed?: string;
}

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
    const answer = await test.page.evaluate(
      async (question) => {
        const worker = new Worker('/runtime/engine/kernel/fixtures/decoder-page.ts', { type: 'module' });
        return await new Promise<Answer>((resolve) => {
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => resolve({ failed: event.message });
          worker.postMessage(question);
        });
      },
      { threads, ids },
    );
    expect(answer.failed, test.log.join('\n')).toBeUndefined();
    expect(answer.ok).toMatchObject({ backend, isolated, relaxed: true });
    expect(answer.ok!.logits).toEqual([...expected!]);
  } finally {
    await test.close();
  }
});
