// Owns how measurements are printed: a table for people, one JSON object on the last line with --json.
// Refuses to invent: every figure comes from samples handed in.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

/** One measured case. `samples` in `unit`, at least one. */
export interface BenchCase {
  readonly case: string;
  readonly unit: string;
  readonly samples: readonly number[];
}

export interface BenchReport {
  readonly name: string;
  readonly cases: readonly BenchCase[];
  /** "ours over peer", bigger is better, keyed by what is compared. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Lines printed under the table: what bounds it, what was left out and why. */
  readonly notes?: readonly string[];
}

export interface EvalReport {
  readonly name: string;
  readonly model: string;
  readonly n: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** 95 % bootstrap interval a metric. */
  readonly ci95: Readonly<Record<string, readonly [number, number]>>;
  readonly notes?: readonly string[];
}

/** Nearest-rank quantile, 0…1, of unsorted samples. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1));
  const value = sorted[at];
  if (value === undefined) throw new RangeError('quantile: expected at least one sample, got none.');
  return value;
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

export function machine(): string {
  const all = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}, ${gigabytes} GiB, Node ${process.version}`;
}

export function commit(): string {
  try {
    const hash = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const dirty = execFileSync('git', ['status', '--porcelain'], { encoding: 'utf8' }).trim() !== '';
    return dirty ? `${hash}+changes` : hash;
  } catch {
    return 'unknown';
  }
}

export function printBench(report: BenchReport, json: boolean): void {
  const rows = report.cases.map((entry) => ({
    case: entry.case,
    unit: entry.unit,
    median: round(median(entry.samples)),
    p95: round(quantile(entry.samples, 0.95)),
    p99: round(quantile(entry.samples, 0.99)),
  }));
  console.log(`${report.name}  ${machine()}  commit ${commit()}`);
  console.log(
    table(rows.map((row) => ({ ...row, n: report.cases[rows.indexOf(row)]?.samples.length ?? 0 }))),
  );
  const ratios = Object.fromEntries(Object.entries(report.ratios).map(([key, value]) => [key, round(value)]));
  for (const [key, value] of Object.entries(ratios)) console.log(`  ${key}: ${value}x`);
  for (const note of report.notes ?? []) console.log(`  ${note}`);
  if (json)
    console.log(JSON.stringify({ name: report.name, commit: commit(), machine: machine(), rows, ratios }));
}

export function printEval(report: EvalReport, json: boolean): void {
  const metrics = Object.fromEntries(
    Object.entries(report.metrics).map(([key, value]) => [key, round(value)]),
  );
  const ci95 = Object.fromEntries(
    Object.entries(report.ci95).map(([key, [low, high]]) => [key, [round(low), round(high)]]),
  );
  console.log(`${report.name}  model ${report.model}  n ${report.n}`);
  console.log(
    table(
      Object.entries(metrics).map(([metric, value]) => ({
        metric,
        value,
        ci95: ci95[metric]?.join(' … ') ?? '',
      })),
    ),
  );
  for (const note of report.notes ?? []) console.log(`  ${note}`);
  if (json) {
    console.log(JSON.stringify({ name: report.name, model: report.model, n: report.n, metrics, ci95 }));
  }
}

/** 95 % percentile bootstrap over row indices, seeded (mulberry32) so a rerun prints the same. */
export function bootstrap(
  n: number,
  statistic: (rows: Int32Array) => number,
  rounds = 1000,
  seed = 1,
): readonly [number, number] {
  const next = mulberry32(seed);
  const rows = new Int32Array(n);
  const values = Array.from({ length: rounds }, () => {
    for (let i = 0; i < n; i += 1) rows[i] = Math.floor(next() * n);
    return statistic(rows);
  });
  return [quantile(values, 0.025), quantile(values, 0.975)];
}

/** Source: Tommy Ettinger, public domain; a small generator for reproducible sampling, not for privacy. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function table(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '')));
  const widths = columns.map((column, at) => Math.max(column.length, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[]) =>
    `  ${row.map((cell, at) => (typeof rows[0]?.[columns[at]!] === 'number' ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join('  ')}`;
  return [line(columns), `  ${widths.map((width) => '-'.repeat(width)).join('  ')}`, ...cells.map(line)].join(
    '\n',
  );
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
