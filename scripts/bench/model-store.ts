// Owns measuring where a browser could keep a model: IndexedDB (ours), Cache API and OPFS with the same bytes;
// what a reload leaves of each, and what a full disk does to a write.
import type { CDPSession, Page } from 'playwright-core';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { openTestPage } from '../testing/chromium.ts';
import type { StorePage } from './pages/model-store-page.ts';

declare global {
  var nearfieldStores: StorePage;
}

const PLACES = ['indexeddb', 'cache-api', 'opfs'] as const;
type PlaceName = (typeof PLACES)[number];
/** The size of all-minilm-l6-v2's weights. */
const BYTES = 23_569_514;

export const command: ScriptCommand = {
  summary: 'keeping a 23.6 MB model in a browser: IndexedDB, Cache API, OPFS; reload and quota',
  configure(bench) {
    bench
      .option('--rounds <n>', 'writes and reads a place', '7')
      .action(async (options: { rounds: string; json?: boolean }) => {
        await run(Number(options.rounds), options.json === true);
      });
  },
};

async function run(rounds: number, json: boolean): Promise<void> {
  const target = await openTestPage();
  const samples = new Map<string, number[]>();
  const add = (name: string, ms: number) => samples.set(name, [...(samples.get(name) ?? []), ms]);
  try {
    await load(target.page);
    for (let round = -1; round < rounds; round += 1) {
      for (const place of PLACES) {
        const writeMs = await call(target.page, 'write', place, BYTES);
        const readMs = await call(target.page, 'read', place, BYTES);
        if (round < 0) continue;
        add(`write ${place}`, writeMs);
        add(`read ${place}`, readMs);
      }
    }
    const notes = [await afterReload(target.page), ...(await underQuota(target.page, target.url))];
    const cases: BenchCase[] = [...samples].map(([name, values]) => ({
      case: name,
      unit: 'ms',
      samples: values,
    }));
    const ratio = (what: string, peer: PlaceName) =>
      median(samples.get(`${what} ${peer}`)!) / median(samples.get(`${what} indexeddb`)!);
    const ratios = {
      'write: indexeddb over cache-api': ratio('write', 'cache-api'),
      'write: indexeddb over opfs': ratio('write', 'opfs'),
      'read: indexeddb over cache-api': ratio('read', 'cache-api'),
      'read: indexeddb over opfs': ratio('read', 'opfs'),
    };
    printBench({ name: 'model-store', cases, ratios, notes }, json);
  } finally {
    await target.close();
  }
}

async function load(page: Page): Promise<void> {
  await page.addScriptTag({ type: 'module', url: '/scripts/bench/pages/model-store-page.ts' });
  await page.waitForFunction(() => 'nearfieldStores' in globalThis);
}

function call(page: Page, name: keyof StorePage, place: PlaceName, bytes: number): Promise<number> {
  return page.evaluate(({ name, place, bytes }) => globalThis.nearfieldStores[name](place, bytes), {
    name,
    place,
    bytes,
  });
}

async function afterReload(page: Page): Promise<string> {
  await page.reload();
  await load(page);
  const left = await outcomes(PLACES, (place) => call(page, 'read', place, BYTES));
  return `After a reload: ${left}.`;
}

/** Less room than one more model takes; then what a write says and whether the old copy is whole. */
async function underQuota(page: Page, url: string): Promise<readonly string[]> {
  const session: CDPSession = await page.context().newCDPSession(page);
  const origin = new URL(url).origin;
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 10_000_000 });
  const writes = await outcomes(PLACES, (place) => call(page, 'write', place, BYTES * 2));
  const reads = await outcomes(PLACES, (place) => call(page, 'read', place, BYTES));
  return [`Writing past the quota: ${writes}.`, `The copy kept before, then: ${reads}.`];
}

async function outcomes(
  places: readonly PlaceName[],
  work: (place: PlaceName) => Promise<unknown>,
): Promise<string> {
  const said: string[] = [];
  for (const place of places) {
    const outcome = await work(place).then(
      () => 'whole',
      (error: unknown) =>
        /\w*Error(?=:)/.exec(String(error).replace(/^Error: page.evaluate: /, ''))?.[0] ?? 'failed',
    );
    said.push(`${place} ${outcome}`);
  }
  return said.join(', ');
}
