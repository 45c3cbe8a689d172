// Owns the question "how many hits at how many wrong ones": labelled pairs as a stream of requests, for a static
// threshold, a learned one without the verifier, and the cache as shipped.
import { createErrorBound } from '../../runtime/cache/error-bound.ts';
import { verify } from '../../runtime/cache/verify.ts';
import type { ScriptCommand } from '../cli.ts';
import { openEngine } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { bootstrap, mulberry32, printEval, table } from '../report.ts';

interface PairRow {
  readonly source: string;
  readonly split: string;
  readonly a: string;
  readonly b: string;
  readonly label: 0 | 1;
}

/** One request: the kept question of its pair is in the cache; would it be served, and rightly? */
interface Request {
  readonly similarity: number;
  readonly refused: boolean;
  readonly wrong: boolean;
}

const TARGETS = [0.005, 0.01, 0.02, 0.05];

export const command: ScriptCommand = {
  summary: 'cache hits against wrong hits on labelled question pairs: static, learned, ours',
  configure(command) {
    command
      .requiredOption('--data <file>', 'JSON Lines of { source, split, a, b, label }')
      .option('--source <name>', 'rows of this source only')
      .option('--split <name>', 'rows of this split only')
      .option('--limit <n>', 'pairs, drawn with a fixed seed', '2000')
      .option('--model <id>', 'model id or folder')
      .action(run);
  },
};

async function run(options: {
  readonly data: string;
  readonly source?: string;
  readonly split?: string;
  readonly limit: string;
  readonly model?: string;
  readonly json?: boolean;
}): Promise<void> {
  const rows = (await readJsonLines<PairRow>(options.data)).filter(
    (row) =>
      (options.source === undefined || row.source === options.source) &&
      (options.split === undefined || row.split === options.split),
  );
  const drawn = shuffle(rows).slice(0, Number(options.limit));
  const embedder = await openEngine(options.model);
  const requests = await toRequests(drawn, embedder.embed);
  await embedder.dispose();
  report(requests, embedder.model, options.json === true);
}

async function toRequests(
  rows: readonly PairRow[],
  embed: (texts: readonly string[]) => Promise<readonly Float32Array[]>,
): Promise<readonly Request[]> {
  const vectors = await embed(rows.flatMap((row) => [row.a, row.b]));
  return rows.map((row, at) => {
    const [kept, asked] = [vectors[2 * at]!, vectors[2 * at + 1]!];
    return {
      similarity: kept.reduce((sum, value, dim) => sum + value * asked[dim]!, 0),
      refused: verify(row.b, row.a) !== undefined,
      wrong: row.label === 0,
    };
  });
}

/** Share served and share wrong, both of all requests, and wrong of those served. */
function outcome(served: readonly Request[], total: number) {
  const wrong = served.filter((request) => request.wrong).length;
  return {
    hits: served.length / total,
    wrong: wrong / total,
    wrongOfHits: wrong / Math.max(1, served.length),
  };
}

/** The most hits any fixed similarity gives with at most this share of all requests wrong. */
function mostHits(requests: readonly Request[], target: number): number {
  const sorted = requests.filter(({ refused }) => !refused).sort((a, b) => b.similarity - a.similarity);
  let [wrong, most] = [0, 0];
  sorted.forEach((request, at) => {
    wrong += request.wrong ? 1 : 0;
    if (wrong <= target * requests.length) most = at + 1;
  });
  return most / requests.length;
}

/** The stream in order: each request is judged by what those before it have shown, then shows its own. */
function learn(requests: readonly Request[], verifies: boolean, shipped: boolean): readonly Request[] {
  const bound = createErrorBound({ target: 0.01, shipped }, new Map());
  const place = { scopeHash: 'eval', kind: 'all' };
  const random = mulberry32(5);
  return requests.filter((request) => {
    if ((verifies && request.refused) || request.similarity < 0.5) return false;
    const isServed = request.similarity >= bound.threshold(place) && random() >= 0.02;
    // A served match is known only if someone reports it: half of the wrong ones are, and no right one.
    if (!isServed || (request.wrong && random() < 0.5))
      bound.observe(place, request.similarity, !request.wrong);
    return isServed;
  });
}

function report(requests: readonly Request[], model: string, json: boolean): void {
  const plain = requests.map((request) => ({ ...request, refused: false }));
  const total = requests.length;
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const target of TARGETS) {
    const name = `${target * 100} % wrong`;
    metrics[`hits, static, ${name}`] = mostHits(plain, target);
    metrics[`hits, ours, ${name}`] = mostHits(requests, target);
    metrics[`ours over static, ${name}`] = mostHits(requests, target) / mostHits(plain, target);
  }
  const pick = (from: readonly Request[], rows: Int32Array): Request[] => [...rows].map((row) => from[row]!);
  ci95['hits, ours, 1 % wrong'] = bootstrap(total, (rows) => mostHits(pick(requests, rows), 0.01), 200);
  ci95['hits, static, 1 % wrong'] = bootstrap(total, (rows) => mostHits(pick(plain, rows), 0.01), 200);
  const streams = {
    'learned, no verifier': learn(requests, false, false),
    'learned, verifier': learn(requests, true, false),
    'ours as shipped': learn(requests, true, true),
    'static 0.94': plain.filter(({ similarity }) => similarity >= 0.94),
    'static 0.80': plain.filter(({ similarity }) => similarity >= 0.8),
  };
  for (const [name, served] of Object.entries(streams)) {
    const { hits, wrong, wrongOfHits } = outcome(served, total);
    metrics[`stream, ${name}: hits`] = hits;
    metrics[`stream, ${name}: wrong of requests`] = wrong;
    metrics[`stream, ${name}: wrong of hits`] = wrongOfHits;
  }
  printEval({ name: 'pairs', model, n: total, metrics, ci95, notes: [curveOf(requests, plain)] }, json);
}

function curveOf(requests: readonly Request[], plain: readonly Request[]): string {
  const rows = [0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98].map((least) => {
    const at = (from: readonly Request[]) =>
      outcome(
        from.filter(({ refused, similarity }) => !refused && similarity >= least),
        from.length,
      );
    const [a, b] = [at(plain), at(requests)];
    const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
    return {
      similarity: least,
      'static hits': percent(a.hits),
      'static wrong of hits': percent(a.wrongOfHits),
      'verified hits': percent(b.hits),
      'verified wrong of hits': percent(b.wrongOfHits),
    };
  });
  return `\n${table(rows)}`;
}

function shuffle<T>(items: readonly T[]): T[] {
  const random = mulberry32(11);
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
