// A renderer killed in the middle of writing loses no confirmed entry and leaves a store that opens, in a real
// Chromium. Power loss is not tested: it would take the machine.
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../scripts/testing/chromium.ts';
import type { cachePage as CachePage } from './page.fixture.ts';
import { sampleEntry } from './store.contract.ts';

declare const cachePage: typeof CachePage;
const MODULE = `/@fs${new URL('./page.fixture.ts', import.meta.url).pathname}`;

let site: TestPage;
let context: BrowserContext;
beforeAll(async () => {
  site = await openTestPage();
  context = await site.browser.newContext();
});
afterAll(async () => await site?.close());

async function newTab(): Promise<Page> {
  const tab = await context.newPage();
  await tab.goto(site.page.url());
  await tab.addScriptTag({ type: 'module', url: MODULE });
  await tab.waitForFunction(() => 'cachePage' in globalThis);
  return tab;
}

/** Starts writing, kills the renderer with its workers after some writes; returns the last one seen confirmed. */
async function writeUntilKilled(kind: string, place: string, writes: number): Promise<number> {
  const tab = await newTab();
  await tab.evaluate(([at, name]) => cachePage.startWriting(at!, name!), [kind, place]);
  await tab.waitForFunction((wanted) => cachePage.confirmed() >= wanted, writes, { polling: 1 });
  const confirmed = await tab.evaluate(() => cachePage.confirmed());
  const crashed = tab.waitForEvent('crash');
  const session = await context.newCDPSession(tab);
  void session.send('Page.crash').catch(() => undefined);
  await crashed;
  await tab.close();
  return confirmed;
}

it.each([
  ['libsql-opfs', 12],
  ['libsql-opfs', 25],
  ['indexeddb', 12],
  ['indexeddb', 25],
] as const)('%s keeps every confirmed entry when killed after %i writes', async (kind, writes) => {
  const place = crypto.randomUUID();
  const confirmed = await writeUntilKilled(kind, place, writes);
  const tab = await newTab();
  const { ids, last } = await tab.evaluate(([at, name]) => cachePage.kept(at!, name!), [kind, place]);
  expect(last).toBeGreaterThanOrEqual(confirmed);
  // A change is whole: the entry it put, the one it removed and its number are there together, and nothing past it.
  const expected = Array.from({ length: last + 1 }, (_, at) => at).filter(
    (at) => at % 10 !== 4 || at + 5 > last,
  );
  expect([...ids].sort()).toEqual(expected.map((at) => sampleEntry(at).id));
  await tab.close();
});
