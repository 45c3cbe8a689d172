import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../scripts/testing/chromium.ts';
import type { embedAsReadme } from './browser.fixture.ts';

let test: TestPage;
beforeAll(async () => {
  test = await openTestPage({ isolated: true });
});
afterAll(async () => await test?.close());

it('does in a page what README says: answer, refuse to leave, and serve the OpenAI SDK', async () => {
  const foreign: string[] = [];
  test.page.on('request', (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(test.url)) foreign.push(request.url());
  });
  // A string, so that the test runner does not rewrite the page's own import().
  const result = await test.page.evaluate<Awaited<ReturnType<typeof embedAsReadme>>>(
    "import('/runtime/browser.fixture.ts').then((module) => module.embedAsReadme())",
  );
  expect(result).toMatchObject({
    text: 'The tenant pays a deposit of 900 euros.',
    bytesOut: 0,
    dims: 384,
    streamed: 'The lease begins on 1 May.',
    label: 'lost_card',
    volatility: 'minutes',
  });
  expect(['no-tier', 'egress-denied']).toContain(result.denied);
  expect(result.similar).toBeGreaterThan(0.6);
  expect(foreign).toEqual([]);
  // The runtime was closed at its end: embedder, tagger and guard left no worker behind, the one still opening neither.
  await expect.poll(() => test.page.workers().map((worker) => worker.url()), { timeout: 20_000 }).toEqual([]);
});
