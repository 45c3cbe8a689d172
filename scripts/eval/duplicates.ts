// `npm run eval -- duplicates --data FILE`: do pairs that mean the same come before those that do not, by cosine alone?
// Schema: { source, split, a, b, label }. Prints average precision, of the encoder without rules or guard.
import * as z from 'zod/mini';
import type { ScriptCommand } from '../cli.ts';
import { evaluateEmbedders, type TextEmbedder } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { averagePrecision, dot } from '../ranking.ts';
import { bootstrap, type EvalReport } from '../report.ts';

interface Pair {
  readonly source?: string | undefined;
  readonly split?: string | undefined;
  readonly a: string;
  readonly b: string;
  /** 1: the same meaning. */
  readonly label: number;
}

const pairSchema: z.ZodMiniType<Pair> = z.object({
  source: z.optional(z.string()),
  split: z.optional(z.string()),
  a: z.string(),
  b: z.string(),
  label: z.number(),
});

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly split: string;
  readonly source?: string;
  readonly limit?: string;
  readonly teacher?: boolean;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'duplicate questions: average precision of cosine over labelled pairs',
  configure(program) {
    program
      .requiredOption('--data <file>', 'pairs, JSONL or JSONL.gz')
      .option('--model <id>', 'model id or folder')
      .option('--split <name>', 'rows of this split; rows without one always count', 'dev')
      .option('--source <name>', 'rows of this source only')
      .option('--limit <n>', 'the first so many pairs')
      .option('--teacher', 'score the fp32 teacher beside it; the default where it is built')
      .option('--no-teacher', 'leave the teacher out')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const pairs = (await readJsonLines(options.data, pairSchema))
    .filter(
      (pair) =>
        (pair.split ?? options.split) === options.split &&
        (options.source === undefined || pair.source === options.source),
    )
    .slice(0, options.limit === undefined ? undefined : Number(options.limit));
  const labels = new Set(pairs.map((pair) => pair.label));
  if (labels.size < 2) {
    const wanted = `split '${options.split}'${options.source ? ` and source '${options.source}'` : ''}`;
    throw new Error(
      `${options.data}: expected pairs of both labels in ${wanted}, found ${pairs.length} pairs.`,
    );
  }
  await evaluateEmbedders(options, (embedder) => score(embedder, pairs));
}

async function score(embedder: TextEmbedder, pairs: readonly Pair[]): Promise<EvalReport> {
  const left = await embedder.embed(pairs.map((pair) => pair.a));
  const right = await embedder.embed(pairs.map((pair) => pair.b));
  const similarity = left.map((vector, at) => dot(vector, right[at]!));
  const precision = (rows: Iterable<number>): number => {
    const picked = [...rows];
    return averagePrecision(
      picked.map((row) => similarity[row]!),
      picked.map((row) => pairs[row]!.label === 1),
    );
  };
  return {
    name: 'duplicates',
    model: embedder.model,
    n: pairs.length,
    metrics: { average_precision: precision(pairs.keys()) },
    ci95: { average_precision: bootstrap(pairs.length, precision) },
  };
}
