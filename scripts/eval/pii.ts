// Measures detection on labelled sets: character recall, whole-span recall, precision, F2 and
// over-redaction together, because any one of them alone can be bought with the others. Patterns, the tagger
// and both as the runtime puts them together.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { createNodeTagger } from 'nearfield/node';
import {
  combineDetectors,
  createPatternDetector,
  createTaggerDetector,
  type Detector,
} from 'nearfield/policy';
import { z } from 'zod';
import type { ScriptCommand } from '../cli.ts';
import { bootstrap, printEval, table } from '../report.ts';
import { type Judged, judge, metricsOf, type Row, type Tally } from './pii-score.ts';

const rowSchema = z.object({
  id: z.string(),
  lang: z.string(),
  text: z.string(),
  // Some sets hold labels without offsets; those cannot be scored and are counted as left out.
  spans: z.array(z.object({ start: z.int().optional(), end: z.int().optional(), label: z.string() })),
});

interface Options {
  readonly data: string;
  readonly json?: boolean;
  readonly dates: 'birth' | 'all';
  readonly types?: string;
  readonly matching?: string;
  readonly detectors: string;
  readonly model: string;
  readonly bias?: string;
}

/** What is measured, by name; the last asked for is the one the metrics are of. */
async function openDetectors(options: Options): Promise<readonly (readonly [string, Detector])[]> {
  const names = options.detectors.split(',');
  const { dates } = options;
  const patterns = createPatternDetector({ dates });
  const wantsTagger = names.some((name) => name !== 'patterns');
  const bias = options.bias === undefined ? undefined : Number(options.bias);
  const opened = wantsTagger ? await createNodeTagger({ model: options.model, bias }) : undefined;
  const tagger = opened === undefined ? [] : [createTaggerDetector({ tagger: opened, dates })];
  const known: Readonly<Record<string, readonly Detector[]>> = {
    patterns: [patterns],
    tagger,
    both: [patterns, ...tagger],
  };
  return names.map((name) => {
    const detectors = known[name];
    if (detectors === undefined) throw new Error(`No detector '${name}'; expected patterns, tagger or both.`);
    return [name, combineDetectors(detectors)];
  });
}

async function run(options: Options): Promise<void> {
  const { rows, unplaced } = readRows(options.data);
  const types = options.types === undefined ? undefined : new Set(options.types.split(','));
  const matching = options.matching === undefined ? undefined : new RegExp(options.matching, 'u');
  const compared: Record<string, string>[] = [];
  let judged: Judged[] = [];
  let name = '';
  for (const [each, detector] of await openDetectors(options)) {
    judged = [];
    name = each;
    for (const row of rows) judged.push(await judge(row, detector, { types, matching }));
    compared.push({ detectors: each, ...asPercents(metricsOf(judged.map((one) => one.all))) });
  }
  printBreakdown(judged);
  console.log(table(compared));
  const metrics = metricsOf(judged.map((one) => one.all));
  const notes = [
    `Found by ${name}. Counted over letters and digits; labels that name no identifier are left out.`,
    `Dates: ${options.dates}. ${unplaced} labels without offsets left out. Labels mapped by the table in scripts/eval/pii-score.ts.`,
  ];
  const model =
    name === 'patterns' ? 'patterns' : name === 'tagger' ? options.model : `patterns + ${options.model}`;
  const report = { name: 'pii', model, n: rows.length, metrics, ci95: intervals(judged, metrics), notes };
  printEval(report, options.json ?? false);
}

function intervals(
  judged: readonly Judged[],
  metrics: Record<string, number>,
): Record<string, readonly [number, number]> {
  return Object.fromEntries(
    Object.keys(metrics).map((key) => {
      const sample = (at: Int32Array) => metricsOf(Array.from(at, (index) => judged[index]!.all))[key] ?? 0;
      return [key, bootstrap(judged.length, sample, 200)];
    }),
  );
}

function asPercents(metrics: Record<string, number>): Record<string, string> {
  return Object.fromEntries(Object.entries(metrics).map(([key, value]) => [key, percent(value)]));
}

function printBreakdown(judged: readonly Judged[]): void {
  const cells = new Map<string, Tally[]>();
  for (const one of judged) {
    for (const [type, tally] of one.byType) {
      const key = `${one.lang} ${type}`;
      cells.set(key, [...(cells.get(key) ?? []), tally]);
    }
  }
  const lines = [...cells].map(([cell, tallies]) => {
    const { 'character-recall': characters, 'whole-span-recall': whole } = metricsOf(tallies);
    const spans = tallies.reduce((sum, tally) => sum + tally.gold, 0);
    return { cell, spans, 'character-recall': percent(characters), 'whole-span-recall': percent(whole) };
  });
  console.log(table(lines.sort((a, b) => b.spans - a.spans)));
}

function percent(value: number | undefined): string {
  return `${(100 * (value ?? 0)).toFixed(1)} %`;
}

function readRows(file: string): { readonly rows: readonly Row[]; readonly unplaced: number } {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  let unplaced = 0;
  const lines = text.split('\n').filter((line) => line !== '');
  const rows = lines.map((line): Row => {
    const row = rowSchema.parse(JSON.parse(line));
    const spans = row.spans.flatMap(({ start, end, label }) =>
      start === undefined || end === undefined ? [] : [{ start, end, label }],
    );
    unplaced += row.spans.length - spans.length;
    return { ...row, spans };
  });
  return { rows, unplaced };
}

export const command: ScriptCommand = {
  summary: 'personal data found by patterns and the tagger: recall, precision, F2, over-redaction',
  configure(command: Command) {
    command
      .requiredOption(
        '--data <file>',
        'JSON Lines, .gz or not: { id, lang, text, spans: [{ start, end, label }] }',
      )
      .option(
        '--detectors <list>',
        'patterns, tagger, both; the last is the one reported',
        'patterns,tagger,both',
      )
      .option('--model <id>', 'the tagger: an id under models/ or a folder', 'nearfield-pii')
      .option('--bias <number>', "taken from the tagger's score of nobody's; default the model's own")
      .option('--dates <which>', 'birth: dates of birth only; all: every full date', 'all')
      .option('--types <list>', 'count only these types, comma-separated')
      .option('--matching <pattern>', "count only labelled spans that hold this, e.g. '[0-9]|@'")
      .action(run);
  },
};
