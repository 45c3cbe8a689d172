// `npm run eval -- retrieval --data DOCS --queries QUERIES`: do the relevant documents come first? Schema:
// documents { set, lang, id, title, text }, queries { set, lang, text, relevant }. Prints nDCG@10 a set and
// language, each query against all documents of its own.
import * as z from 'zod/mini';
import type { ScriptCommand } from '../cli.ts';
import { evaluateEmbedders, type TextEmbedder } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { dot, ndcg } from '../ranking.ts';
import { bootstrap, type EvalReport } from '../report.ts';

interface Doc {
  readonly set: string;
  readonly lang: string;
  readonly id: string;
  readonly title?: string | undefined;
  readonly text: string;
}

interface Query {
  readonly set: string;
  readonly lang: string;
  readonly text: string;
  readonly relevant: readonly string[];
}

const docSchema: z.ZodMiniType<Doc> = z.object({
  set: z.string(),
  lang: z.string(),
  id: z.string(),
  title: z.optional(z.string()),
  text: z.string(),
});

const querySchema: z.ZodMiniType<Query> = z.object({
  set: z.string(),
  lang: z.string(),
  text: z.string(),
  relevant: z.array(z.string()),
});

interface Options {
  readonly data: string;
  readonly queries: string;
  readonly model?: string;
  readonly lang?: string;
  readonly teacher?: boolean;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'retrieval: nDCG@10 of documents by cosine',
  configure(program) {
    program
      .requiredOption('--data <file>', 'documents, JSONL or JSONL.gz')
      .requiredOption('--queries <file>', 'queries with the ids of relevant documents')
      .option('--model <id>', 'model id or folder')
      .option('--lang <lang>', 'one language only')
      .option('--teacher', 'score the fp32 teacher beside it; the default where it is built')
      .option('--no-teacher', 'leave the teacher out')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const inLanguage = (row: { readonly lang: string }): boolean =>
    options.lang === undefined || row.lang === options.lang;
  const docs = (await readJsonLines(options.data, docSchema)).filter(inLanguage);
  const queries = (await readJsonLines(options.queries, querySchema)).filter(inLanguage);
  if (docs.length === 0 || queries.length === 0) {
    throw new Error(`Nothing to search: ${docs.length} documents, ${queries.length} queries.`);
  }
  await evaluateEmbedders(options, (embedder) => score(embedder, docs, queries));
}

async function score(
  embedder: TextEmbedder,
  docs: readonly Doc[],
  queries: readonly Query[],
): Promise<EvalReport> {
  const docVectors = await embedder.embed(docs.map(withTitle));
  const queryVectors = await embedder.embed(queries.map((query) => query.text));
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const group of [...new Set(queries.map(groupOf))].sort()) {
    const pool = docs.flatMap((doc, at) => (groupOf(doc) === group ? [at] : []));
    const scores = queries.flatMap((query, at) => {
      if (groupOf(query) !== group) return [];
      const ranked = rank(queryVectors[at]!, pool, docVectors).map((row) => docs[row]!.id);
      return [ndcg(ranked, new Set(query.relevant))];
    });
    metrics[`ndcg10_${group}`] = mean(scores);
    ci95[`ndcg10_${group}`] = bootstrap(scores.length, (rows) => mean(Array.from(rows, (at) => scores[at]!)));
  }
  return { name: 'retrieval', model: embedder.model, n: queries.length, metrics, ci95 };
}

/** Rows of the ten nearest documents, nearest first. */
function rank(query: Float32Array, pool: readonly number[], vectors: readonly Float32Array[]): number[] {
  const similarity = new Map(pool.map((row) => [row, dot(query, vectors[row]!)]));
  return [...pool].sort((a, b) => similarity.get(b)! - similarity.get(a)!).slice(0, 10);
}

/** A title that the text repeats is not read twice. */
function withTitle(doc: Doc): string {
  return doc.title === undefined || doc.text.startsWith(doc.title) ? doc.text : `${doc.title}. ${doc.text}`;
}

function groupOf(row: { readonly set: string; readonly lang: string }): string {
  return `${row.set}_${row.lang}`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
