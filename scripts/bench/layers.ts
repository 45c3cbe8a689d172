// Owns measuring matrix products alone: twelve layers of 384 x 1536 and back, ours beside ONNX Runtime and
// XNNPACK, turn by turn in one process, one thread each.
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { LAYERS, type LayerContender, openOrt, openOurs, openPeaks, openXnnpack } from './peers/layers.ts';

const ROWS = [1, 2, 16, 64];

export const command: ScriptCommand = {
  summary:
    'matrix products: our kernel beside ONNX Runtime and XNNPACK at 1, 2, 16 and 64 rows, and the bound',
  configure(bench) {
    bench
      .option('--rounds <n>', 'turns each contender takes', '15')
      .action(async (options: { rounds: string; json?: boolean }) => {
        const contenders = [...(await openOurs()), ...(await openOrt()), await openXnnpack()];
        const cases = await measure(contenders, Number(options.rounds));
        const peaks = await measurePeaks(Number(options.rounds));
        printBench(
          {
            name: 'layers',
            cases: [...cases, ...peaks],
            ratios: ratiosOf(contenders, cases),
            notes: notesOf(contenders, cases),
          },
          options.json === true,
        );
        process.exit(0);
      });
  },
};

/** CPU milliseconds a pass: what else the machine does then counts less. Long enough to be measured. */
async function timePass(contender: LayerContender, rows: number): Promise<number> {
  const passes = rows < 16 ? 6 : 2;
  const start = process.cpuUsage();
  for (let pass = 0; pass < passes; pass += 1) await contender.run(rows);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000 / passes;
}

async function measure(contenders: readonly LayerContender[], rounds: number): Promise<BenchCase[]> {
  const samples = new Map<string, number[]>();
  // The first rounds let every engine's compiler finish.
  for (let round = -3; round < rounds; round += 1) {
    for (const rows of ROWS) {
      for (const contender of contenders) {
        const ms = await timePass(contender, rows);
        const key = `${contender.name}, ${rows} rows`;
        if (round >= 0) samples.set(key, [...(samples.get(key) ?? []), ms]);
      }
    }
  }
  return [...samples].map(([name, values]) => ({ case: name, unit: 'CPU ms', samples: values }));
}

async function measurePeaks(rounds: number): Promise<BenchCase[]> {
  const peaks = await openPeaks();
  const samples = new Map<string, number[]>();
  for (let round = -3; round < rounds; round += 1) {
    for (const [name, run] of peaks) {
      const rate = run();
      if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), rate]);
    }
  }
  return [...samples].map(([name, values]) => ({
    case: `registers alone, ${name}`,
    unit: 'G multiply-adds/s',
    samples: values,
  }));
}

const medianOf = (cases: readonly BenchCase[], name: string, rows: number): number =>
  median(cases.find((entry) => entry.case === `${name}, ${rows} rows`)?.samples ?? [Number.NaN]);

/** Our fastest over each peer, and over the best of all peers in WASM. */
function ratiosOf(
  contenders: readonly LayerContender[],
  cases: readonly BenchCase[],
): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const rows of ROWS) {
    const ours = Math.min(
      ...contenders.filter(({ ours }) => ours).map(({ name }) => medianOf(cases, name, rows)),
    );
    for (const { name, ours: own } of contenders) {
      if (!own) ratios[`kernel over ${name}, ${rows} rows`] = medianOf(cases, name, rows) / ours;
    }
  }
  return ratios;
}

function notesOf(contenders: readonly LayerContender[], cases: readonly BenchCase[]): string[] {
  const work = LAYERS.reduce((sum, { k, n }) => sum + k * n, 0);
  const rates = contenders.map(({ name }) => {
    const each = ROWS.map((rows) => ((work * rows) / medianOf(cases, name, rows) / 1e6).toFixed(1));
    return `  ${name.padEnd(24)} ${each.map((rate) => rate.padStart(7)).join('')}`;
  });
  return [`G multiply-adds a CPU second at ${ROWS.join(', ')} rows:`, ...rates];
}
