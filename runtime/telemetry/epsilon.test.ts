// What the shipped code really tells: two devices that differ in everything they did are run many times over,
// and no report may be more than e^epsilon likelier from one than from the other.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Trace } from '../types.ts';
import { DAY_MS } from './period.ts';
import { createSeededRandom } from './random.fixture.ts';
import { chainedOdds, type RandomBytes, randomize } from './randomize.ts';
import { EPSILON, METRIC_IDS, METRICS, SCHEMA_VERSION } from './schema.ts';
import { createMemoryTelemetryStore } from './state.ts';
import { createTelemetry } from './telemetry.ts';
import { traceOf } from './trace.fixture.ts';

// A test draws the same each time, alone or after others: chance fails none that passed once.
let random: RandomBytes;
beforeEach(() => {
  random = createSeededRandom(1);
});

// One-sided 99.99 % normal quantile; about 60 comparisons are made, so a sound mechanism fails with 1 seed in 160.
const Z = 3.719;

/** Lower confidence bound of ln(P(a) / P(b)) from two counts of n draws each; the delta method. */
function lossAtLeast(a: number, b: number, n: number): number {
  const [pa, pb] = [(a + 0.5) / (n + 1), (b + 0.5) / (n + 1)];
  const deviation = Math.sqrt((1 - pa) / (n * pa) + (1 - pb) / (n * pb));
  return Math.log(pa / pb) - Z * deviation;
}

/** The largest loss that the counts prove, over all outputs. */
function provenLoss(a: readonly number[], b: readonly number[], n: number): number {
  return Math.max(...a.map((count, at) => lossAtLeast(count, b[at] ?? 0, n)));
}

function tally(k: number, n: number, draw: () => number): number[] {
  const counts = Array.from({ length: k }, () => 0);
  for (let i = 0; i < n; i += 1) counts[draw()]! += 1;
  return counts;
}

describe('one randomised response', () => {
  const n = 200_000;
  const k = 4;

  it('proves no more loss than epsilon, and nearly that much', () => {
    for (const epsilon of [EPSILON.instant, EPSILON.permanent]) {
      const from0 = tally(k, n, () => randomize(0, k, epsilon, random));
      const from1 = tally(k, n, () => randomize(1, k, epsilon, random));
      const loss = Math.max(provenLoss(from0, from1, n), provenLoss(from1, from0, n));
      expect(loss).toBeLessThan(epsilon);
      expect(loss).toBeGreaterThan(epsilon - 0.1);
    }
  });

  it('would be found out if it told a tenth more than it says', () => {
    const from0 = tally(k, n, () => randomize(0, k, 1.1 * EPSILON.instant, random));
    const from1 = tally(k, n, () => randomize(1, k, 1.1 * EPSILON.instant, random));
    expect(provenLoss(from0, from1, n)).toBeGreaterThan(EPSILON.instant);
  });
});

const LOCAL = traceOf({});
const CLOUD = traceOf({
  tier: { id: 'bedrock', kind: 'cloud' },
  cache: { status: 'hit', reason: 'exact' },
  timings: { totalMs: 20_000, ttftMs: 5_000, steps: [] },
  receipt: { ...LOCAL.receipt, bytesOut: 100_000 },
});

/** Index of (metric, value) over all metrics: everything a report says but its nonce and its day. */
const OUTPUTS = METRIC_IDS.flatMap((metric) => METRICS[metric].map((value) => `${metric}=${value}`));

/** Runs a fresh device through `periods` periods of such requests; the reports it sends, as outputs. */
async function reportsOf(trace: Trace, requests: number, periods: number): Promise<number[]> {
  const clock = { at: Date.UTC(2026, 0, 1), now: () => clock.at, monotonic: () => clock.at };
  const telemetry = createTelemetry({ store: createMemoryTelemetryStore(), clock, random });
  await telemetry.optIn(SCHEMA_VERSION);
  const outputs: number[] = [];
  for (let period = 0; period < periods; period += 1) {
    for (let i = 0; i < requests; i += 1) telemetry.record(trace);
    await telemetry.settled();
    clock.at += 7 * DAY_MS;
    await telemetry.flush(async () => ({ status: 503 }));
    clock.at += DAY_MS - 1;
    await telemetry.flush(async (body) => {
      const { metric, value } = JSON.parse(new TextDecoder().decode(body)) as {
        metric: string;
        value: string;
      };
      outputs.push(OUTPUTS.indexOf(`${metric}=${value}`));
      return { status: 202 };
    });
  }
  return outputs;
}

describe('a whole device', () => {
  it('tells less than its stated epsilon with one report, whatever it did', async () => {
    const n = 4000;
    const bound = Math.max(
      ...METRIC_IDS.map((id) => chainedOdds(METRICS[id].length, EPSILON.permanent, EPSILON.instant).epsilon),
    );
    const [local, cloud] = [OUTPUTS.map(() => 0), OUTPUTS.map(() => 0)];
    for (let i = 0; i < n; i += 1) {
      for (const output of await reportsOf(LOCAL, 1, 1)) local[output]! += 1;
      for (const output of await reportsOf(CLOUD, 3, 1)) cloud[output]! += 1;
    }
    expect(local.reduce((sum, count) => sum + count, 0)).toBe(n);
    expect(provenLoss(local, cloud, n)).toBeLessThan(bound);
    expect(provenLoss(cloud, local, n)).toBeLessThan(bound);
    // And they do tell something: with the bound the test is no better than it can tell the two apart.
    expect(Math.max(provenLoss(local, cloud, n), provenLoss(cloud, local, n))).toBeGreaterThan(0.05);
  });

  it('cannot be averaged: all its reports together tell no more than its permanent answer', async () => {
    // An observer who links every report of a device takes the most frequent value. Against fresh noise eight
    // reports would find the truth far more often than one permanent answer allows.
    const devices = 600;
    let right = 0;
    let asked = 0;
    for (let i = 0; i < devices; i += 1) {
      const outputs = await reportsOf(CLOUD, 1, 8);
      const says = OUTPUTS[mostFrequent(outputs)] ?? '';
      if (!says.startsWith('tier=') && !says.startsWith('cache=')) continue;
      asked += 1;
      if (says === 'tier=cloud' || says === 'cache=hit') right += 1;
    }
    const permanent = Math.exp(EPSILON.permanent) / (Math.exp(EPSILON.permanent) + 3);
    const slack = Z * Math.sqrt((permanent * (1 - permanent)) / asked);
    expect(asked).toBeGreaterThan(100);
    expect(right / asked).toBeLessThan(permanent + slack);
  });
});

function mostFrequent(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? -1;
}
