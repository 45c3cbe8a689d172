// Owns opt-in telemetry on the device: consent, counting, one randomised report a period, the outbox.
// Refuses to count before consent, to spend past the lifetime budget, and to send bytes not in the outbox.
import { NearfieldError } from '../errors.ts';
import type { Clock, TelemetryRecorder } from '../types.ts';
import { observe } from './observe.ts';
import { count, DAY_MS, reportsLeft, seal } from './period.ts';
import { cryptoRandom, type RandomBytes } from './randomize.ts';
import { EPSILON, METRICS, type MetricId, SCHEMA_VERSION } from './schema.ts';
import {
  type Consent,
  EMPTY_STATE,
  type OutboxEntry,
  type Period,
  readState,
  type TelemetryState,
  type TelemetryStore,
} from './state.ts';

export interface TelemetryOptions {
  readonly store: TelemetryStore;
  readonly clock?: Clock | undefined;
  /** Cryptographically strong bytes. Default: the platform's `crypto.getRandomValues`. */
  readonly random?: RandomBytes | undefined;
  /** One report a period at most. Default 7 days. */
  readonly periodMs?: number | undefined;
  /** A report waits a uniformly random time up to this before it goes. Default 1 day. */
  readonly maxDelayMs?: number | undefined;
  /** An unsent report is dropped this long after it was due. Default 1 day. */
  readonly expireMs?: number | undefined;
  /** Privacy loss after which this device never reports again. Default 12, that is 8 reports. */
  readonly lifetimeEpsilon?: number | undefined;
}

/** What must be shown to the person before consent; words for people are the app's. */
export interface TelemetryNotice {
  readonly version: number;
  /** Every metric and every value it can take. One of them, drawn at random, is the device's question. */
  readonly metrics: typeof METRICS;
  readonly epsilon: typeof EPSILON;
  readonly lifetimeEpsilon: number;
  readonly periodMs: number;
}

/** Everything telemetry holds about this device, for the page to show. */
export interface TelemetryStatus {
  readonly consent: Consent;
  readonly budget: {
    readonly spentEpsilon: number;
    readonly lifetimeEpsilon: number;
    readonly reportsLeft: number;
  };
  /** The one metric this device is asked about; absent before the first counted request. */
  readonly metric?: MetricId | undefined;
  readonly period?: Period | undefined;
  /** The exact bytes that will go, and when. */
  readonly outbox: readonly OutboxEntry[];
}

/** Sends one body; anything with a `status`, like a Response, will do. */
export type SendReport = (
  body: Uint8Array<ArrayBuffer>,
  options: { readonly signal: AbortSignal },
) => Promise<{ readonly status: number }>;

export interface Telemetry extends TelemetryRecorder {
  notice(): TelemetryNotice;
  /** Consent to the notice of this version, after it was shown. @throws invalid-request when it is another one. */
  optIn(noticeVersion: number): Promise<void>;
  /** Stops any send under way and erases everything but the budget spent, which must not refill. */
  optOut(): Promise<void>;
  status(): Promise<TelemetryStatus>;
  /** Sends what is due, one report a body. Returns how many went. A failed one stays, byte for byte. */
  flush(send: SendReport): Promise<number>;
  /** Resolves when every `record` so far is counted or dropped. */
  settled(): Promise<void>;
}

/** Telemetry that is off until `optIn`. Every failure stays inside: `record` never throws. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const settings = { ...DEFAULTS, ...defined(options) };
  const { store, clock } = settings;
  let tail: Promise<void> = Promise.resolve();
  let stop = new AbortController();

  const update = async (change: (state: TelemetryState) => TelemetryState): Promise<TelemetryState> => {
    let after = EMPTY_STATE;
    await store.update((stored) => {
      const before = readState(stored);
      after = change(before);
      return after === before ? stored : after;
    });
    return after;
  };

  const dueReports = async (): Promise<readonly OutboxEntry[]> => {
    const now = clock.now();
    const state = await update((before) =>
      isOn(before) ? expire(seal(before, now, settings), now) : before,
    );
    return isOn(state) ? state.outbox.filter((entry) => entry.dueAtMs <= now) : [];
  };

  const sendOne = async (entry: OutboxEntry, send: SendReport, signal: AbortSignal): Promise<boolean> => {
    if (signal.aborted) return false;
    const status = await send(new TextEncoder().encode(entry.body), { signal }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 0 || status === 408 || status === 429 || status >= 500) return false;
    await update((state) => withoutEntry(state, entry));
    return status < 300;
  };

  return {
    notice: () => ({
      version: SCHEMA_VERSION,
      metrics: METRICS,
      epsilon: EPSILON,
      lifetimeEpsilon: settings.lifetimeEpsilon,
      periodMs: settings.periodMs,
    }),
    async optIn(noticeVersion) {
      if (noticeVersion !== SCHEMA_VERSION) {
        throw new NearfieldError(
          'invalid-request',
          `Telemetry consent was for notice ${noticeVersion}; show notice ${SCHEMA_VERSION} and ask again.`,
          { param: 'noticeVersion' },
        );
      }
      stop = new AbortController();
      await update((state) =>
        isOn(state) ? state : { ...erased(state), consent: 'granted', noticeVersion },
      );
    },
    async optOut() {
      stop.abort();
      await update((state) => ({ ...erased(state), consent: 'refused' }));
    },
    record(trace) {
      const seen = observe(trace);
      const now = clock.now();
      const counted = update((state) =>
        isOn(state) ? count(seal(state, now, settings), seen, now, settings) : state,
      );
      tail = Promise.allSettled([tail, counted]).then(() => undefined);
    },
    async status() {
      await tail;
      return describe(await update((state) => state), settings.lifetimeEpsilon);
    },
    async flush(send) {
      await tail;
      const { signal } = stop;
      let sent = 0;
      for (const entry of await dueReports()) if (await sendOne(entry, send, signal)) sent += 1;
      return sent;
    },
    settled: () => tail,
  };
}

type Settings = Required<{ [K in keyof TelemetryOptions]: NonNullable<TelemetryOptions[K]> }>;

const DEFAULTS: Omit<Settings, 'store'> = {
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  random: cryptoRandom,
  periodMs: 7 * DAY_MS,
  maxDelayMs: DAY_MS,
  expireMs: DAY_MS,
  lifetimeEpsilon: 12,
};

function defined(options: TelemetryOptions): Pick<Settings, 'store'> & Partial<Settings> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Pick<Settings, 'store'> & Partial<Settings>;
}

/** Consent to an older notice is no consent to this one. */
function isOn(state: TelemetryState): boolean {
  return state.consent === 'granted' && state.noticeVersion === SCHEMA_VERSION;
}

function erased(state: TelemetryState): TelemetryState {
  return { ...EMPTY_STATE, spentEpsilon: state.spentEpsilon };
}

function expire(state: TelemetryState, now: number): TelemetryState {
  const outbox = state.outbox.filter((entry) => entry.expiresAtMs > now);
  return outbox.length === state.outbox.length ? state : { ...state, outbox };
}

function withoutEntry(state: TelemetryState, gone: OutboxEntry): TelemetryState {
  return { ...state, outbox: state.outbox.filter((entry) => entry.body !== gone.body) };
}

function describe(state: TelemetryState, lifetimeEpsilon: number): TelemetryStatus {
  return {
    consent: isOn(state) ? 'granted' : state.consent === 'granted' ? 'unasked' : state.consent,
    budget: {
      spentEpsilon: state.spentEpsilon,
      lifetimeEpsilon,
      reportsLeft: reportsLeft(state, lifetimeEpsilon),
    },
    metric: state.question?.metric,
    period: state.period,
    outbox: state.outbox,
  };
}
