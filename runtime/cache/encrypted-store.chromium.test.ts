// Encryption at rest in a real Chromium: nothing readable in IndexedDB or OPFS, found again after a reload,
// dropped without its key.
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestPage, type TestPage } from '../../scripts/testing/chromium.ts';
import type { cachePage as CachePage } from './page.fixture.ts';

declare const cachePage: typeof CachePage;
const MODULE = `/@fs${new URL('./page.fixture.ts', import.meta.url).pathname}`;
const QUESTION = 'What did CANARYPETER say about the lease?';
const ANSWER = 'That CANARYPAUL signed it.';

let site: TestPage;
beforeAll(async () => {
  site = await openTestPage();
});
afterAll(async () => await site?.close());

/** A page of a profile of its own, so that it holds what this test wrote and nothing else. */
async function newPage(): Promise<Page> {
  const page = await (await site.browser.newContext()).newPage();
  await page.goto(site.page.url());
  await load(page);
  return page;
}

async function load(page: Page): Promise<void> {
  await page.addScriptTag({ type: 'module', url: MODULE });
  await page.waitForFunction(() => 'cachePage' in globalThis);
}

const open = (page: Page, kind: string, encrypt: boolean): Promise<string> =>
  page.evaluate(([at, encrypted]) => cachePage.openEncrypted('secret', at, encrypted), [
    kind,
    encrypt,
  ] as const);

const write = (page: Page): Promise<void> =>
  page.evaluate(([question, answer]) => cachePage.write(question!, answer!), [QUESTION, ANSWER]);

const lookup = (page: Page) => page.evaluate((question) => cachePage.lookup(question), QUESTION);

async function rawAfterClosing(page: Page): Promise<string> {
  await page.evaluate(() => cachePage.close());
  return await page.evaluate(() => cachePage.rawBytes());
}

describe.each(['libsql-opfs', 'indexeddb'])('%s', (kind) => {
  it('holds the words in the clear where it is not encrypted, so that this test would see them', async () => {
    const page = await newPage();
    expect(await open(page, kind, false)).toBe(kind);
    await write(page);
    const raw = await rawAfterClosing(page);
    expect(raw).toContain('CANARYPETER');
    expect(raw).toContain('CANARYPAUL');
    await page.context().close();
  });

  it('holds none of them encrypted, and finds them again after a reload', async () => {
    const page = await newPage();
    expect(await open(page, kind, true)).toBe(`${kind}-encrypted`);
    await write(page);
    const raw = await rawAfterClosing(page);
    expect(raw.length).toBeGreaterThan(400);
    // Long enough, or of one case, so as not to stand in random bytes or base64 by chance.
    expect(raw).not.toMatch(/CANARY|[Aa]bout the lease|signed it/);
    // Nor as the base64 that answers are kept in, at any of its three places.
    expect(raw).not.toMatch(/Q0FOQVJZ|NBTkFSW|DQU5BUl/);
    await page.reload();
    await load(page);
    await open(page, kind, true);
    expect(await lookup(page)).toMatchObject({
      status: 'hit',
      answer: { parts: [{ type: 'text-delta', text: ANSWER }] },
    });
    expect(await page.evaluate(() => cachePage.exportKey('secret'))).toBe('InvalidAccessError');
    await page.context().close();
  });

  it('drops what it has no key for, and keeps new answers', async () => {
    const page = await newPage();
    await open(page, kind, true);
    await write(page);
    await page.evaluate(() => cachePage.close());
    await page.evaluate(() => cachePage.forgetKeys('secret'));
    await open(page, kind, true);
    expect(await lookup(page)).toMatchObject({ status: 'miss', reason: 'empty' });
    expect(await page.evaluate(() => cachePage.storeFailures())).toBe(0);
    await write(page);
    expect((await lookup(page))?.status).toBe('hit');
    await page.context().close();
  });
});
