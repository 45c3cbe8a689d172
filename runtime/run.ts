// Owns what one request gathers on its way to its receipt and trace. Starts closed: until the policy has
// decided, the decision says that nothing may leave. Holds no text.
import { isNearfieldError } from './errors.ts';
import { createTracer, type Tracer } from './tracer.ts';
import type {
  CacheReport,
  Clock,
  EgressPermit,
  PolicyDecision,
  Receipt,
  SpanType,
  TierKind,
  TierRef,
  Trace,
  Usage,
} from './types.ts';

export const CACHE_TIER: TierRef = { id: 'cache', kind: 'device' };
export const NO_TIER: TierRef = { id: 'none', kind: 'device' };
export const NO_USAGE: Usage = { promptTokens: 0, completionTokens: 0 };
export const FAIL_CLOSED: PolicyDecision = {
  farthest: 'device',
  sensitivity: 'secret',
  rules: [],
  explanation: 'The request ended before the policy decided, so nothing could leave.',
  redact: { edge: true, cloud: true },
  cacheable: false,
  spanCounts: {},
};

/** What one request gathers on its way. Mutable, private to the request. */
export interface Run {
  readonly id: string;
  readonly startedAtMs: number;
  /** Whose chain its receipt joins. */
  readonly chain: string | undefined;
  readonly tracer: Tracer;
  readonly permits: EgressPermit[];
  decision: PolicyDecision;
  /** What the person had agreed to when the policy decided. */
  consent: TierKind | undefined;
  redactedByType: Readonly<Partial<Record<SpanType, number>>>;
  tier: TierRef;
  cache: CacheReport;
  attempts: Trace['attempts'];
  usage: Usage | undefined;
  receipt: Receipt | undefined;
}

export function startRun(clock: Clock, chain?: string): Run {
  return {
    id: `chatcmpl-${crypto.randomUUID()}`,
    startedAtMs: clock.now(),
    chain,
    tracer: createTracer(clock),
    permits: [],
    decision: FAIL_CLOSED,
    consent: undefined,
    redactedByType: {},
    tier: NO_TIER,
    cache: { status: 'bypass', reason: 'not-asked' },
    attempts: [],
    usage: undefined,
    receipt: undefined,
  };
}

/** The run as a closed trace. */
export function traceOf(run: Run, outcome: Trace['outcome'], failure: unknown, receipt: Receipt): Trace {
  return {
    id: run.id,
    startedAtMs: run.startedAtMs,
    outcome,
    errorCode: isNearfieldError(failure) ? failure.code : undefined,
    tier: run.tier === NO_TIER ? undefined : run.tier,
    cache: run.cache,
    timings: run.tracer.timings(),
    usage: run.usage,
    receipt,
    decision: run.decision,
    attempts: run.attempts,
  };
}

/** What the receipt says, from the run's permits. */
export function receiptDraft(run: Run, atMs: number): Omit<Receipt, 'sequence' | 'previous' | 'hash'> {
  return {
    ...(run.chain !== undefined && { chain: run.chain }),
    requestId: run.id,
    atMs,
    tier: run.tier,
    rules: run.decision.rules,
    redactedByType: run.redactedByType,
    bytesOut: run.permits.reduce((sum, permit) => sum + permit.bytesOut(), 0),
    hosts: [...new Set(run.permits.flatMap((permit) => permit.hosts()))],
  };
}
