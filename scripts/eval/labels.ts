// How well classify() labels: a set at a time, by the labels' names alone and with a few examples each, beside
// what an app does without it, the nearest label name. Labels of every split are offered; `oos` fits none.
import { CLASSIFY_WEIGHTS, type Classification, createClassifier, labelWords } from 'nearfield/tasks';
import { asEmbedder, type TextEmbedder } from '../embedders.ts';
import { dot } from '../ranking.ts';
import { bootstrap, type EvalReport, mulberry32 } from '../report.ts';

export interface LabelRow {
  readonly dataset: string;
  readonly split?: string | undefined;
  readonly text: string;
  readonly label: string;
}

const OUT_OF_SCOPE = 'oos';

interface Labelling {
  readonly split: string;
  /** Examples a label; 0 is the name alone. */
  readonly shots: readonly number[];
  /** Rows a set. */
  readonly most: number;
}

export async function scoreLabels(
  embedder: TextEmbedder,
  rows: readonly LabelRow[],
  { split, shots, most }: Labelling,
): Promise<EvalReport> {
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  const classifier = createClassifier({ embedder: asEmbedder(embedder) });
  let n = 0;
  for (const dataset of [...new Set(rows.map((row) => row.dataset))].sort()) {
    const own = rows.filter((row) => row.dataset === dataset);
    const labels = [...new Set(own.map((row) => row.label))].filter((label) => label !== OUT_OF_SCOPE).sort();
    const asked = draw(
      own.filter((row) => (row.split ?? split) === split),
      most,
    );
    const known = asked.filter((row) => row.label !== OUT_OF_SCOPE);
    if (known.length === 0) continue;
    n += asked.length;
    const put = (name: string, hits: readonly number[]): void => {
      const share = (picked: Iterable<number>): number => mean(Array.from(picked, (at) => hits[at]!));
      metrics[`${name}_${dataset}`] = share(hits.keys());
      ci95[`${name}_${dataset}`] = bootstrap(hits.length, share);
    };
    put('nearest_name', await nearestName(embedder, known, labels));
    for (const count of shots) {
      const examples = drawExamples(own, labels, count);
      if (examples === undefined) continue;
      const found = await classifier.classifyAll(
        asked.map((row) => row.text),
        labels.map((name, at) => ({ name, examples: examples[at]! })),
        { other: false },
      );
      const least = count === 0 ? CLASSIFY_WEIGHTS.other : CLASSIFY_WEIGHTS.otherShown;
      report(put, count === 0 ? 'zero_shot' : `${count}_shot`, asked, found, least);
      metrics[`${count}_shot_calibration_error_${dataset}`] = calibrationError(asked, found);
    }
  }
  if (n === 0) throw new Error(`Expected labelled rows of split '${split}', found none.`);
  return { name: 'intent', model: embedder.model, n, metrics, ci95 };
}

type Put = (name: string, hits: readonly number[]) => void;

/** Accuracy where a label fits; and, where the set has texts that none fits, how `other` parts the two. */
function report(
  put: Put,
  name: string,
  asked: readonly LabelRow[],
  found: readonly Classification[],
  least: number,
): void {
  const known = asked.flatMap((row, at) => (row.label === OUT_OF_SCOPE ? [] : [at]));
  const strange = asked.flatMap((row, at) => (row.label === OUT_OF_SCOPE ? [at] : []));
  const named = (at: number): number => (found[at]!.scores[0]!.similarity >= least ? 1 : 0);
  put(
    `${name}_accuracy`,
    known.map((at) => (found[at]!.label === asked[at]!.label ? 1 : 0)),
  );
  if (strange.length === 0) return;
  put(`${name}_kept_in_scope`, known.map(named));
  put(
    `${name}_other_found`,
    strange.map((at) => 1 - named(at)),
  );
}

async function nearestName(
  embedder: TextEmbedder,
  rows: readonly LabelRow[],
  labels: readonly string[],
): Promise<readonly number[]> {
  const names = await embedder.embed(labels.map(labelWords));
  const vectors = await embedder.embed(rows.map((row) => row.text));
  return rows.map((row, at) => {
    const similarity = names.map((name) => dot(vectors[at]!, name));
    return labels[similarity.indexOf(Math.max(...similarity))] === row.label ? 1 : 0;
  });
}

/** `count` training texts a label, the same on every run; undefined where a label has none at all. */
function drawExamples(
  rows: readonly LabelRow[],
  labels: readonly string[],
  count: number,
): readonly (readonly string[])[] | undefined {
  const train = rows.filter((row) => row.split === 'train');
  const examples = labels.map((label) =>
    draw(
      train.filter((row) => row.label === label),
      count,
    ).map((row) => row.text),
  );
  return count === 0 || examples.every(({ length }) => length > 0) ? examples : undefined;
}

/** At most `most` rows, by a fixed seed. */
function draw<T>(rows: readonly T[], most: number): readonly T[] {
  if (rows.length <= most) return rows;
  const next = mulberry32(7);
  return rows
    .map((row) => ({ row, key: next() }))
    .sort((a, b) => a.key - b.key)
    .slice(0, most)
    .map(({ row }) => row);
}

const BINS = 10;

/** Mean gap between the best label's score and how often it is right, over ten bins. Source: Guo et al. 2017. */
function calibrationError(asked: readonly LabelRow[], found: readonly Classification[]): number {
  const bins = Array.from({ length: BINS }, () => ({ score: 0, right: 0 }));
  const known = asked.flatMap((row, at) =>
    row.label === OUT_OF_SCOPE ? [] : [{ row, best: found[at]!.scores[0]! }],
  );
  for (const { row, best } of known) {
    const bin = bins[Math.min(BINS - 1, Math.floor(best.score * BINS))]!;
    bin.score += best.score;
    bin.right += best.label === row.label ? 1 : 0;
  }
  return bins.reduce((sum, bin) => sum + Math.abs(bin.score - bin.right), 0) / known.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
