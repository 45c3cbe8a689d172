// Owns the real browser of the battery: a fresh profile whose every name is looked up at the sink, its own
// network log written from its first packet on, and the page driven as a person would.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { chromiumArgs, findChromium } from '../../testing/chromium.ts';
import { type NetLog, readNetLog } from './netlog.ts';
import type { Sink } from './sink.ts';

export interface ProvenBrowser {
  readonly context: BrowserContext;
  /** What the pages wrote to their consoles, and threw. */
  readonly console: readonly string[];
  /** Ends the browser and reads what it did. */
  close(): Promise<NetLog>;
}

// These would shut doors that are shut by nobody else: background requests off turns preconnect off too.
const TOO_QUIET = new Set(['--disable-background-networking', '--disable-quic']);

export async function openProvenBrowser(sink: Sink): Promise<ProvenBrowser> {
  const folder = await mkdtemp(join(tmpdir(), 'nearfield-browser-'));
  const profile = join(folder, 'profile');
  const netLog = join(folder, 'net-log.json');
  await mkdir(profile);
  // Names are asked of the sink and of nobody else; an incognito window would not preconnect at all.
  const dns = { dns_over_https: { mode: 'secure', templates: sink.dnsUrl } };
  await writeFile(join(profile, 'Local State'), JSON.stringify(dns));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(),
    ignoreDefaultArgs: [...TOO_QUIET],
    locale: 'en-GB',
    viewport: { width: 1280, height: 900 },
    args: [
      ...chromiumArgs().filter((flag) => !TOO_QUIET.has(flag)),
      '--ignore-certificate-errors',
      `--log-net-log=${netLog}`,
      '--net-log-capture-mode=Everything',
    ],
  });
  const lines: string[] = [];
  context.on('console', (message) => lines.push(message.text()));
  context.on('weberror', (error) => lines.push(String(error.error().stack)));
  return {
    context,
    console: lines,
    async close() {
      await context.close();
      const log = await readNetLog(netLog);
      await rm(folder, { recursive: true, force: true });
      return log;
    },
  };
}

const SLOW = { timeout: 120_000 };

/** `ownClock`: the page's time is Playwright's to move. */
export async function openDemo(context: BrowserContext, url: string, ownClock = false): Promise<Page> {
  const page = await context.newPage();
  if (ownClock) await page.clock.install();
  await page.goto(`${url}/`);
  await page.waitForSelector('.status[data-phase="ready"]', SLOW);
  return page;
}

export async function reach(page: Page, kind: 'device' | 'edge' | 'cloud'): Promise<void> {
  await page.locator(`label[data-kind="${kind}"]`).first().click();
}

/** Asks and waits for the end, however it ends; the newest turn's text. */
export async function ask(page: Page, question: string): Promise<string> {
  const turns = page.locator('.turn');
  const before = await turns.count();
  const box = page.getByLabel('Your question');
  await box.fill(question);
  await box.press('Enter');
  const turn = turns.nth(before);
  await turn.and(page.locator('[aria-busy="false"]')).waitFor(SLOW);
  return (await turn.locator('.answer').textContent()) ?? '';
}

export async function clearConversation(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Clear the conversation' });
  if ((await button.count()) > 0) await button.click();
}
