// How many telemetry reports until the tier mix is known within 5 points, beside basic RAPPOR at the same two
// epsilons; and what the shipped randomiser proves to leak. Reports are simulated one by one through it.
import {
  chainedOdds,
  cryptoRandom,
  EPSILON,
  estimateShares,
  METRIC_IDS,
  METRICS,
  type RandomBytes,
  type ResponseOdds,
  randomize,
} from 'nearfield/telemetry';
import type { ScriptCommand } from '../cli.ts';
import { mulberry32, printEval } from '../report.ts';

// An assumed mix, in percent, over METRICS.tier; a flatter one needs about a tenth more reports.
const MIX = [62, 27, 8, 3];
const WITHIN = 0.05;
const CONFIDENCE = 0.95;
const K = METRICS.tier.length;

type Estimator = (reports: number) => readonly number[];

const command: ScriptCommand = {
  summary: 'telemetry: reports until the tier mix is within 5 points, and the epsilon that is measured',
  configure(options) {
    options
      .option('--runs <n>', 'simulated surveys a size', '200')
      .action((given: { runs: string; json?: boolean }) => {
        const runs = Number(given.runs);
        const odds = chainedOdds(K, EPSILON.permanent, EPSILON.instant);
        const ours = reportsNeeded(estimateOurs, odds, runs);
        const rappor = reportsNeeded(estimateRappor, RAPPOR_ODDS, runs);
        printEval(
          {
            name: 'telemetry',
            model: `k-ary randomised response, k ${K}, permanent ${EPSILON.permanent}, instant ${EPSILON.instant}`,
            n: runs,
            metrics: {
              reportsWithin5Points: ours.reports,
              devicesWithin5Points: ours.reports * METRIC_IDS.length,
              rapporReportsWithin5Points: rappor.reports,
              rapporOverOurs: rappor.reports / ours.reports,
              epsilonOneReport: odds.epsilon,
              epsilonOneReportMeasured: measuredEpsilon(400_000),
            },
            // The grid's last size that fell short, and the first that did not.
            ci95: {
              reportsWithin5Points: [ours.tooFew, ours.reports],
              rapporReportsWithin5Points: [rappor.tooFew, rappor.reports],
            },
            notes: [
              `Within 5 points: every tier's share, in ${CONFIDENCE * 100} % of ${runs} surveys; true mix ${MIX.join('/')} %.`,
              `A device answers one of ${METRIC_IDS.length} questions, so a mix needs ${METRIC_IDS.length} times as many devices as reports.`,
              'Beside reportsWithin5Points: the grid size that fell short, and the one that did.',
              'RAPPOR: one bit a value, symmetric noise in both stages, same permanent and instant epsilon.',
            ],
          },
          given.json ?? false,
        );
      });
  },
};

export { command };

/** The smallest size of a growing grid at which the estimate is good enough often enough. */
function reportsNeeded(
  estimate: Estimator,
  odds: ResponseOdds,
  runs: number,
): { reports: number; tooFew: number } {
  let tooFew = 0;
  for (let reports = startOf(odds); ; reports = Math.ceil(reports * 1.1)) {
    let good = 0;
    for (let run = 0; run < runs; run += 1) if (isWithin(estimate(reports))) good += 1;
    if (good >= CONFIDENCE * runs) return { reports, tooFew };
    tooFew = reports;
  }
}

/** Where one share alone would be within the bound: all of them together need more, so the grid begins here. */
function startOf({ p, q }: ResponseOdds): number {
  return Math.ceil((1.96 / WITHIN) ** 2 * ((q * (1 - q)) / (p - q) ** 2));
}

function isWithin(shares: readonly number[]): boolean {
  return shares.every((share, at) => Math.abs(share - (MIX[at] ?? 0) / 100) <= WITHIN);
}

function estimateOurs(reports: number): readonly number[] {
  const counts = METRICS.tier.map(() => 0);
  for (let i = 0; i < reports; i += 1) {
    const permanent = randomize(drawTier(), K, EPSILON.permanent, random);
    counts[randomize(permanent, K, EPSILON.instant, random)]! += 1;
  }
  const odds = chainedOdds(K, EPSILON.permanent, EPSILON.instant);
  return estimateShares(counts, odds).map(({ share }) => share);
}

/**
 * Basic RAPPOR without hashing: a bit a value, each flipped twice. Two values differ in two bits, so each bit
 * has half of each epsilon. Its counts are drawn whole, as binomials by their normal limit; no report is made.
 * Source: Erlingsson et al., CCS 2014, sections 2 and 3.
 */
const RAPPOR_ODDS = chainedOdds(2, EPSILON.permanent / 2, EPSILON.instant / 2);
function estimateRappor(reports: number): readonly number[] {
  const { p, q } = RAPPOR_ODDS;
  return MIX.map((percent) => {
    const chance = q + (percent / 100) * (p - q);
    const noisy = chance + Math.sqrt((chance * (1 - chance)) / reports) * gaussian();
    return (noisy - q) / (p - q);
  });
}

/** Box and Muller, over the seeded generator that reports use: a simulation's noise, not privacy's. */
const seeded = mulberry32(1);
function gaussian(): number {
  return Math.sqrt(-2 * Math.log(1 - seeded())) * Math.cos(2 * Math.PI * seeded());
}

/** ln of the largest ratio seen between two true values' chances of one output. */
function measuredEpsilon(draws: number): number {
  const [a, b] = [0, 1].map((truth) => {
    const counts = METRICS.tier.map(() => 0);
    for (let i = 0; i < draws; i += 1) {
      counts[randomize(randomize(truth, K, EPSILON.permanent, random), K, EPSILON.instant, random)]! += 1;
    }
    return counts;
  });
  return Math.max(...METRICS.tier.map((_tier, at) => Math.abs(Math.log((a?.[at] ?? 1) / (b?.[at] ?? 1)))));
}

function drawTier(): number {
  let left = Math.floor(seeded() * 100);
  return MIX.findIndex((percent) => {
    left -= percent;
    return left < 0;
  });
}

/** The shipped source, in blocks: one call a draw would be most of the time. */
const random: RandomBytes = (() => {
  const block = new Uint8Array(65_536);
  let at = block.length;
  return (bytes: Uint8Array<ArrayBuffer>) => {
    if (at + bytes.length > block.length) {
      cryptoRandom(block);
      at = 0;
    }
    bytes.set(block.subarray(at, at + bytes.length));
    at += bytes.length;
  };
})();
