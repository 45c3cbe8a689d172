// Owns watching what a real Chromium holds in memory: the operating system's count of the page's process, its peak and
// that of all processes together. Linux only.
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { CDPSession } from 'playwright-core';
import { openTestPage, type TestPage } from './chromium.ts';

export interface WatchedBrowser {
  readonly page: TestPage['page'];
  /** Bytes of the page's process, after a collection. */
  resident(): Promise<number>;
  watch(): Promise<void>;
  /** Since `watch`: the most of the page's process, and of all processes above what they had. */
  watched(): Promise<{ readonly peak: number; readonly peakOfAll: number }>;
  close(): Promise<void>;
}

const SAMPLE_MS = 20;
/** How long freed memory may take to go back. */
const SETTLE_MS = 1500;

/** An isolated page that has run `script` and has `ready` among its globals. */
export async function openWatchedBrowser(script: string, ready: string): Promise<WatchedBrowser> {
  const { page, browser, close } = await openTestPage({
    isolated: true,
  });
  await page.addScriptTag({ type: 'module', url: script });
  await page.waitForFunction((name) => name in globalThis, ready);
  const processes: CDPSession = await browser.newBrowserCDPSession();
  const session = await page.context().newCDPSession(page);
  const ids = async (): Promise<readonly { readonly type: string; readonly id: number }[]> =>
    (await processes.send('SystemInfo.getProcessInfo')).processInfo;
  const own = await pageProcess(page, await ids());
  let sampling: { stop: boolean; most: number; first: number; done: Promise<void> } | undefined;
  const all = async (): Promise<number> => {
    const each = await Promise.all((await ids()).map(({ id }) => residentOf(id).catch(() => 0)));
    return each.reduce((sum, bytes) => sum + bytes, 0);
  };
  return {
    page,
    async resident() {
      for (let round = 0; round < 2; round += 1) {
        await session.send('HeapProfiler.collectGarbage');
        await wait(SETTLE_MS / 2);
      }
      return await residentOf(own);
    },
    async watch() {
      // Source: proc(5): 5 resets the peak of resident memory.
      await writeFile(`/proc/${own}/clear_refs`, '5');
      const first = await all();
      const state = { stop: false, most: first, first, done: Promise.resolve() };
      state.done = (async () => {
        while (!state.stop) {
          state.most = Math.max(state.most, await all());
          await wait(SAMPLE_MS);
        }
      })();
      sampling = state;
    },
    async watched() {
      const { first, most } = sampling!;
      sampling!.stop = true;
      await sampling!.done;
      const peakOfAll = Math.max(most, sampling!.most) - first;
      return { peak: await statusOf(own, 'VmHWM'), peakOfAll };
    },
    close,
  };
}

const MARK_BYTES = 64 * 2 ** 20;

/** The renderer that grows when the page fills an array: a browser keeps spare ones. */
async function pageProcess(
  page: TestPage['page'],
  all: readonly { readonly type: string; readonly id: number }[],
): Promise<number> {
  const renderers = all.filter(({ type }) => type === 'renderer').map(({ id }) => id);
  const before = await Promise.all(renderers.map(residentOf));
  await page.evaluate((bytes) => {
    Object.assign(globalThis, { mark: new Uint8Array(bytes).fill(1) });
  }, MARK_BYTES);
  const grown = await Promise.all(renderers.map(residentOf));
  await page.evaluate(() => Object.assign(globalThis, { mark: undefined }));
  const own = renderers.find((_, at) => grown[at]! - before[at]! > MARK_BYTES / 2);
  if (own === undefined) throw new Error('No renderer process grew with the page.');
  return own;
}

const residentOf = (id: number): Promise<number> => statusOf(id, 'VmRSS');

async function statusOf(id: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${id}/status`, 'utf8');
  const kilobytes = new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${id}/status has no ${field}.`);
  return Number(kilobytes) * 1024;
}
