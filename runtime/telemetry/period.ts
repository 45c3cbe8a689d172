// Owns what happens to a period's counts: counted one request at a time, then sealed into one report whose
// bytes never change. Pure functions over the state; the caller makes them atomic.
import type { Observation } from './observe.ts';
import { type RandomBytes, randomize, randomNonce, uniformInt, weightedIndex } from './randomize.ts';
import {
  BUCKET_BOUNDS,
  bucketOf,
  EPSILON,
  encodeReport,
  METRIC_IDS,
  METRICS,
  type MetricId,
  SCHEMA_VERSION,
} from './schema.ts';
import type { Period, Question, TelemetryState } from './state.ts';

export const DAY_MS = 86_400_000;

export interface PeriodSettings {
  readonly random: RandomBytes;
  readonly periodMs: number;
  readonly maxDelayMs: number;
  readonly expireMs: number;
  readonly lifetimeEpsilon: number;
}

/** Counts one request for the device's question; draws the question first if there is none. */
export function count(
  state: TelemetryState,
  seen: Observation,
  now: number,
  settings: PeriodSettings,
): TelemetryState {
  if (reportsLeft(state, settings.lifetimeEpsilon) === 0) return state;
  const question = state.question ?? drawQuestion(settings.random);
  const { metric } = question;
  const period = state.period ?? { startMs: now, requests: 0, counts: METRICS[metric].map(() => 0) };
  const counts = period.counts.map((value, at) => value + (at === seen[metric] ? 1 : 0));
  return { ...state, question, period: { ...period, requests: period.requests + 1, counts } };
}

function drawQuestion(random: RandomBytes): Question {
  const metric = METRIC_IDS[uniformInt(METRIC_IDS.length, random)] ?? 'tier';
  return { metric, permanent: METRICS[metric].map(() => -1) };
}

/**
 * Turns a finished period into one report and pays for it, in one atomic step: the answer is drawn once and
 * its bytes never change, however often they are tried.
 */
export function seal(state: TelemetryState, now: number, settings: PeriodSettings): TelemetryState {
  const { question, period } = state;
  if (question === undefined || period === undefined || now < period.startMs + settings.periodMs)
    return state;
  const { period: _closed, ...rest } = state;
  if (reportsLeft(state, settings.lifetimeEpsilon) === 0) return rest;
  const { random } = settings;
  const k = question.permanent.length;
  const truth = answerOf(question.metric, period, random);
  const kept = question.permanent[truth] ?? -1;
  const permanent = kept >= 0 ? kept : randomize(truth, k, EPSILON.permanent, random);
  const value = METRICS[question.metric][randomize(permanent, k, EPSILON.instant, random)] ?? '';
  const dueAtMs = now + uniformInt(settings.maxDelayMs + 1, random);
  const day = Math.floor(dueAtMs / DAY_MS);
  const body = encodeReport({
    v: SCHEMA_VERSION,
    day,
    metric: question.metric,
    value,
    nonce: randomNonce(random),
  });
  return {
    ...rest,
    question: {
      ...question,
      permanent: question.permanent.map((old, at) => (at === truth ? permanent : old)),
    },
    spentEpsilon: state.spentEpsilon + EPSILON.instant,
    outbox: [...state.outbox, { body, dueAtMs, expiresAtMs: dueAtMs + settings.expireMs }],
  };
}

/** The period's true value: that of one of its requests drawn at random, or how many there were. */
function answerOf(metric: MetricId, period: Period, random: RandomBytes): number {
  if (metric === 'requests') return bucketOf(period.requests, BUCKET_BOUNDS.requests);
  return weightedIndex(period.counts, random);
}

/** Whole reports the lifetime budget still pays for. */
export function reportsLeft(state: TelemetryState, lifetimeEpsilon: number): number {
  // A hair of slack, so that 8 x 1.5 fits 12 whatever the order of the sums.
  return Math.max(0, Math.floor((lifetimeEpsilon - state.spentEpsilon) / EPSILON.instant + 1e-9));
}
