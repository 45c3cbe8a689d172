// `npm run eval -- answer --data DOCS --queries QUERIES`: does the right sentence come first, and does the
// task say "not found" when the documents hold no answer? Schema: docs { set, lang, id, title, text },
// queries { set, lang, text, relevant, answer }.
import { createNodeEmbedder } from 'nearfield/engine/node';
import { type AnswerWeights, createAnswerer } from 'nearfield/tasks';
import { ANSWER_WEIGHTS } from '../../runtime/tasks/index.ts';
import type { Embedder, SourceDocument } from '../../runtime/types.ts';
import type { ScriptCommand } from '../cli.ts';
import { readJsonLines } from '../jsonl.ts';
import { bootstrap, printEval } from '../report.ts';

interface Doc extends SourceDocument {
  readonly set: string;
  readonly lang: string;
}

interface Query {
  readonly set: string;
  readonly lang: string;
  readonly text: string;
  readonly relevant: readonly string[];
  readonly answer?: string;
}

/** One question asked twice: with its documents, and with every document of the same title taken out. */
interface Outcome {
  readonly at1: boolean;
  readonly at3: boolean;
  readonly score: number;
  readonly emptyScore: number;
}

interface Options {
  readonly data: string;
  readonly queries: string;
  readonly model?: string;
  readonly lang?: string;
  readonly fit?: boolean;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'extractive answers: right sentence first, and not found when nothing answers',
  configure(program) {
    program
      .requiredOption('--data <file>', 'documents, JSONL or JSONL.gz')
      .requiredOption('--queries <file>', 'questions with answers')
      .option('--model <id>', 'model id or folder')
      .option('--lang <lang>', 'one language only')
      .option('--fit', 'fit the weights on every second question and report on the rest')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const docs = await readJsonLines<Doc>(options.data);
  const queries = (await readJsonLines<Query>(options.queries)).filter(
    (query) => query.answer !== undefined && (options.lang === undefined || query.lang === options.lang),
  );
  const embedder = remember(
    await createNodeEmbedder(options.model === undefined ? {} : { model: options.model }),
  );
  const tested = options.fit ? queries.filter((_query, at) => at % 2 === 1) : queries;
  const weights = options.fit
    ? await fitWeights(
        embedder,
        docs,
        queries.filter((_query, at) => at % 2 === 0),
      )
    : ANSWER_WEIGHTS;
  const outcomes = await ask(embedder, docs, tested, weights);
  const metrics = measure(outcomes, weights.threshold);
  const ci95 = Object.fromEntries(
    Object.keys(metrics).map((name) => [
      name,
      bootstrap(
        outcomes.length,
        (rows) =>
          measure(
            Array.from(rows, (row) => outcomes[row]!),
            weights.threshold,
          )[name]!,
        300,
      ),
    ]),
  );
  const notes = [`weights ${JSON.stringify(weights)}`];
  printEval(
    { name: 'answer', model: embedder.model, n: outcomes.length, metrics, ci95, notes },
    options.json ?? false,
  );
  await embedder.dispose();
}

async function ask(
  embedder: Embedder,
  docs: readonly Doc[],
  queries: readonly Query[],
  weights: AnswerWeights,
): Promise<readonly Outcome[]> {
  const answerer = createAnswerer({ embedder, weights: { ...weights, threshold: -1 } });
  const outcomes: Outcome[] = [];
  for (const query of queries) {
    const pool = docs.filter((doc) => doc.set === query.set && doc.lang === query.lang);
    const titles = new Set(pool.filter((doc) => query.relevant.includes(doc.id)).map((doc) => doc.title));
    const { passages, score } = await answerer.find(query.text, pool);
    const right = passages.map(
      (passage) =>
        query.relevant.includes(passage.documentId) && passage.text.includes(query.answer!.slice(0, 40)),
    );
    const without = await answerer.find(
      query.text,
      pool.filter((doc) => !titles.has(doc.title)),
    );
    outcomes.push({ at1: right[0] ?? false, at3: right.includes(true), score, emptyScore: without.score });
  }
  return outcomes;
}

/** found: answerable questions over the threshold; refused: unanswerable ones under it. */
function measure(outcomes: readonly Outcome[], threshold: number): Record<string, number> {
  const share = (test: (outcome: Outcome) => boolean): number =>
    outcomes.filter(test).length / outcomes.length;
  const found = share(({ score }) => score >= threshold);
  const refused = share(({ emptyScore }) => emptyScore < threshold);
  return {
    sentence_at_1: share(({ at1 }) => at1),
    sentence_at_3: share(({ at3 }) => at3),
    found,
    refused,
    balanced_accuracy: (found + refused) / 2,
  };
}

/** Grid over the weights for the first sentence, then the threshold with the best balanced accuracy. */
async function fitWeights(
  embedder: Embedder,
  docs: readonly Doc[],
  queries: readonly Query[],
): Promise<AnswerWeights> {
  let best: { weights: AnswerWeights; at1: number; outcomes: readonly Outcome[] } | undefined;
  for (const overlap of [0.1, 0.2, 0.3, 0.4, 0.5]) {
    for (const share of [0.3, 0.45, 0.6, 0.75]) {
      const sentence = (1 - overlap) * share;
      const weights = { sentence, window: 1 - overlap - sentence, overlap, threshold: 0 };
      const outcomes = await ask(embedder, docs, queries, weights);
      const at1 = outcomes.filter((outcome) => outcome.at1).length / outcomes.length;
      console.error(`overlap ${overlap} sentence ${sentence.toFixed(2)}: at 1 ${at1.toFixed(3)}`);
      if (best === undefined || at1 > best.at1) best = { weights, at1, outcomes };
    }
  }
  const thresholds = Array.from({ length: 60 }, (_, at) => 0.2 + at / 100);
  const balance = (threshold: number): number => measure(best!.outcomes, threshold).balanced_accuracy!;
  const threshold = thresholds.reduce((a, b) => (balance(b) > balance(a) ? b : a));
  return { ...best!.weights, threshold };
}

/** Embeds each text once over the whole run. */
function remember(embedder: Embedder): Embedder {
  const kept = new Map<string, Float32Array>();
  return {
    ...embedder,
    async embed(texts, options) {
      const missing = [...new Set(texts.filter((text) => !kept.has(text)))];
      const { embeddings } = await embedder.embed(missing, options);
      for (const [at, text] of missing.entries()) kept.set(text, embeddings[at]!);
      return { embeddings: texts.map((text) => kept.get(text)!), tokens: 0 };
    },
  };
}
