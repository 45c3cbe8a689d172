// The browser's stores in a real Chromium: the shared battery, survival across a reload, many tabs, and
// the way down to IndexedDB.
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../scripts/testing/chromium.ts';
import type { cachePage as CachePage } from './page.fixture.ts';
import { STORE_CHECKS } from './store.contract.ts';

declare const cachePage: typeof CachePage;
const MODULE = `/@fs${new URL('./page.fixture.ts', import.meta.url).pathname}`;

let site: TestPage;
let context: BrowserContext;
let page: Page;
beforeAll(async () => {
  site = await openTestPage();
  context = await site.browser.newContext();
  page = await newTab();
});
afterAll(async () => await site?.close());

async function newTab(): Promise<Page> {
  const tab = await context.newPage();
  await tab.goto(site.page.url());
  await load(tab);
  return tab;
}

async function load(tab: Page): Promise<void> {
  await tab.addScriptTag({ type: 'module', url: MODULE });
  await tab.waitForFunction(() => 'cachePage' in globalThis);
}

describe.each(['libsql-opfs', 'indexeddb'])('%s in Chromium', (kind) => {
  it.each(STORE_CHECKS.map((check) => check.name))('%s', async (name) => {
    const failure = await page.evaluate(([at, check]) => cachePage.check(at!, check!), [kind, name]);
    expect(failure).toBeUndefined();
  });
});

describe('a page', () => {
  it('runs without cross-origin isolation and finds its entries after a reload', async () => {
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(await page.evaluate(() => cachePage.open('reload'))).toEqual(['libsql-opfs']);
    await page.evaluate(() => cachePage.write('What is the capital of France?', 'Paris.'));
    await page.reload();
    await load(page);
    expect(await page.evaluate(() => cachePage.open('reload'))).toEqual(['libsql-opfs']);
    const exact = await page.evaluate(() => cachePage.lookup('What is the capital of France?'));
    expect(exact).toMatchObject({ status: 'hit', reason: 'exact' });
    expect(exact?.answer?.parts).toEqual([{ type: 'text-delta', text: 'Paris.' }]);
    const similar = await page.evaluate(() => cachePage.lookup('The capital of France, what is it?'));
    expect(similar).toMatchObject({ status: 'hit', reason: 'similar' });
  });

  it('shares one database with another tab, which takes over when the first is gone', async () => {
    const first = await newTab();
    const second = await newTab();
    expect(await first.evaluate(() => cachePage.open('tabs'))).toEqual(['libsql-opfs']);
    expect(await second.evaluate(() => cachePage.open('tabs'))).toEqual(['libsql-opfs']);
    await second.evaluate(() => cachePage.write('asked in the second tab', 'kept'));
    await first.close();
    await second.evaluate(() => cachePage.write('asked when the first was gone', 'kept too'));
    const found = await second.evaluate(() => cachePage.lookup('asked in the second tab'));
    expect(found?.status).toBe('hit');
    expect(await second.evaluate(() => cachePage.storeFailures())).toBe(0);
    await second.reload();
    await load(second);
    expect(await second.evaluate(() => cachePage.open('tabs'))).toEqual(['libsql-opfs']);
    const questions = await second.evaluate(() => cachePage.questions());
    expect(questions).toEqual(['asked in the second tab', 'asked when the first was gone']);
    await second.close();
  });

  it('falls back to IndexedDB where the worker cannot be loaded, and says why', async () => {
    const told = await page.evaluate(() => cachePage.open('fallback', '/no-such-worker.js'));
    expect(told).toEqual(['indexeddb', "libsql-opfs: The cache's worker could not be loaded."]);
    await page.evaluate(() => cachePage.write('a question', 'an answer'));
    expect((await page.evaluate(() => cachePage.lookup('a question')))?.status).toBe('hit');
  });
});
