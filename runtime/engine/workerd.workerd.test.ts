import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningWorkerd, startWorkerd } from '../../scripts/testing/workerd.ts';
import { parseGolden } from './golden.ts';
import { createNodeEmbedder, nodeBackends } from './node.ts';
import { cosine } from './pooling.ts';

const golden = parseGolden(
  readFileSync(new URL('../../models/all-minilm-l6-v2/golden.json', import.meta.url)),
);

let workerd: RunningWorkerd;
beforeAll(async () => {
  workerd = await startWorkerd({ entry: new URL('./fixtures/workerd.ts', import.meta.url) });
});
afterAll(() => workerd?.stop());

interface Answer {
  readonly backend?: string;
  readonly code?: string;
  readonly embeddings?: readonly (readonly number[])[];
}

async function ask(body: {
  readonly texts: readonly string[];
  readonly broken?: boolean;
  readonly kernel?: boolean;
}): Promise<Answer> {
  const response = await workerd.fetch('/', { method: 'POST', body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

test('a corrupted graph fails with a code, and the good one loads after it in the same isolate', async () => {
  expect(await ask({ texts: ['a'], broken: true })).toEqual({ code: 'model-load-failed' });
  expect((await ask({ texts: ['a'] })).embeddings).toHaveLength(1);
});

test.each(['ort-wasm', 'kernel'])('%s gives the same vectors in workerd and in Node', async (wanted) => {
  const { embeddings, backend } = await ask({ texts: golden.texts, kernel: wanted === 'kernel' });
  expect(backend).toBe(wanted);
  const backends = nodeBackends.filter((row) => row.id === backend);
  const node = await createNodeEmbedder({ backends, contenders: 1 });
  const expected = await node.embed(golden.texts);
  await node.dispose();
  golden.texts.forEach((_, at) => {
    const actual = Float32Array.from(embeddings![at]!);
    expect(cosine(expected.embeddings[at]!, actual)).toBeGreaterThanOrEqual(0.999);
    expect(cosine(Float32Array.from(golden.embeddings[at]!), actual)).toBeGreaterThanOrEqual(0.99);
  });
});

test('requests at once are answered each with its own vectors, and nothing leaves the worker', async () => {
  const texts = golden.texts.slice(0, 3);
  const answers = await Promise.all(texts.map((text) => ask({ texts: [text] })));
  answers.forEach(({ embeddings }, at) => {
    const expected = Float32Array.from(golden.embeddings[at]!);
    expect(cosine(expected, Float32Array.from(embeddings![0]!))).toBeGreaterThanOrEqual(0.998);
  });
  expect(workerd.refused).toEqual([]);
});
