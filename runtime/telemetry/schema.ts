// Owns the closed telemetry schema: every metric, every value it can take, and the one report shape.
// There is no free text, no number and no identifier in it; a new metric is a new version and a new notice.
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';

/** Version of the metrics below. A change asks for consent again. */
export const SCHEMA_VERSION = 1;

/**
 * Epsilon of the two stages every answer passes (randomize.ts). `permanent` bounds what any number of reports
 * tell about an answer that stays the same; `instant` is what one more report may cost at worst, and is what
 * the lifetime budget is charged. Chosen, with `npm run eval -- telemetry`, so that one report alone tells
 * less than epsilon 1 and some thousand reports give a usable mix.
 */
export const EPSILON = { permanent: 2, instant: 1.5 } as const;

/**
 * Metric to its closed list of values. All lists are shorter than 3e^epsilon + 2 (10.1 for epsilon 1), where k-ary
 * randomised response has the smallest variance of the known local oracles.
 * Source: Wang, Blocki, Li, Jha, "Locally Differentially Private Protocols for Frequency Estimation",
 * USENIX Security 2017, section 5.
 */
export const METRICS = {
  tier: ['device', 'edge', 'cloud', 'none'],
  cache: ['hit', 'stale', 'miss', 'bypass'],
  outcome: ['ok', 'aborted', 'policy', 'engine', 'upstream', 'limits', 'other'],
  ttftMs: ['none', '0-50', '50-100', '100-250', '250-500', '500-1000', '1000-2500', '2500+'],
  totalMs: ['0-50', '50-100', '100-250', '250-500', '500-1000', '1000-2500', '2500-10000', '10000+'],
  egressBytes: ['0', '1-1024', '1025-8192', '8193-65536', '65537+'],
  requests: ['1', '2-5', '6-20', '21-100', '101+'],
} as const;

export type MetricId = keyof typeof METRICS;

export const METRIC_IDS: readonly MetricId[] = Object.freeze(Object.keys(METRICS) as MetricId[]);

/** Upper bounds, exclusive, between the buckets of the metrics made from numbers. */
export const BUCKET_BOUNDS = {
  ttftMs: [50, 100, 250, 500, 1000, 2500],
  totalMs: [50, 100, 250, 500, 1000, 2500, 10_000],
  egressBytes: [1, 1025, 8193, 65_537],
  requests: [2, 6, 21, 101],
} as const;

/** Index of the bucket a number falls into: 0…bounds.length. */
export function bucketOf(value: number, bounds: readonly number[]): number {
  const at = bounds.findIndex((bound) => value < bound);
  return at === -1 ? bounds.length : at;
}

/** Error code to the coarse outcome that may be counted. */
export const OUTCOME_OF: Readonly<Record<ErrorCode, (typeof METRICS)['outcome'][number]>> = Object.freeze({
  'invalid-request': 'other',
  'no-tier': 'policy',
  'egress-denied': 'policy',
  'policy-failed': 'policy',
  'redaction-failed': 'policy',
  'integrity-mismatch': 'engine',
  'model-not-found': 'engine',
  'model-unsupported': 'engine',
  'model-load-failed': 'engine',
  'backend-unavailable': 'engine',
  'golden-mismatch': 'engine',
  'device-lost': 'engine',
  'out-of-memory': 'engine',
  'context-overflow': 'limits',
  'queue-full': 'limits',
  'storage-failed': 'other',
  'quota-exceeded': 'limits',
  'upstream-timeout': 'upstream',
  'upstream-unavailable': 'upstream',
  'upstream-throttled': 'upstream',
  'upstream-rejected': 'upstream',
  'upstream-cut': 'upstream',
  unauthorized: 'upstream',
  'rate-limited': 'limits',
  'budget-exhausted': 'limits',
  'payload-too-large': 'limits',
  internal: 'other',
});

/** What one device sends: one randomised value of one metric. */
export interface Report {
  readonly v: typeof SCHEMA_VERSION;
  /** UTC day number on which the report was due to go; what replays are judged by. */
  readonly day: number;
  readonly metric: MetricId;
  readonly value: string;
  /** 128 random bits, base64url, drawn for this report alone; lets the collector drop a replay. */
  readonly nonce: string;
}

/** Bytes of every report's body: all reports look alike to whoever counts bytes on the wire. */
export const REPORT_BYTES = 160;

const envelope = z.strictObject({
  v: z.literal(SCHEMA_VERSION),
  day: z.int().min(0).max(200_000),
  metric: z.enum(METRIC_IDS),
  value: z.string().max(16),
  nonce: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  pad: z.string().regex(/^0*$/),
});

/** The exact body of a report, padded to {@link REPORT_BYTES}. ASCII, so one character is one byte. */
export function encodeReport(report: Report): string {
  const { v, day, metric, value, nonce } = report;
  const bare = JSON.stringify({ v, day, metric, value, nonce, pad: '' });
  return JSON.stringify({ v, day, metric, value, nonce, pad: '0'.repeat(REPORT_BYTES - bare.length) });
}

/**
 * Reads a body strictly: its length, its keys, its values and its very spelling (it must be what
 * {@link encodeReport} makes), so no channel is left to smuggle anything in. Undefined when it is not a report.
 */
export function decodeReport(body: string): Report | undefined {
  if (body.length !== REPORT_BYTES) return undefined;
  const parsed = envelope.safeParse(parseJson(body));
  if (!parsed.success) return undefined;
  const { pad: _pad, ...report } = parsed.data;
  const values: readonly string[] = METRICS[report.metric];
  if (!values.includes(report.value)) return undefined;
  return encodeReport(report) === body ? report : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
