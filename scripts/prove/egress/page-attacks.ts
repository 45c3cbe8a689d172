// Owns the attacks on the built page in a real browser, and the search of all that left, was kept or was logged.
import { buildDemo } from '../../start/build-demo.ts';
import { openDemo, openProvenBrowser, type ProvenBrowser } from './browser.ts';
import type { CanarySource } from './canaries.ts';
import type { NetLog } from './netlog.ts';
import { tryDoors } from './page-doors.ts';
import { proveTelemetry } from './page-telemetry.ts';
import {
  type PageWorld,
  showBeacons,
  typeAtHome,
  typeDisguises,
  typePlaces,
  typeThroughRedirect,
} from './page-texts.ts';
import type { Ledger } from './report.ts';
import { createScanner, type Scanner } from './scan.ts';
import { BROWSERS_OWN, startSink } from './sink.ts';
import { type LogCapture, startProvenEdge, startTap } from './world.ts';

const PAGES = new URL('../../../dist/web-demo', import.meta.url).pathname;

export async function runPageAttacks(
  ledger: Ledger,
  source: CanarySource,
  logs: LogCapture,
  fast: boolean,
): Promise<void> {
  await buildDemo();
  const sink = await startSink();
  const edge = await startProvenEdge({ pages: PAGES });
  const tap = await startTap(edge.url);
  const browser = await openProvenBrowser(sink);
  try {
    await attackPage({ sink, edge, tap, browser }, ledger, source, logs, fast);
  } finally {
    await browser.context.close();
    await tap.stop();
    await edge.stop();
    await sink.stop();
  }
}

type Parts = Pick<PageWorld, 'sink' | 'edge' | 'tap'> & { readonly browser: ProvenBrowser };

async function attackPage(
  { sink, edge, tap, browser }: Parts,
  ledger: Ledger,
  source: CanarySource,
  logs: LogCapture,
  fast: boolean,
): Promise<void> {
  const page = await openDemo(browser.context, tap.url);
  const world: PageWorld = {
    page,
    edge,
    tap,
    sink,
    ledger,
    scanner: createScanner(),
    attackOf: new Map(),
  };
  await typeAtHome(world, source);
  await typeDisguises(world, source, fast);
  await typePlaces(world, source, fast);
  await showBeacons(world, fast);
  await typeThroughRedirect(world, source.one('email'));
  noPackets(ledger, sink.packets.length, '10 round the guard');
  if (!fast) await proveTelemetry(world, browser.context, source);
  const doorCanary = source.one('email');
  await tryDoors(browser.context, page, tap.url, sink, ledger, doorCanary);
  const netLog = await browser.close();

  const doors = createScanner();
  doors.add(doorCanary.value);
  checkNetLog(ledger, netLog);
  const places: readonly (readonly [string, Buffer, Scanner])[] = [
    ['what left the page', tap.received(), world.scanner],
    ["the browser's own network log", netLog.sent, world.scanner],
    ['the sink', sink.received(), world.scanner],
    ["the cloud's socket", edge.cloud.received(), world.scanner],
    ["the edge's database", await edge.stored('edge'), world.scanner],
    // What came redacted is kept redacted.
    ["the edge's cache", await edge.stored('cache'), world.scanner],
    ["the page's console", Buffer.from(browser.console.join('\n')), world.scanner],
    ['the log', logs.bytes(), world.scanner],
    ['what left the page', tap.received(), doors],
  ];
  for (const [where, bytes, scanner] of places) {
    ledger.looked('everything kept (page)', bytes.length);
    for (const hit of scanner.scan(bytes)) {
      const attempt = world.attackOf.get(hit.value) ?? 'doors of the page';
      ledger.leak({ attack: 'everything kept (page)', attempt, where: `${where} (${hit.form})` });
    }
  }
}

function noPackets(ledger: Ledger, packets: number, attack: string): void {
  if (packets > 0)
    ledger.leak({ attack, attempt: 'all before the doors', where: `the sink (${packets} packets)` });
}

/** Whoever is neither on loopback, nor the browser's own, nor a door whose verdict the sink gave. */
function checkNetLog(ledger: Ledger, { events, urls, lookups }: NetLog): void {
  const strange = [...urls, ...lookups].filter((text) => {
    const name = nameOf(text);
    return name !== undefined && name !== '127.0.0.1' && !BROWSERS_OWN.test(name) && !DOOR.test(name);
  });
  for (const text of strange) {
    const where = "the browser's own network log";
    ledger.leak({ attack: '9 render beacons', attempt: text.slice(0, 80), where });
  }
  ledger.note(`network log: ${events} events, ${urls.length} URLs, ${lookups.length} names looked up`);
}

const DOOR = /\.d\d+x-(?:page|control)\.sink\.test$/;

/** The name a URL or a lookup goes to; nothing for what needs no network. */
function nameOf(text: string): string | undefined {
  const url = /^[a-z-]+:\/\//.test(text) ? text : `dns://${text}`;
  if (!/^(?:https?|wss?|dns):/.test(url) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname;
}
