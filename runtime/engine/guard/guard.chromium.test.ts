// The guard in a real Chromium: in a worker, with Node's answers, the page free meanwhile, and closed when it fails.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../../scripts/testing/chromium.ts';
import { createNodeGuard } from '../node.ts';
import type { guardPage as GuardPage } from './page.fixture.ts';

declare const guardPage: typeof GuardPage;
const MODULE = `/@fs${new URL('./page.fixture.ts', import.meta.url).pathname}`;
const PAIRS = [
  ['How do I change my password?', 'What is the way to change my password?'],
  ['How do I change my password?', 'How do I change my address?'],
  ['Can I pay in euros?', '¿Puedo pagar en euros?'],
  ['', 'ok'],
] as const;

let site: TestPage;
beforeAll(async () => {
  site = await openTestPage();
});
afterAll(async () => await site?.close());

async function fresh(): Promise<void> {
  await site.page.goto(site.page.url());
  await site.page.addScriptTag({ type: 'module', url: MODULE });
  await site.page.waitForFunction(() => 'guardPage' in globalThis);
}

describe('the guard in a page', () => {
  it("gives Node's answers from a worker of its own", async () => {
    await fresh();
    const node = createNodeGuard();
    const expected = await Promise.all(PAIRS.map(([asked, kept]) => node(asked, kept)));
    const said = await site.page.evaluate((pairs) => guardPage.ask(pairs), PAIRS);
    said.forEach((each, at) => {
      expect(each).toBeCloseTo(expected[at]!, 6);
    });
    expect(site.page.workers()).toHaveLength(1);
  });

  it('keeps the page free: its thread works a small part of what the guard takes', async () => {
    await fresh();
    await site.page.evaluate((pairs) => guardPage.ask(pairs), PAIRS);
    const session = await site.page.context().newCDPSession(site.page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busySeconds = async (): Promise<number> => {
      const { metrics } = await session.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'ThreadTime')?.value ?? Number.NaN;
    };
    const before = await busySeconds();
    const worked = await site.page.evaluate(() => guardPage.askMany(200));
    const inWorker = (1000 * ((await busySeconds()) - before)) / worked.pairs;
    const atHome = await site.page.evaluate(() => guardPage.computeHere(200));
    console.log(`page: ${inWorker.toFixed(3)} ms a pair with the worker, ${atHome.toFixed(3)} ms without`);
    expect(inWorker).toBeLessThan(atHome / 2);
  });

  it('fails the question where there is no model, no worker script, a lost worker or one that hangs', async () => {
    await fresh();
    const failed = await site.page.evaluate(() => guardPage.failures());
    expect(failed).toEqual({
      'no model': 'rejected',
      'no worker': 'rejected',
      'no script': 'rejected',
      'lost while asked': 'rejected',
      'asked again after it was lost': 'answered',
      hangs: 'rejected',
      'hangs, asked again': 'rejected at once',
    });
  });

  it('ends its worker when it is disposed of, opened or opening, and with the cache that has it', async () => {
    await fresh();
    expect(await site.page.evaluate(() => guardPage.disposals())).toEqual({
      'closed with its cache': 'rejected',
      'while its files come': 'rejected',
      'while its worker starts': 'rejected',
    });
    await expect.poll(() => site.page.workers().length, { timeout: 20_000 }).toBe(0);
  });

  it('makes a cache serve exact hits only while it fails', async () => {
    await fresh();
    expect(await site.page.evaluate(() => guardPage.cacheWithoutGuard())).toEqual({
      exact: 'exact',
      reworded: 'guard-failed',
    });
  });
});
