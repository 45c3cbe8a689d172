// Owns the one look telemetry takes at a trace: one bucket index a metric, and nothing else of it.
import type { Trace } from '../types.ts';
import { BUCKET_BOUNDS, bucketOf, METRICS, type MetricId, OUTCOME_OF } from './schema.ts';

/** A trace's shadow: the index of its value, a metric. */
export type Observation = Readonly<Record<MetricId, number>>;

export function observe(trace: Trace): Observation {
  const { timings, receipt } = trace;
  const ttft = timings.ttftMs;
  return {
    tier: valueIndex('tier', trace.outcome === 'ok' ? (trace.tier?.kind ?? 'none') : 'none'),
    cache: valueIndex('cache', trace.cache.status),
    outcome: valueIndex('outcome', outcomeOf(trace)),
    ttftMs: ttft === undefined ? 0 : 1 + bucketOf(ttft, BUCKET_BOUNDS.ttftMs),
    totalMs: bucketOf(timings.totalMs, BUCKET_BOUNDS.totalMs),
    egressBytes: bucketOf(receipt.bytesOut, BUCKET_BOUNDS.egressBytes),
    requests: 0,
  };
}

function outcomeOf(trace: Trace): string {
  if (trace.outcome !== 'error') return trace.outcome;
  return trace.errorCode === undefined ? 'other' : OUTCOME_OF[trace.errorCode];
}

function valueIndex(metric: MetricId, value: string): number {
  const values: readonly string[] = METRICS[metric];
  return Math.max(0, values.indexOf(value));
}
