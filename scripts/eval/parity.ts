// `npm run eval -- parity --data FILE`: how near the engine's embeddings are to the fp32 reference's, text by
// text. Rows: JSONL with `text`, or with `a` and `b`.
import type { ScriptCommand } from '../cli.ts';
import { openEngine, openTeacher } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { dot } from '../ranking.ts';
import { bootstrap, mulberry32, printEval, quantile } from '../report.ts';

interface Row {
  readonly text?: string;
  readonly a?: string;
  readonly b?: string;
}

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly limit: string;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'cosine of the engine against the fp32 reference, text by text',
  configure(program) {
    program
      .requiredOption('--data <file>', 'texts, JSONL or JSONL.gz')
      .option('--model <id>', 'model id or folder')
      .option('--limit <n>', 'texts drawn at random, the same at each run', '1000')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const texts = draw(await readJsonLines<Row>(options.data), Number(options.limit));
  const engine = await openEngine(options.model);
  const ours = await engine.embed(texts);
  const teacher = await openTeacher();
  const reference = await teacher.embed(texts);
  const cosines = ours.map((vector, at) => dot(vector, reference[at]!));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const metrics = {
    cosine_mean: mean(cosines),
    cosine_p1: quantile(cosines, 0.01),
    cosine_min: Math.min(...cosines),
    share_above_0995: mean(cosines.map((value) => (value >= 0.995 ? 1 : 0))),
  };
  const ci95 = {
    cosine_mean: bootstrap(cosines.length, (rows) => mean(Array.from(rows, (row) => cosines[row]!))),
  };
  printEval({ name: 'parity', model: engine.model, n: texts.length, metrics, ci95 }, options.json ?? false);
  await engine.dispose();
  await teacher.dispose();
}

function draw(rows: readonly Row[], limit: number): readonly string[] {
  const texts = [...new Set(rows.flatMap((row) => [row.text, row.a, row.b]))].filter(
    (text): text is string => typeof text === 'string' && text.trim() !== '',
  );
  const next = mulberry32(7);
  const keyed = texts.map((text) => ({ text, key: next() })).sort((a, b) => a.key - b.key);
  return keyed.slice(0, limit).map(({ text }) => text);
}
