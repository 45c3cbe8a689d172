// Owns the question "how many hits at how many wrong ones": labelled pairs as a stream of requests, for a static
// threshold, a learned one without the verifier, and the cache with its rules, and with its guard as shipped.
// With --mixes the bound is put on streams of other mixes than the one its start was made on.
import { createErrorBound } from '../../runtime/cache/error-bound.ts';
import { rateIsAbove } from '../../runtime/cache/statistics.ts';
import type { ScriptCommand } from '../cli.ts';
import { openEngine, openTeacher, type TextEmbedder } from '../embedders.ts';
import {
  choosePairs,
  type Judged,
  judgePairs,
  mostHits,
  type PairChoice,
  type Score,
  shuffle,
  WAYS,
} from '../judged-pairs.ts';
import { bootstrap, mulberry32, printEval, table } from '../report.ts';

const TARGETS = [0.005, 0.01, 0.02, 0.05];
const TARGET = 0.01;

export const command: ScriptCommand = {
  summary:
    'cache hits against wrong hits on labelled question pairs: static, learned, rules, rules and guard',
  configure(command) {
    command
      .requiredOption(
        '--data <file>',
        'JSON Lines of { source, split, a, b, label } or { lang, a, b, score }',
      )
      .option('--source <name>', 'rows of this source only')
      .option('--split <name>', 'rows of this split only')
      .option('--lang <name>', 'rows of this language only')
      .option('--half <which>', 'first or second half of a fixed shuffle')
      .option('--limit <n>', 'pairs, drawn with a fixed seed', '2000')
      .option('--model <id>', 'model id or folder')
      .option('--guard <id>', 'guard: model id or folder')
      .option('--teacher', 'static threshold on the fp32 teacher instead of the shipped encoder')
      .option('--mixes', 'the bound on streams with rarer and commoner duplicates')
      .action(run);
  },
};

interface Options extends PairChoice {
  readonly data: string;
  readonly model?: string;
  readonly guard?: string;
  readonly teacher?: boolean;
  readonly mixes?: boolean;
  readonly json?: boolean;
}

async function run(options: Options): Promise<void> {
  const rows = await choosePairs(options.data, options);
  const embedder = await openEngine(options.model);
  const requests = await judgePairs(rows, embedder.embed, options.guard);
  await embedder.dispose();
  const statics = options.teacher === true ? await teachersView(rows, requests) : requests;
  report(requests, statics, options, embedder.model);
}

/** The same rows with the fp32 teacher's similarity. */
async function teachersView(
  rows: readonly { readonly a: string; readonly b: string }[],
  requests: readonly Judged[],
): Promise<readonly Judged[]> {
  const teacher: TextEmbedder = await openTeacher();
  const vectors = await teacher.embed(rows.flatMap(({ a, b }) => [a, b]));
  await teacher.dispose();
  return requests.map((request, at) => {
    const [kept, asked] = [vectors[2 * at]!, vectors[2 * at + 1]!];
    return { ...request, similarity: kept.reduce((sum, value, dim) => sum + value * asked[dim]!, 0) };
  });
}

/** A stream in order: each request is judged by what those before it have shown, then shows its own. */
function learn(
  requests: readonly Judged[],
  score: Score,
  shipped: boolean,
  guarded: boolean,
): readonly Judged[] {
  const bound = createErrorBound({ target: TARGET, shipped }, new Map());
  const place = { scopeHash: 'eval', kind: 'all', guarded };
  const random = mulberry32(5);
  return requests.filter((request) => {
    const confidence = score(request);
    if (confidence === undefined || request.similarity < 0.5) return false;
    // As the cache does: what the guard refuses, only the scope's own outcomes can allow.
    const least = guarded && request.guard < 0.5 ? bound.shown(place) : bound.threshold(place);
    const isServed = confidence >= least && random() >= 0.02;
    // A served match is known only if someone reports it: half of the wrong ones are, and no right one.
    if (!isServed || (request.wrong && random() < 0.5)) bound.observe(place, confidence, !request.wrong);
    return isServed;
  });
}

interface Stream {
  readonly name: string;
  serve(requests: readonly Judged[]): readonly Judged[];
}

const STREAMS: readonly Stream[] = [
  { name: 'static 0.80', serve: (from) => from.filter(({ similarity }) => similarity >= 0.8) },
  { name: 'static 0.94', serve: (from) => from.filter(({ similarity }) => similarity >= 0.94) },
  { name: 'learned, no verifier', serve: (from) => learn(from, WAYS.similarity, false, false) },
  { name: 'learned, rules', serve: (from) => learn(from, WAYS.rules, false, false) },
  { name: 'learned, rules and guard', serve: (from) => learn(from, WAYS.ours, false, true) },
  { name: 'as shipped, rules', serve: (from) => learn(from, WAYS.rules, true, false) },
  { name: 'as shipped, rules and guard', serve: (from) => learn(from, WAYS.ours, true, true) },
];

function report(
  requests: readonly Judged[],
  statics: readonly Judged[],
  options: Options,
  model: string,
): void {
  const total = requests.length;
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const target of TARGETS) {
    const name = `${target * 100} % wrong`;
    const hits = mostHits(statics, WAYS.similarity, target);
    metrics[`hits, static, ${name}`] = hits;
    for (const way of ['rules', 'guard', 'ours'] as const) {
      metrics[`hits, ${way}, ${name}`] = mostHits(requests, WAYS[way], target);
    }
    metrics[`ours over static, ${name}`] = mostHits(requests, WAYS.ours, target) / Math.max(hits, 1 / total);
  }
  ci95['ours over static, 1 % wrong'] = bootstrap(
    total,
    (rows) => {
      const at = [...rows];
      const ours = mostHits(
        at.map((row) => requests[row]!),
        WAYS.ours,
        TARGET,
      );
      return (
        ours /
        Math.max(
          mostHits(
            at.map((row) => statics[row]!),
            WAYS.similarity,
            TARGET,
          ),
          1 / total,
        )
      );
    },
    300,
  );
  const notes = [
    `\n${table(STREAMS.map(({ name, serve }) => ({ stream: name, ...outcome(serve(requests), total) })))}`,
  ];
  if (options.mixes === true) notes.push(`\n${table(mixes(requests))}`);
  printEval({ name: 'pairs', model, n: total, metrics, ci95, notes }, options.json === true);
}

/** Shares of all requests, and the wrong of those served. */
function outcome(served: readonly Judged[], total: number): Readonly<Record<string, string>> {
  const wrong = served.filter((request) => request.wrong).length;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return {
    hits: percent(served.length / total),
    'wrong of requests': percent(wrong / total),
    'wrong of hits': percent(wrong / Math.max(1, served.length)),
    'target refuted': rateIsAbove(wrong, served.length, TARGET, 0.95) ? 'yes' : 'no',
  };
}

/** Streams drawn from the rows with other shares of duplicates, each in five orders; counts of all orders together. */
function mixes(requests: readonly Judged[]): readonly Readonly<Record<string, string>>[] {
  const same = requests.filter((request) => !request.wrong);
  const other = requests.filter((request) => request.wrong);
  return [0.1, 0.3, 0.5, 0.8].flatMap((share) => {
    const size = Math.floor(Math.min(same.length / share, other.length / (1 - share)));
    const orders = [1, 2, 3, 4, 5].map((seed) =>
      shuffle(
        [...shuffle(same, seed).slice(0, size * share), ...shuffle(other, seed).slice(0, size * (1 - share))],
        seed + 20,
      ),
    );
    return STREAMS.filter(({ name }) => name !== 'static 0.80').map(({ name, serve }) => {
      const served = orders.flatMap((order) => serve(order));
      return { duplicates: `${100 * share} %`, stream: name, ...outcome(served, orders.flat().length) };
    });
  });
}
