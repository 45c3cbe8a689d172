// Owns measuring what a language model gives a user: tokens a second of decoding and of prompt, beside transformers.js
// and wllama on the same weights in the same Chromium, turn by turn; and in Node the second turn of a conversation.
// Memory is decode-memory's.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import type { ScriptCommand } from '../cli.ts';
import { DEFAULT_DECODER, openDecoder, WORK } from '../decoders.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { openTestPage } from '../testing/chromium.ts';
import type { DecodePage, PageTask } from './pages/decode-page.ts';

declare global {
  var nearfieldDecode: DecodePage;
}

interface Options {
  readonly rounds: string;
  readonly steps: string;
  readonly promptTokens: string;
  readonly threads?: string;
  readonly only?: string;
  readonly json?: boolean;
}

interface Contender {
  readonly name: string;
  readonly ours: boolean;
  readonly task: PageTask;
  /** Bytes of weights a step reads. */
  readonly bytes: number;
}

const FOUR_BIT = `${DEFAULT_DECODER}-int4`;
const SWEEP_BYTES = 134 * 2 ** 20;
const PASSAGE =
  'The harbour was quiet before dawn, and the boats lay close together as if they had been talking all night. An old ' +
  'man walked along the wall, counting them by habit: seven, eight, nine. He had done so for forty years, first for his ' +
  'father, then for himself, and now for no one in particular. ';

export const command: ScriptCommand = {
  summary: 'a language model: tokens a second beside transformers.js and wllama, second turns',
  configure(bench) {
    bench
      .option('--rounds <n>', 'turns each contender takes', '3')
      .option('--steps <n>', 'tokens decoded a turn', '24')
      .option('--prompt-tokens <n>', 'tokens of the prompt', '192')
      .option('--threads <list>', 'thread counts to measure, e.g. 1,2')
      .option('--only <pattern>', 'contenders whose name matches; conversation: second turns')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const counts = options.threads?.split(',').map(Number) ?? [...new Set([1, availableParallelism()])];
  const prompt = await promptOf(Number(options.promptTokens));
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  const notes: string[] = [];
  const only = new RegExp(options.only ?? '');
  for (const threads of counts) {
    const contenders = contendersOf(threads).filter(
      ({ name, task }) => task.kind === 'sweep' || only.test(name),
    );
    if (contenders.length > 1) await compare(contenders, threads, prompt, options, cases, ratios, notes);
  }
  if (only.test('conversation')) await converse(cases, ratios);
  printBench({ name: 'decode', cases, ratios, notes }, options.json ?? false);
}

function contendersOf(threads: number): readonly Contender[] {
  const model = (id: string) => `/.nearfield/models/${id}`;
  const has = (path: string) => existsSync(join(WORK, 'models', path));
  const ours = (id: string, bytes: number): Contender => ({
    name: `kernel ${id === FOUR_BIT ? '4-bit' : 'int8'}`,
    ours: true,
    task: { kind: 'ours', folder: model(id), threads, context: 1024 },
    bytes,
  });
  const peer = (dtype: 'fp32' | 'q8' | 'q4', bytes: number): Contender => ({
    name: `transformers.js ${dtype}`,
    ours: false,
    task: { kind: 'transformers', folder: model(''), id: `${DEFAULT_DECODER}-onnx`, dtype, threads },
    bytes,
  });
  const onnx = `${DEFAULT_DECODER}-onnx/onnx`;
  const gguf = `${DEFAULT_DECODER}-gguf/model-q8_0.gguf`;
  return [
    { name: 'memory sweep', ours: false, task: { kind: 'sweep', bytes: SWEEP_BYTES }, bytes: SWEEP_BYTES },
    ...(has(DEFAULT_DECODER) ? [ours(DEFAULT_DECODER, 143.7e6)] : []),
    ...(has(FOUR_BIT) ? [ours(FOUR_BIT, 97.9e6)] : []),
    ...(has(`${onnx}/model.onnx`) ? [peer('fp32', 538e6)] : []),
    ...(has(`${onnx}/model_quantized.onnx`) ? [peer('q8', 134.5e6)] : []),
    ...(has(`${onnx}/model_q4.onnx`) ? [peer('q4', 84e6)] : []),
    ...(has(gguf)
      ? [
          {
            name: 'wllama Q8_0',
            ours: false,
            task: { kind: 'wllama', url: `/.nearfield/models/${gguf}`, threads },
            bytes: 142.9e6,
          } satisfies Contender,
        ]
      : []),
  ];
}

interface Prompt {
  readonly ids: readonly number[];
  readonly text: string;
}

async function promptOf(tokens: number): Promise<Prompt> {
  const folder = join(WORK, 'models', DEFAULT_DECODER);
  const read = async (name: string): Promise<object> =>
    JSON.parse(await readFile(join(folder, name), 'utf8'));
  const tokenizer = new Tokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'));
  const ids = tokenizer.encode(PASSAGE.repeat(Math.ceil(tokens / 60))).ids.slice(0, tokens);
  return { ids, text: tokenizer.decode(ids) };
}

async function compare(
  contenders: readonly Contender[],
  threads: number,
  prompt: Prompt,
  options: Options,
  cases: BenchCase[],
  ratios: Record<string, number>,
  notes: string[],
): Promise<void> {
  const label = `${threads} thread${threads > 1 ? 's' : ''}`;
  const { page, close } = await openTestPage({ isolated: true });
  const decode = new Map<string, number[]>();
  const prefill = new Map<string, number[]>();
  try {
    await page.addScriptTag({ type: 'module', url: '/scripts/bench/pages/decode-page.ts' });
    await page.waitForFunction(() => 'nearfieldDecode' in globalThis);
    const opened: Contender[] = [];
    for (const { name, task, ...rest } of contenders) {
      const said = await page.evaluate(({ name, task }) => globalThis.nearfieldDecode.open(name, task), {
        name,
        task,
      });
      if (said === 'opened') opened.push({ name, task, ...rest });
      else notes.push(`${name}, ${label}: ${said.slice(0, 200)}`);
    }
    for (let round = 0; round < Number(options.rounds); round += 1) {
      for (const { name } of opened) {
        const steps = Number(options.steps);
        const timing = await page.evaluate(
          ({ name, prompt, steps }) => globalThis.nearfieldDecode.run(name, prompt.ids, prompt.text, steps),
          { name, prompt, steps },
        );
        decode.set(name, [...(decode.get(name) ?? []), ...timing.stepMs]);
        prefill.set(name, [...(prefill.get(name) ?? []), timing.prefillMs]);
      }
    }
    report(opened, label, prompt.ids.length, decode, prefill, cases, ratios, notes);
  } finally {
    await close();
  }
}

function report(
  opened: readonly Contender[],
  label: string,
  promptTokens: number,
  decode: ReadonlyMap<string, readonly number[]>,
  prefill: ReadonlyMap<string, readonly number[]>,
  cases: BenchCase[],
  ratios: Record<string, number>,
  notes: string[],
): void {
  for (const { name, task } of opened) {
    if (task.kind === 'sweep') continue;
    const perSecond = (ms: readonly number[], tokens: number) => ms.map((each) => (tokens * 1000) / each);
    cases.push({
      case: `${name}, ${label}, decode`,
      unit: 'tokens/s',
      samples: perSecond(decode.get(name)!, 1),
    });
    cases.push({
      case: `${name}, ${label}, prompt of ${promptTokens}`,
      unit: 'tokens/s',
      samples: perSecond(prefill.get(name)!, promptTokens),
    });
  }
  const ours = opened.filter((each) => each.ours);
  const best = (from: ReadonlyMap<string, readonly number[]>, prefix: string) =>
    opened
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name }) => ({ name, ms: median(from.get(name)!) }))
      .sort((a, b) => a.ms - b.ms)[0];
  for (const { name } of ours) {
    for (const [what, from] of [
      ['decode', decode],
      ['prompt', prefill],
    ] as const) {
      for (const prefix of ['transformers.js', 'wllama']) {
        const peer = best(from, prefix);
        if (peer === undefined) continue;
        ratios[`${name} over ${peer.name}, ${label}, ${what}`] = peer.ms / median(from.get(name)!);
      }
    }
  }
  const sweepMs = decode.get('memory sweep');
  if (sweepMs === undefined) return;
  const bandwidth = SWEEP_BYTES / 1e6 / median(sweepMs);
  notes.push(
    `${label}: one thread reads ${bandwidth.toFixed(1)} GB/s in a plain sweep of ${SWEEP_BYTES / 2 ** 20} MiB.`,
  );
  for (const { name, bytes, task } of opened) {
    if (task.kind === 'sweep') continue;
    const bound = bytes / 1e6 / bandwidth;
    const share = bound / median(decode.get(name)!);
    notes.push(
      `${label}, ${name}: ${(bytes / 1e6).toFixed(0)} MB a token bound it to ${(1000 / bound).toFixed(0)} tokens/s; ` +
        `it reaches ${(share * 100).toFixed(0)} %.`,
    );
  }
}

/** Node: time to the first token of a first and a second turn. */
async function converse(cases: BenchCase[], ratios: Record<string, number>): Promise<void> {
  const { ids } = await promptOf(520);
  const model = existsSync(join(WORK, 'models', FOUR_BIT)) ? FOUR_BIT : undefined;
  const { decoder } = await openDecoder(model, { context: 1024 });
  const first: number[] = [];
  const second: number[] = [];
  for (let conversation = 0; conversation < 3; conversation += 1) {
    const sequence = decoder.open();
    const timed = async (tokens: readonly number[]): Promise<number> => {
      const from = performance.now();
      await decoder.forward([{ sequence, tokens, logits: 'last' }]);
      return performance.now() - from;
    };
    first.push(await timed(ids.slice(0, 500)));
    second.push(await timed(ids.slice(500, 520)));
    sequence.close();
  }
  await decoder.dispose();
  cases.push({ case: 'Node, first turn of 500 tokens, 1 thread', unit: 'ms to first token', samples: first });
  cases.push({ case: 'Node, second turn, 20 tokens more', unit: 'ms to first token', samples: second });
  ratios['first turn over second turn'] = median(first) / median(second);
}
