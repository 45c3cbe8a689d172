// Owns measuring what a language model holds in memory: resident before, at the peak of loading, loaded, after ten
// conversations and after unloading; in Node, and in Chromium from the network and from the page's store, beside
// transformers.js and wllama there. Resident memory is the operating system's count, of the page's process and of all
// the browser's together. Linux only.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CDPSession } from 'playwright-core';
import type { ScriptCommand } from '../cli.ts';
import { DEFAULT_DECODER, WORK } from '../decoders.ts';
import { type BenchCase, printBench } from '../report.ts';
import { openTestPage, type TestPage } from '../testing/chromium.ts';
import type { MemoryPage } from './pages/decode-memory-page.ts';
import type { PageTask } from './pages/decode-page.ts';

declare global {
  var nearfieldMemory: MemoryPage;
}

interface Options {
  readonly threads: string;
  readonly context: string;
  readonly only?: string;
  readonly json?: boolean;
}

/** Bytes at each step; what a place can not tell is absent. */
interface Held {
  readonly start: number;
  readonly peak: number;
  /** All processes of the browser together, from start to peak. */
  readonly peakOfAll?: number;
  readonly loaded: number;
  readonly used?: number;
  readonly unloaded: number;
  readonly linear?: number;
  readonly loadMs: number;
}

const MODELS: readonly string[] = [DEFAULT_DECODER, `${DEFAULT_DECODER}-int4`];
const MEGA = 1e6;
const QUESTIONS: readonly string[] = Array.from(
  { length: 10 },
  (_, at) =>
    `Question ${at + 1}: what is the colour of ${['the sky', 'grass', 'snow', 'coal', 'rust'][at % 5]}?`,
);

export const command: ScriptCommand = {
  summary: 'a language model: memory at the peak of loading, loaded, used, unloaded; Node and Chromium',
  configure(bench) {
    bench
      .option('--threads <n>', 'threads of the kernel', '1')
      .option('--context <n>', 'tokens a conversation may hold', '2048')
      .option('--only <pattern>', 'cases whose name matches, e.g. "Node" or "Chromium.*int4"')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const only = new RegExp(options.only ?? '');
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  const notes: string[] = [];
  const report = (name: string, bytes: number, held: Held): void => {
    const over = held.peak - held.start;
    const steps: readonly (readonly [string, number | undefined])[] = [
      ['start', held.start],
      ['peak of loading', held.peak],
      ['loaded', held.loaded],
      ['after 10 conversations', held.used],
      ['unloaded', held.unloaded],
    ];
    for (const [step, value] of steps) {
      if (value !== undefined)
        cases.push({ case: `${name}, ${step}`, unit: 'MB resident', samples: [value / MEGA] });
    }
    cases.push({ case: `${name}, peak of loading over start`, unit: 'x the model', samples: [over / bytes] });
    if (held.peakOfAll !== undefined) {
      const of = [held.peakOfAll / bytes];
      cases.push({ case: `${name}, the same of all processes`, unit: 'x the model', samples: of });
    }
    cases.push({
      case: `${name}, unloaded over start`,
      unit: 'x',
      samples: [held.unloaded / held.start],
    });
    cases.push({ case: `${name}, to load`, unit: 'ms', samples: [held.loadMs] });
    if (held.linear !== undefined) {
      notes.push(`${name}: the decoder's linear memory after them ${(held.linear / MEGA).toFixed(1)} MB.`);
    }
    ratios[`${name}: model over peak`] = bytes / over;
  };
  for (const model of MODELS) {
    const bytes = await weightBytes(model);
    if (bytes === undefined) {
      notes.push(`${model} is not built: npm run models -- build ${model}`);
      continue;
    }
    if (only.test(`Node, ${model}`)) report(`Node, ${model}`, bytes, await inNode(model, options));
    if (!only.test(`Chromium, ${model}`)) continue;
    const { network, store } = await inChromium(model, options);
    report(`Chromium, ${model}, from the network`, bytes, network);
    report(`Chromium, ${model}, from the store`, bytes, store);
  }
  for (const { name, bytes, task } of peers(Number(options.threads))) {
    if (only.test(name)) report(name, bytes, await peerInChromium(task));
  }
  printBench({ name: 'decode-memory', cases, ratios, notes }, options.json ?? false);
}

async function weightBytes(model: string): Promise<number | undefined> {
  const path = join(WORK, 'models', model, 'manifest.json');
  if (!existsSync(path)) return undefined;
  const { files } = JSON.parse(await readFile(path, 'utf8')) as {
    readonly files: readonly { readonly role: string; readonly bytes: number }[];
  };
  return files.find(({ role }) => role === 'weights')?.bytes;
}

async function inNode(model: string, { threads, context }: Options): Promise<Held> {
  const script = fileURLToPath(new URL('./workers/decode-memory-node.ts', import.meta.url));
  const folder = join(WORK, 'models', model);
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--expose-gc', '--conditions=nearfield-source', script],
    ...[folder, threads, context, JSON.stringify(QUESTIONS)],
  ]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Held;
}

async function inChromium(
  model: string,
  { threads, context }: Options,
): Promise<{ readonly network: Held; readonly store: Held }> {
  const browser = await openBrowser('/scripts/bench/pages/decode-memory-page.ts', 'nearfieldMemory');
  const { page } = browser;
  const manifest = new URL(`/.nearfield/models/${model}/manifest.json`, page.url()).href;
  const once = async (): Promise<Held> => {
    const start = await browser.resident();
    await browser.watch();
    const loadMs = await page.evaluate(
      ([manifest, threads, context]) => globalThis.nearfieldMemory.load(manifest, threads, context),
      [manifest, Number(threads), Number(context)] as const,
    );
    const { peak, peakOfAll } = await browser.watched();
    const loaded = await browser.resident();
    for (const question of QUESTIONS) {
      await page.evaluate((text) => globalThis.nearfieldMemory.ask(text), question);
    }
    const linear = await page.evaluate(() => globalThis.nearfieldMemory.linear());
    const used = await browser.resident();
    await page.evaluate(() => globalThis.nearfieldMemory.unload());
    const unloaded = await browser.resident();
    return { start, peak, peakOfAll, loaded, used, unloaded, linear, loadMs };
  };
  try {
    return { network: await once(), store: await once() };
  } finally {
    await browser.close();
  }
}

interface Peer {
  readonly name: string;
  readonly bytes: number;
  readonly task: PageTask;
}

function peers(threads: number): readonly Peer[] {
  const model = (id: string) => `/.nearfield/models/${id}`;
  const has = (path: string) => existsSync(join(WORK, 'models', path));
  const onnx = `${DEFAULT_DECODER}-onnx`;
  const gguf = `${DEFAULT_DECODER}-gguf/model-q8_0.gguf`;
  const all: readonly (Peer & { readonly file: string })[] = [
    {
      name: 'Chromium, transformers.js q8',
      bytes: 134.5e6,
      task: { kind: 'transformers', folder: model(''), id: onnx, dtype: 'q8', threads },
      file: `${onnx}/onnx/model_quantized.onnx`,
    },
    {
      name: 'Chromium, wllama Q8_0',
      bytes: 144.8e6,
      task: { kind: 'wllama', url: model(gguf), threads },
      file: gguf,
    },
  ];
  return all.filter(({ file }) => has(file));
}

async function peerInChromium(task: PageTask): Promise<Held> {
  const browser = await openBrowser('/scripts/bench/pages/decode-page.ts', 'nearfieldDecode');
  try {
    const start = await browser.resident();
    await browser.watch();
    const began = performance.now();
    const said = await browser.page.evaluate(
      (task) => globalThis.nearfieldDecode.open('peer', task),
      task as never,
    );
    if (said !== 'opened') throw new Error(`The peer did not open: ${said}`);
    const loadMs = performance.now() - began;
    const { peak, peakOfAll } = await browser.watched();
    const loaded = await browser.resident();
    await browser.page.evaluate(() => globalThis.nearfieldDecode.close('peer'));
    return { start, peak, peakOfAll, loaded, unloaded: await browser.resident(), loadMs };
  } finally {
    await browser.close();
  }
}

interface WatchedBrowser {
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

async function openBrowser(script: string, ready: string): Promise<WatchedBrowser> {
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
