// `npm run eval -- intent --data FILE`: zero-shot labels. A text gets the label whose name is nearest; the
// name is the data set's, underscores read as spaces. Schema: { dataset, lang, split, text, label }.
// Rows labelled `oos` (no label fits) are left out of accuracy.
import type { ScriptCommand } from '../cli.ts';
import { evaluateEmbedders, type TextEmbedder } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { dot } from '../ranking.ts';
import { bootstrap, type EvalReport } from '../report.ts';

interface Row {
  readonly dataset: string;
  readonly split?: string;
  readonly text: string;
  readonly label: string;
}

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly split: string;
  readonly teacher?: boolean;
  readonly json?: boolean;
}

const OUT_OF_SCOPE = 'oos';

export const command: ScriptCommand = {
  summary: 'zero-shot classification: accuracy of the nearest label name',
  configure(program) {
    program
      .requiredOption('--data <file>', 'labelled texts, JSONL or JSONL.gz')
      .option('--model <id>', 'model id or folder')
      .option('--split <name>', 'rows of this split; rows without one always count', 'dev')
      .option('--teacher', 'score the fp32 teacher beside it; the default where it is built')
      .option('--no-teacher', 'leave the teacher out')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const all = await readJsonLines<Row>(options.data);
  const rows = all.filter(
    (row) => (row.split ?? options.split) === options.split && row.label !== OUT_OF_SCOPE,
  );
  if (rows.length === 0) throw new Error(`${options.data}: no labelled row of split '${options.split}'.`);
  await evaluateEmbedders(options, (embedder) => score(embedder, all, rows));
}

async function score(embedder: TextEmbedder, all: readonly Row[], rows: readonly Row[]): Promise<EvalReport> {
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const dataset of [...new Set(rows.map((row) => row.dataset))].sort()) {
    const labels = labelsOf(all, dataset);
    const names = await embedder.embed(labels.map(labelName));
    const own = rows.filter((row) => row.dataset === dataset);
    const vectors = await embedder.embed(own.map((row) => row.text));
    const hits = own.map((row, at) => (labels[nearest(vectors[at]!, names)] === row.label ? 1 : 0));
    const accuracy = (picked: ArrayLike<number>): number =>
      Array.from(picked).reduce((sum, at) => sum + hits[at]!, 0) / picked.length;
    metrics[`accuracy_${dataset}`] = accuracy([...hits.keys()]);
    ci95[`accuracy_${dataset}`] = bootstrap(hits.length, accuracy);
  }
  return { name: 'intent', model: embedder.model, n: rows.length, metrics, ci95 };
}

/** Every label of the set, of all splits: the choice is as wide as the user's. */
function labelsOf(all: readonly Row[], dataset: string): string[] {
  const labels = new Set(all.filter((row) => row.dataset === dataset).map((row) => row.label));
  labels.delete(OUT_OF_SCOPE);
  return [...labels].sort();
}

/** `card_arrival`, `PlayMusic` and `alarm/set` as words. */
function labelName(label: string): string {
  return label
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_/-]+/g, ' ')
    .toLowerCase();
}

function nearest(vector: Float32Array, names: readonly Float32Array[]): number {
  const similarity = names.map((name) => dot(vector, name));
  return similarity.indexOf(Math.max(...similarity));
}
