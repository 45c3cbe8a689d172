// Owns measuring what a language model holds in memory: resident before, at the peak of loading, loaded, after ten
// conversations and after unloading; in Node, and in Chromium from the network and from the page's store, beside
// transformers.js and wllama there. Resident memory is the operating system's count, of the page's process and of all
// the browser's together. Linux only.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ScriptCommand } from '../cli.ts';
import { DEFAULT_DECODER, WORK } from '../decoders.ts';
import { type BenchCase, printBench } from '../report.ts';
import { openWatchedBrowser } from '../testing/watched-browser.ts';
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
    if (only.test(`Node, ${model}`)) {
      const [first, again] = await inNode(model, options);
      report(`Node, ${model}, first`, bytes, first);
      report(`Node, ${model}, again`, bytes, again);
    }
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

async function inNode(
  model: string,
  { threads, context }: Options,
): Promise<readonly [first: Held, again: Held]> {
  const script = fileURLToPath(new URL('./workers/decode-memory-node.ts', import.meta.url));
  const folder = join(WORK, 'models', model);
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['--expose-gc', '--conditions=nearfield-source', script],
    ...[folder, threads, context, JSON.stringify(QUESTIONS)],
  ]);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as [Held, Held];
}

async function inChromium(
  model: string,
  { threads, context }: Options,
): Promise<{ readonly network: Held; readonly store: Held }> {
  const browser = await openWatchedBrowser('/scripts/bench/pages/decode-memory-page.ts', 'nearfieldMemory');
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
  const browser = await openWatchedBrowser('/scripts/bench/pages/decode-page.ts', 'nearfieldDecode');
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
