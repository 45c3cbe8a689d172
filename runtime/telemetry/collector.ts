// Owns the receiving end of telemetry: strict reading, replays and floods dropped, counts kept by cohort, and
// a cohort's estimates published once, when it is closed. Keeps no report, no address and no time but a week.
import type { Clock } from '../types.ts';
import { estimateShares } from './estimate.ts';
import { DAY_MS } from './period.ts';
import { chainedOdds, cryptoRandom, randomNonce } from './randomize.ts';
import { decodeReport, EPSILON, METRIC_IDS, METRICS, type MetricId, type Report } from './schema.ts';

/** How many reports of one cohort gave one value of one metric. */
export interface Cell {
  /** Number of the cohort: day divided by the cohort's days. */
  readonly cohort: number;
  readonly metric: MetricId;
  readonly value: string;
  readonly count: number;
}

/** Where the counts are kept. Holds cells and spent nonces, never a report. */
export interface CollectorStore {
  /** Spends a nonce; false when it was spent before. Kept until after `lastDay`. */
  claim(nonce: string, lastDay: number): Promise<boolean>;
  /** Adds one to a cell. */
  add(cell: Omit<Cell, 'count'>): Promise<void>;
  cells(): Promise<readonly Cell[]>;
  /** Forgets nonces whose last day is before `day`. */
  prune(day: number): Promise<void>;
}

/** What became of a body. Only `accepted` was counted. */
export type Verdict = 'accepted' | 'malformed' | 'stale' | 'replayed' | 'capped';

/** One published value. `undefined` shares of suppressed values are not published at all. */
export interface PublishedCell {
  readonly value: string;
  readonly reports: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

export interface PublishedMetric {
  readonly metric: MetricId;
  /** First and last UTC day, ISO 8601. */
  readonly from: string;
  readonly to: string;
  readonly reports: number;
  readonly cells: readonly PublishedCell[];
  /** Values held back because too few reports gave them, or to keep such a one from being worked out. */
  readonly suppressed: number;
}

export interface PublishedReport {
  readonly k: number;
  readonly epsilon: typeof EPSILON;
  readonly metrics: readonly PublishedMetric[];
}

export interface CollectorOptions {
  readonly store: CollectorStore;
  readonly clock?: Clock | undefined;
  /** A cell is published only with at least this many reports. Default 50. */
  readonly k?: number | undefined;
  /** Days of reports that are published together. Default 7. */
  readonly cohortDays?: number | undefined;
  /** A report may arrive this many days after its day. Default 2. */
  readonly windowDays?: number | undefined;
  /** Reports taken from one source a day; a household or an office shares one. Default 20. */
  readonly perSourceDay?: number | undefined;
}

export interface Collector {
  /** Judges and counts one body. `source` tells senders apart for the cap; it is never stored. */
  accept(body: string, source: string): Promise<Verdict>;
  /** What may be published by now. */
  published(): Promise<PublishedReport>;
}

export function createCollector(options: CollectorOptions): Collector {
  const { store, clock = { now: () => Date.now(), monotonic: () => performance.now() } } = options;
  const { k = 50, cohortDays = 7, windowDays = 2, perSourceDay = 20 } = options;
  const today = (): number => Math.floor(clock.now() / DAY_MS);
  const cap = createSourceCap(perSourceDay);
  let prunedDay = -1;

  const pruneDaily = async (day: number): Promise<void> => {
    if (prunedDay === day) return;
    prunedDay = day;
    await store.prune(day);
  };

  return {
    async accept(body, source) {
      const day = today();
      if (!(await cap.take(source, day))) return 'capped';
      const report = decodeReport(body);
      if (report === undefined) return 'malformed';
      if (isOutsideWindow(report, day, windowDays)) return 'stale';
      await pruneDaily(day);
      if (!(await store.claim(report.nonce, report.day + windowDays))) return 'replayed';
      await store.add({
        cohort: Math.floor(report.day / cohortDays),
        metric: report.metric,
        value: report.value,
      });
      return 'accepted';
    },
    async published() {
      // A cohort is published when nothing more can be added to it, so no two releases differ by one report.
      const closed = (cell: Cell) => (cell.cohort + 1) * cohortDays + windowDays <= today();
      const cells = (await store.cells()).filter(closed);
      const cohorts = [...new Set(cells.map((cell) => cell.cohort))].sort((a, b) => a - b);
      const metrics = cohorts.flatMap((cohort) =>
        METRIC_IDS.map((metric) => publish(metric, cohort, cohortDays, k, cells)).filter(
          (entry) => entry !== undefined,
        ),
      );
      return { k, epsilon: EPSILON, metrics };
    },
  };
}

/** A device's clock may run a day ahead; one further off is wrong or lying. */
function isOutsideWindow(report: Report, day: number, windowDays: number): boolean {
  return report.day < day - windowDays || report.day > day + 1;
}

function publish(
  metric: MetricId,
  cohort: number,
  cohortDays: number,
  k: number,
  cells: readonly Cell[],
): PublishedMetric | undefined {
  const of = cells.filter((cell) => cell.cohort === cohort && cell.metric === metric);
  const counts = METRICS[metric].map((value) => of.find((cell) => cell.value === value)?.count ?? 0);
  const reports = counts.reduce((sum, count) => sum + count, 0);
  const shown = publishable(counts, k);
  if (!shown.includes(true)) return undefined;
  const odds = chainedOdds(counts.length, EPSILON.permanent, EPSILON.instant);
  const estimates = estimateShares(counts, odds);
  const published = METRICS[metric].flatMap((value, at): PublishedCell[] => {
    const estimate = estimates[at];
    if (!shown[at] || estimate === undefined) return [];
    const { share, low, high } = estimate;
    return [{ value, reports: counts[at] ?? 0, share, low, high }];
  });
  return {
    metric,
    from: isoDay(cohort * cohortDays),
    to: isoDay((cohort + 1) * cohortDays - 1),
    reports,
    cells: published,
    suppressed: shown.filter((show) => !show).length,
  };
}

/**
 * Which cells may be shown: those with at least k reports, and never all but one, because the total less the
 * shown would then be the hidden one. In that case the smallest shown one is held back too.
 */
function publishable(counts: readonly number[], k: number): boolean[] {
  const shown = counts.map((count) => count >= k);
  if (shown.filter((show) => !show).length !== 1) return shown;
  const smallest = Math.min(...counts.filter((_count, at) => shown[at]));
  const at = counts.findIndex((count, index) => shown[index] && count === smallest);
  return shown.map((show, index) => show && index !== at);
}

/** Counts takes a source and day, under a hash salted anew each day; a memory dump holds no address. */
function createSourceCap(perDay: number): { take(source: string, day: number): Promise<boolean> } {
  const maxSources = 100_000;
  let current = -1;
  let salt = '';
  let taken = new Map<string, number>();
  return {
    async take(source, day) {
      if (day !== current) {
        current = day;
        salt = randomNonce(cryptoRandom);
        taken = new Map();
      }
      const bytes = new TextEncoder().encode(`${salt}${source}`);
      const key = String.fromCharCode(...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
      const count = (taken.get(key) ?? 0) + 1;
      // A flood of sources must not grow the map without end: beyond it, new sources wait for tomorrow.
      if (count > perDay || (count === 1 && taken.size >= maxSources)) return false;
      taken.set(key, count);
      return true;
    },
  };
}

function isoDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Keeps cells and nonces in memory: for tests and for an edge without a database. */
export function createMemoryCollectorStore(): CollectorStore {
  const cells = new Map<string, Cell>();
  const nonces = new Map<string, number>();
  return {
    async claim(nonce, lastDay) {
      if (nonces.has(nonce)) return false;
      nonces.set(nonce, lastDay);
      return true;
    },
    async add(cell) {
      const key = `${cell.cohort}/${cell.metric}/${cell.value}`;
      cells.set(key, { ...cell, count: (cells.get(key)?.count ?? 0) + 1 });
    },
    cells: async () => [...cells.values()],
    async prune(day) {
      for (const [nonce, lastDay] of nonces) if (lastDay < day) nonces.delete(nonce);
    },
  };
}
