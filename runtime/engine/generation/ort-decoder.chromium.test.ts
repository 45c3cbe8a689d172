// The decoder on a real WebGPU (a software one where there is no GPU: right for numbers, not for speed).
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import type * as PageFunctions from './ort-decoder.page.fixture.ts';
import type { Variant } from './ort-decoder.page.fixture.ts';

const FIXTURE = '/runtime/engine/generation/ort-decoder.page.fixture.ts';

let open: TestPage;
beforeAll(async () => {
  open = await openTestPage({ webgpu: true });
});
afterAll(() => open?.close());

/** As text: a bundled import() would be the test runner's own. */
async function onPage<Name extends keyof typeof PageFunctions>(
  name: Name,
  ...args: Parameters<(typeof PageFunctions)[Name]>
): Promise<Awaited<ReturnType<(typeof PageFunctions)[Name]>>> {
  return (await open.page.evaluate(
    `import('${FIXTURE}').then((page) => page.${name}(...${JSON.stringify(args)}))`,
  )) as never;
}

test.each<[string, Variant]>([
  ['Llama', {}],
  ['Qwen 2: biased queries, keys and values', { qkvBias: true }],
  ['Qwen 3: normalised query and key heads', { qkNorm: true }],
])('%s: a prompt, single tokens and a chunk give the logits of the formulas', async (_, variant) => {
  const { differences, spread } = await onPage('forced', variant);
  expect(differences).toHaveLength(15);
  expect(Math.max(...differences) / spread).toBeLessThan(1e-4);
  expect(spread).toBeGreaterThan(0.1);
});

test('sequences do not disturb one another, cut back and forked ones go on rightly', async () => {
  const differences = await onPage('juggled');
  expect(differences).toHaveLength(3);
  expect(Math.max(...differences)).toBeLessThan(1e-3);
});

test('what cannot be run is refused by name and changes nothing', async () => {
  const { codes, lengths } = await onPage('refused');
  expect(codes).toEqual([
    'out-of-memory',
    'invalid-request',
    'invalid-request',
    'context-overflow',
    'AbortError',
    'invalid-request',
    'invalid-request',
  ]);
  expect(lengths).toEqual([3, 2 * 2 * 2 * 32 * 64 * 4]);
});
