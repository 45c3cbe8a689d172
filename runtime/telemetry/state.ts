// Owns what telemetry keeps on the device, how it is read back and the stores it is kept in.
// Unreadable state never means "start anew": the budget already spent would be forgotten.
import { z } from 'zod';
import { METRIC_IDS, type MetricId } from './schema.ts';

export type Consent = 'unasked' | 'granted' | 'refused';

/** A report waiting to go: the body is the very bytes that will be sent. */
export interface OutboxEntry {
  readonly body: string;
  /** Unix epoch, milliseconds. */
  readonly dueAtMs: number;
  readonly expiresAtMs: number;
}

/** The one question this device answers, drawn at random for as long as consent lasts. */
export interface Question {
  readonly metric: MetricId;
  /** Permanent answer a true value, drawn when first needed; -1 before that. */
  readonly permanent: readonly number[];
}

/** What is counted in the period under way, for the drawn question alone. */
export interface Period {
  /** Unix epoch, milliseconds. */
  readonly startMs: number;
  readonly requests: number;
  /** Requests a value of the question's metric. */
  readonly counts: readonly number[];
}

export interface TelemetryState {
  readonly consent: Consent;
  /** Version of the notice that consent was given to. */
  readonly noticeVersion: number;
  /** Lifetime privacy loss so far. Outlives opt-out, or opting in again would refill the budget. */
  readonly spentEpsilon: number;
  readonly question?: Question | undefined;
  readonly period?: Period | undefined;
  readonly outbox: readonly OutboxEntry[];
}

/** Where the state is kept. `update` is atomic: no other update runs between its read and its write. */
export interface TelemetryStore {
  /** `change` gets what is stored (undefined at first) and returns what to store; the same value is not written. */
  update(change: (stored: unknown) => unknown): Promise<void>;
}

export const EMPTY_STATE: TelemetryState = Object.freeze({
  consent: 'unasked',
  noticeVersion: 0,
  spentEpsilon: 0,
  outbox: [],
});

const count = z.int().min(0).max(1_000_000_000);
const stateSchema: z.ZodType<TelemetryState> = z.strictObject({
  consent: z.enum(['unasked', 'granted', 'refused']),
  noticeVersion: z.int(),
  spentEpsilon: z.number().min(0),
  question: z
    .strictObject({ metric: z.enum(METRIC_IDS), permanent: z.array(z.int().min(-1).max(31)) })
    .optional(),
  period: z.strictObject({ startMs: z.number(), requests: count, counts: z.array(count) }).optional(),
  outbox: z.array(z.strictObject({ body: z.string(), dueAtMs: z.number(), expiresAtMs: z.number() })),
});

/** Stored state, checked. Anything unreadable counts as refused with the whole budget gone. */
export function readState(stored: unknown): TelemetryState {
  if (stored === undefined || stored === null) return EMPTY_STATE;
  const parsed = stateSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  return { ...EMPTY_STATE, consent: 'refused', spentEpsilon: Number.MAX_VALUE };
}

/** Keeps the state in memory: for tests, and for apps that want telemetry to forget with the page. */
export function createMemoryTelemetryStore(initial?: unknown): TelemetryStore {
  let kept = initial;
  return {
    async update(change) {
      kept = structuredClone(change(kept));
    },
  };
}

export interface WebTelemetryStoreOptions {
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  /** Orders the tabs of one origin, so two of them cannot spend the same budget. */
  readonly locks?: Pick<LockManager, 'request'> | undefined;
  /** Default `nearfield.telemetry`. */
  readonly key?: string | undefined;
}

/** Keeps the state in Web Storage, one writer at a time. */
export function createWebTelemetryStore(options: WebTelemetryStoreOptions): TelemetryStore {
  const { storage, locks, key = 'nearfield.telemetry' } = options;
  const apply = (change: (stored: unknown) => unknown): void => {
    const before = storage.getItem(key);
    const next = change(before === null ? undefined : parse(before));
    if (next === undefined) return; // nothing stored yet and nothing to store; "undefined" could not be read back
    const after = JSON.stringify(next);
    if (after !== before) storage.setItem(key, after);
  };
  return {
    async update(change) {
      if (locks === undefined) apply(change);
      else await locks.request(key, () => apply(change));
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return 'unreadable';
  }
}
