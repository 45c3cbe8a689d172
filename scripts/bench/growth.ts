// Owns measuring how the kernel's cost grows with tokens, rows and threads, in Node: all-minilm-l6-v2 with its
// 256 positions given twice, so that texts of 512 tokens can be timed.

import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openGolden } from '../../runtime/engine/kernel/golden-input.ts';
import { createKernelEncoder } from '../../runtime/engine/kernel/index.ts';
import { readInitializers } from '../../runtime/engine/kernel/onnx.ts';
import { writeOnnx } from '../../runtime/engine/kernel/random-model.ts';
import type { EncoderInput, EncoderSession } from '../../runtime/types.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench, quantile } from '../report.ts';
import { drawPlot, type Series } from './peers/plot.ts';

const TOKENS = [16, 32, 64, 128, 256, 512];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const ROW_TOKENS = 16;

interface Point {
  readonly rows: number;
  readonly tokens: number;
}

export const command: ScriptCommand = {
  summary: 'the kernel against tokens (16 to 512), rows (1 to 256) and threads (1, 2)',
  configure(bench) {
    bench
      .option('--rounds <n>', 'turns each point takes', '9')
      .option('--plot <file>', 'draw the fastest turns as SVG')
      .action(async (options: { rounds: string; plot?: string; json?: boolean }) => {
        const sessions = await openSessions();
        const cases = await measure(sessions, Number(options.rounds));
        for (const session of sessions.values()) await session.dispose();
        if (options.plot !== undefined) await writeFile(options.plot, plotOf(cases));
        printBench(
          {
            name: 'growth',
            cases,
            ratios: ratiosOf(cases),
            notes: [
              `Rows are of ${ROW_TOKENS} tokens. CPU time of the calling thread: what a call takes when nothing else runs.`,
            ],
          },
          options.json === true,
        );
      });
  },
};

async function openSessions(): Promise<ReadonlyMap<number, EncoderSession>> {
  const model = await openGolden();
  const manifest = { ...model.manifest, maxTokens: model.manifest.maxTokens * 2 };
  const weights = doublePositions(model.weights);
  const counts = availableParallelism() > 1 ? [1, 2] : [1];
  const opened = counts.map(
    async (threads) => [threads, await createKernelEncoder(weights, manifest, { threads })] as const,
  );
  return new Map(await Promise.all(opened));
}

function doublePositions(file: Uint8Array): Uint8Array {
  const tensors = [...readInitializers(file)].map(([name, tensor]) => {
    if (name !== 'embeddings.position') return { name, ...tensor };
    const bytes = new Uint8Array(tensor.bytes.length * 2);
    bytes.set(tensor.bytes);
    bytes.set(tensor.bytes, tensor.bytes.length);
    return { name, ...tensor, bytes };
  });
  return writeOnnx(tensors);
}

const points: readonly Point[] = [
  ...TOKENS.map((tokens) => ({ rows: 1, tokens })),
  ...ROWS.slice(1).map((rows) => ({ rows, tokens: ROW_TOKENS })),
];

const nameOf = ({ rows, tokens }: Point, threads: number): string =>
  `${rows} x ${tokens} tokens, ${threads} thread${threads > 1 ? 's' : ''}`;

function inputOf({ rows, tokens }: Point): EncoderInput {
  return {
    inputIds: Int32Array.from({ length: rows * tokens }, (_, at) => 1000 + ((at * 7919) % 20_000)),
    rowTokens: new Int32Array(rows).fill(tokens),
  };
}

async function measure(sessions: ReadonlyMap<number, EncoderSession>, rounds: number): Promise<BenchCase[]> {
  const samples = new Map<string, number[]>();
  for (let round = -1; round < rounds; round += 1) {
    for (const point of points) {
      const input = inputOf(point);
      for (const [threads, session] of sessions) {
        const start = process.threadCpuUsage();
        await session.run(input, 'pooled');
        const { user, system } = process.threadCpuUsage(start);
        const ms = (user + system) / 1000;
        const name = nameOf(point, threads);
        if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), ms]);
      }
    }
  }
  return [...samples].map(([name, values]) => ({ case: name, unit: 'CPU ms', samples: values }));
}

const samplesOf = (cases: readonly BenchCase[], point: Point, threads: number): readonly number[] =>
  cases.find((entry) => entry.case === nameOf(point, threads))?.samples ?? [];

function ratiosOf(cases: readonly BenchCase[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const point of [points[0]!, { rows: 1, tokens: 256 }, { rows: 64, tokens: 16 }]) {
    const two = samplesOf(cases, point, 2);
    if (two.length === 0) continue;
    const label = `two threads over one, ${point.rows} x ${point.tokens} tokens`;
    ratios[label] = median(samplesOf(cases, point, 1)) / median(two);
  }
  return ratios;
}

/** The fastest turn of each point: what the machine can do when nothing else runs on it. */
function plotOf(cases: readonly BenchCase[]): string {
  const series = (chosen: readonly Point[], x: (point: Point) => number): Series[] =>
    [1, 2].map((threads) => ({
      name: `${threads} thread${threads > 1 ? 's' : ''}`,
      points: chosen.flatMap((point) => {
        const found = samplesOf(cases, point, threads);
        return found.length === 0 ? [] : [{ x: x(point), y: quantile(found, 0) }];
      }),
    }));
  const byTokens = points.filter(({ rows }) => rows === 1);
  const byRows = [points[0]!, ...points.filter(({ rows }) => rows > 1)];
  return drawPlot(
    'all-minilm-l6-v2 on the kernel, Node: CPU milliseconds of the calling thread, fastest turn',
    [
      { title: 'one text, by its tokens', unit: 'tokens', series: series(byTokens, ({ tokens }) => tokens) },
      { title: 'texts of 16 tokens, by how many', unit: 'texts', series: series(byRows, ({ rows }) => rows) },
    ],
  );
}
