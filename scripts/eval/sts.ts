// `npm run eval -- sts --data FILE`: does cosine order sentence pairs as people did? Schema: { lang, source,
// split, a, b, score }. Prints Spearman's correlation a language.
import * as z from 'zod/mini';
import type { ScriptCommand } from '../cli.ts';
import { evaluateEmbedders, type TextEmbedder } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { dot, spearman } from '../ranking.ts';
import { bootstrap, type EvalReport } from '../report.ts';

interface Pair {
  readonly lang?: string | undefined;
  readonly split?: string | undefined;
  readonly a: string;
  readonly b: string;
  readonly score: number;
}

const pairSchema: z.ZodMiniType<Pair> = z.object({
  lang: z.optional(z.string()),
  split: z.optional(z.string()),
  a: z.string(),
  b: z.string(),
  score: z.number(),
});

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly split: string;
  readonly lang?: string;
  readonly teacher?: boolean;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'semantic textual similarity: Spearman of cosine against people',
  configure(program) {
    program
      .requiredOption('--data <file>', 'pairs, JSONL or JSONL.gz')
      .option('--model <id>', 'model id or folder')
      .option('--split <name>', 'rows of this split; rows without one always count', 'dev')
      .option('--lang <lang>', 'one language only')
      .option('--teacher', 'score the fp32 teacher beside it; the default where it is built')
      .option('--no-teacher', 'leave the teacher out')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const pairs = (await readJsonLines(options.data, pairSchema)).filter(
    (pair) =>
      (pair.split ?? options.split) === options.split &&
      (options.lang === undefined || pair.lang === options.lang),
  );
  if (pairs.length === 0) {
    throw new Error(
      `${options.data}: no pair of split '${options.split}'${options.lang ? ` in ${options.lang}` : ''}.`,
    );
  }
  await evaluateEmbedders(options, (embedder) => score(embedder, pairs));
}

async function score(embedder: TextEmbedder, pairs: readonly Pair[]): Promise<EvalReport> {
  const left = await embedder.embed(pairs.map((pair) => pair.a));
  const right = await embedder.embed(pairs.map((pair) => pair.b));
  const similarity = left.map((vector, at) => dot(vector, right[at]!));
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const lang of [...new Set(pairs.map((pair) => pair.lang ?? 'all'))].sort()) {
    const rows = pairs.flatMap((pair, at) => ((pair.lang ?? 'all') === lang ? [at] : []));
    const correlate = (picked: Iterable<number>): number => {
      const own = Array.from(picked, (at) => rows[at]!);
      return spearman(
        own.map((row) => similarity[row]!),
        own.map((row) => pairs[row]!.score),
      );
    };
    metrics[`spearman_${lang}`] = correlate(rows.keys());
    ci95[`spearman_${lang}`] = bootstrap(rows.length, correlate);
  }
  return { name: 'sts', model: embedder.model, n: pairs.length, metrics, ci95 };
}
