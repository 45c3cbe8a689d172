// Owns the question "does the guard tell two questions apart better than their similarity does": on labelled
// pairs, hits at an equal share of wrong ones, and, where rows name families, each family for itself.
import type { ScriptCommand } from '../cli.ts';
import { openEngine } from '../embedders.ts';
import {
  choosePairs,
  type Judged,
  judgePairs,
  mostHits,
  type PairChoice,
  precisionOf,
  WAYS,
} from '../judged-pairs.ts';
import { bootstrap, printEval, table } from '../report.ts';

const TARGETS = [0.005, 0.01, 0.02, 0.05];
/** Of hits. Labels of public pairs are wrong themselves for one near pair in ten, so less cannot be told. */
const OF_HITS = [0.1, 0.12, 0.15, 0.2];
const ROUNDS = 300;

export const command: ScriptCommand = {
  summary: 'the guard against similarity on labelled question pairs: hits at equal wrong hits, families',
  configure(command) {
    command
      .requiredOption(
        '--data <file>',
        'JSON Lines of { a, b, label } or { a, b, score }; family, source, split',
      )
      .option('--source <name>', 'rows of this source only')
      .option('--split <name>', 'rows of this split only')
      .option('--lang <name>', 'rows of this language only')
      .option('--half <which>', 'first or second half of a fixed shuffle')
      .option('--limit <n>', 'pairs at most')
      .option('--model <id>', 'encoder: model id or folder')
      .option('--guard <id>', 'guard: model id or folder')
      .option('--calibrate', 'print the weights of similarity and guard that fit these rows')
      .action(run);
  },
};

interface Options extends PairChoice {
  readonly data: string;
  readonly model?: string;
  readonly guard?: string;
  readonly calibrate?: boolean;
  readonly json?: boolean;
}

async function run(options: Options): Promise<void> {
  const rows = await choosePairs(options.data, options);
  const embedder = await openEngine(options.model);
  const requests = await judgePairs(rows, embedder.embed, options.guard);
  await embedder.dispose();
  const [same, other] = [requests.filter((row) => !row.wrong), requests.filter((row) => row.wrong)];
  const metrics: Record<string, number> = {
    duplicates: same.length / requests.length,
    'same questions kept, guard': share(same, ({ guard }) => guard >= 0.5),
    'same questions kept, rules': share(same, ({ refusal }) => refusal === undefined),
    'other questions refused, guard': share(other, ({ guard }) => guard < 0.5),
    'other questions refused, rules': share(other, ({ refusal }) => refusal !== undefined),
    'other questions refused, both': share(
      other,
      ({ guard, refusal }) => guard < 0.5 || refusal !== undefined,
    ),
  };
  const ci95: Record<string, readonly [number, number]> = {};
  for (const [name, way] of Object.entries(WAYS)) metrics[`AP, ${name}`] = precisionOf(requests, way);
  metrics['AP, guard alone'] = precisionOf(requests, (request) => request.guard);
  for (const target of TARGETS) {
    for (const [name, way] of Object.entries(WAYS)) {
      metrics[`hits at ${100 * target} % wrong, ${name}`] = mostHits(requests, way, target);
    }
  }
  for (const target of OF_HITS) {
    for (const [name, way] of Object.entries(WAYS)) {
      const named = `hits with ${100 * target} % of them wrong, ${name}`;
      metrics[named] = mostHits(requests, way, target, 'hits');
      if (name !== 'similarity' && name !== 'ours') continue;
      ci95[named] = bootstrap(
        requests.length,
        (at) => {
          const drawn = [...at].map((row) => requests[row]!);
          return mostHits(drawn, way, target, 'hits');
        },
        ROUNDS,
      );
    }
  }
  for (const name of ['guard', 'ours'] as const) {
    const ratio = (from: readonly Judged[]): number =>
      mostHits(from, WAYS[name], 0.01) / Math.max(mostHits(from, WAYS.similarity, 0.01), 1 / from.length);
    metrics[`${name} over similarity at 1 % wrong`] = ratio(requests);
    ci95[`${name} over similarity at 1 % wrong`] = bootstrap(
      requests.length,
      (at) => ratio([...at].map((row) => requests[row]!)),
      ROUNDS,
    );
  }
  const notes = [`\n${familyTable(requests)}`];
  if (options.calibrate === true) notes.push(calibrate(requests));
  printEval(
    { name: 'guard', model: embedder.model, n: rows.length, metrics, ci95, notes },
    options.json === true,
  );
}

function share(requests: readonly Judged[], is: (request: Judged) => boolean): number {
  return requests.filter(is).length / Math.max(1, requests.length);
}

/** A family at a guard of 0.5: how often it decides rightly, and what rules and both do. */
function familyTable(requests: readonly Judged[]): string {
  const families = Map.groupBy(requests, (request) => request.family);
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return table(
    [...families].sort().map(([family, rows]) => {
      const same = rows.filter((row) => !row.wrong);
      const other = rows.filter((row) => row.wrong);
      const accepts = (row: Judged): boolean => row.guard >= 0.5;
      return {
        family,
        pairs: rows.length,
        'same: guard keeps': same.length === 0 ? '' : percent(share(same, accepts)),
        'same: rules keep': same.length === 0 ? '' : percent(share(same, (row) => row.refusal === undefined)),
        'other: guard refuses': other.length === 0 ? '' : percent(share(other, (row) => !accepts(row))),
        'other: rules refuse':
          other.length === 0 ? '' : percent(share(other, (row) => row.refusal !== undefined)),
        'other: similarity above 0.9':
          other.length === 0 ? '' : percent(share(other, (row) => row.similarity >= 0.9)),
      };
    }),
  );
}

/** Logistic regression of "the same" on nearness and the guard's logit, behind the verifier, by Newton's method. */
function calibrate(requests: readonly Judged[]): string {
  const rows = requests
    .filter((request) => request.refusal === undefined && request.similarity >= 0.5)
    .map((request) => ({ x: [1, nearnessOf(request), certaintyOf(request)], y: request.wrong ? 0 : 1 }));
  const weights = [0, 0, 0];
  for (let round = 0; round < 30; round += 1) {
    const gradient = [0, 0, 0];
    const curvature = [0, 1, 2].map((at) => [0, 1, 2].map((to) => (at === to ? 1e-3 : 0)));
    for (const { x, y } of rows) {
      const p = 1 / (1 + Math.exp(-x.reduce((sum, value, at) => sum + value * weights[at]!, 0)));
      for (let at = 0; at < 3; at += 1) {
        gradient[at]! += (y - p) * x[at]!;
        for (let to = 0; to < 3; to += 1) curvature[at]![to]! += p * (1 - p) * x[at]! * x[to]!;
      }
    }
    solve(curvature, gradient).forEach((step, at) => {
      weights[at]! += step;
    });
  }
  return `calibration: bias ${weights[0]!.toFixed(3)}, similarity ${weights[1]!.toFixed(3)}, guard ${weights[2]!.toFixed(3)}`;
}

function nearnessOf(request: Judged): number {
  return -Math.log(Math.max(1 - request.similarity, 1e-3));
}

function certaintyOf(request: Judged): number {
  return Math.log(Math.max(request.guard, 1e-6) / Math.max(1 - request.guard, 1e-6));
}

/** Gauss-Jordan elimination of a small positive matrix, in place. */
function solve(matrix: number[][], values: number[]): number[] {
  const size = values.length;
  for (let at = 0; at < size; at += 1) {
    const pivot = matrix[at]![at]!;
    for (let column = 0; column < size; column += 1) matrix[at]![column]! /= pivot;
    values[at]! /= pivot;
    for (let row = 0; row < size; row += 1) {
      if (row === at) continue;
      const factor = matrix[row]![at]!;
      for (let column = 0; column < size; column += 1) matrix[row]![column]! -= factor * matrix[at]![column]!;
      values[row]! -= factor * values[at]!;
    }
  }
  return values;
}
