// Owns attack 10 in the page: every door tried from the page's own context, and from a page without the policy,
// which shows that the door is one and that the sink would have seen it.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright-core';
import type { Canary } from './canaries.ts';
import { DOORS, type Door, EXITS, NO_PAGE_CAN_SHUT, type Target } from './doors.ts';
import type { Ledger } from './report.ts';
import type { Packet, Sink } from './sink.ts';

const ATTACK = '10 doors of the page';
/** No door that opens takes longer than this to be heard of after the one before. */
const SETTLE_MS = 2500;
const MOST_SETTLE_MS = 60_000;

export async function tryDoors(
  context: BrowserContext,
  page: Page,
  pageUrl: string,
  sink: Sink,
  ledger: Ledger,
  canary: Canary,
): Promise<void> {
  const control = await openControl(context);
  await openAll(control.page, 'control', sink, canary);
  const opened = await settledFor('control', sink);
  await control.close();

  await watchViolations(page);
  await openAll(page, 'page', sink, canary);
  await settledFor('page', sink);
  const refused = await page.evaluate(() =>
    (globalThis as unknown as { refused: string[] }).refused.join('\n'),
  );
  await exitAll(context, pageUrl, sink, canary);
  const spoken = reachedBy(sink.packets, 'page', () => true);
  const written = reachedBy(sink.packets, 'page', ({ kind }) => kind !== 'dns');

  const names = Object.keys({ ...DOORS, ...EXITS });
  for (const [at, name] of names.entries()) {
    const label = labelOf(at);
    const excused = NO_PAGE_CAN_SHUT[name];
    const got = spoken.has(label);
    const isOpen = got && (excused === 'all' || (excused === 'name' && !written.has(label)));
    if (isOpen) ledger.open(ATTACK, excused === 'name' ? `${name} (the host's name)` : name);
    else if (got) ledger.leak({ attack: ATTACK, attempt: name, where: 'the sink' });
    const layer = refused.includes(`${label}-page`) || name in EXITS ? 'csp' : 'browser';
    ledger.attempt(ATTACK, got ? undefined : layer, 0);
  }
  const shutAnyway = Object.keys(DOORS).filter((_name, at) => !opened.has(labelOf(at)));
  ledger.note(
    `doors: ${Object.keys(DOORS).length - shutAnyway.length} of ${Object.keys(DOORS).length} open without the page's policy`,
  );
  if (shutAnyway.length > 0)
    ledger.note(`doors shut in this browser with no policy at all: ${shutAnyway.join(', ')}`);
}

const labelOf = (at: number): string => `d${at}x`;

function targetOf(at: number, from: 'control' | 'page', sink: Sink, { value }: Canary): Target {
  // The value goes in the name as well: a name looked up is a message sent.
  const host = `${value.replace(/[^a-z0-9]/gi, '')}.${labelOf(at)}-${from}.sink.test`.toLowerCase();
  const path = `${host}:${sink.port}/${from}?v=${encodeURIComponent(value)}`;
  return { url: `http://${path}`, secure: `https://${path}`, socket: `ws://${path}`, host, port: sink.port };
}

async function openAll(page: Page, from: 'control' | 'page', sink: Sink, canary: Canary): Promise<void> {
  for (const [at, door] of Object.values(DOORS).entries()) {
    await open(page, door, targetOf(at, from, sink, canary));
  }
}

/** What the door says is of no interest: the sink is asked. */
async function open(page: Page, door: Door, target: Target): Promise<void> {
  const run = `(() => { try { Promise.resolve((${String(door)})(${JSON.stringify(target)})).catch(() => {}); } catch {} })()`;
  await page.evaluate(run).catch(() => {});
}

async function exitAll(context: BrowserContext, pageUrl: string, sink: Sink, canary: Canary): Promise<void> {
  const first = Object.keys(DOORS).length;
  for (const [at, exit] of Object.values(EXITS).entries()) {
    const page = await context.newPage();
    await page.goto(`${pageUrl}/`, { waitUntil: 'domcontentloaded' });
    await open(page, exit, targetOf(first + at, 'page', sink, canary));
    await sleep(600);
    await page.close();
  }
}

/** The doors heard of once no more come, however slow the machine. */
async function settledFor(from: 'control' | 'page', sink: Sink): Promise<ReadonlySet<string>> {
  const until = performance.now() + MOST_SETTLE_MS;
  let heard: ReadonlySet<string> = new Set();
  for (;;) {
    await sleep(SETTLE_MS);
    const now = reachedBy(sink.packets, from, () => true);
    if (now.size === heard.size || performance.now() > until) return now;
    heard = now;
  }
}

/** Labels of the doors that any such packet speaks of. */
function reachedBy(
  packets: readonly Packet[],
  from: 'control' | 'page',
  counts: (packet: Packet) => boolean,
): ReadonlySet<string> {
  const texts = packets
    .filter(counts)
    .map(({ name, chunks }) => `${name}\n${Buffer.concat(chunks).toString('latin1')}`);
  const label = new RegExp(`\\b(d\\d+x)-${from}\\.sink\\.test`, 'gi');
  return new Set(Array.from(texts.join('\n').matchAll(label), ([, found]) => found!));
}

async function watchViolations(page: Page): Promise<void> {
  await page.evaluate(() => {
    const refused: string[] = [];
    (globalThis as unknown as { refused: string[] }).refused = refused;
    addEventListener('securitypolicyviolation', ({ blockedURI }) => refused.push(blockedURI));
  });
}

async function openControl(context: BrowserContext): Promise<{ page: Page; close(): Promise<void> }> {
  const server = createServer((_message, response) => {
    response
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><title>No policy</title><body>.</body>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    page,
    async close() {
      await page.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
