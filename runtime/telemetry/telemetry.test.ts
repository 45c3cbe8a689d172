import { describe, expect, it } from 'vitest';
import type { Trace } from '../types.ts';
import { createCollector, createMemoryCollectorStore } from './collector.ts';
import { DAY_MS } from './period.ts';
import { decodeReport, EPSILON, encodeReport, METRICS, REPORT_BYTES, SCHEMA_VERSION } from './schema.ts';
import { createMemoryTelemetryStore, createWebTelemetryStore, type TelemetryStore } from './state.ts';
import { createTelemetry, type SendReport, type Telemetry } from './telemetry.ts';
import { traceOf } from './trace.fixture.ts';

const START = Date.UTC(2026, 10, 2, 9);

function setUp(options: { store?: TelemetryStore; lifetimeEpsilon?: number } = {}) {
  const clock = { at: START, now: () => clock.at, monotonic: () => clock.at };
  const store = options.store ?? createMemoryTelemetryStore();
  const telemetry = createTelemetry({ ...options, store, clock });
  const wire: string[] = [];
  const send: SendReport = async (body) => {
    wire.push(new TextDecoder().decode(body));
    return { status: 202 };
  };
  return { clock, store, telemetry, wire, send };
}

/** One counted request, then far enough on that its report is sealed and due. */
async function reportOnce(at: ReturnType<typeof setUp>, trace: Trace = traceOf({})): Promise<void> {
  at.telemetry.record(trace);
  await at.telemetry.settled();
  at.clock.at += 7 * DAY_MS;
  await at.telemetry.flush(async () => ({ status: 503 }));
  at.clock.at += DAY_MS - 1;
}

describe('consent', () => {
  it('counts nothing and stores nothing before opt-in', async () => {
    const writes: unknown[] = [];
    const store: TelemetryStore = {
      async update(change) {
        writes.push(change(undefined));
      },
    };
    const { telemetry, send, wire } = setUp({ store });
    telemetry.record(traceOf({}));
    await telemetry.flush(send);
    expect(writes.every((written) => written === undefined)).toBe(true);
    expect(wire).toEqual([]);
    expect((await telemetry.status()).consent).toBe('unasked');
  });

  it('takes consent only to the notice that was shown', async () => {
    const { telemetry } = setUp();
    await expect(telemetry.optIn(SCHEMA_VERSION - 1)).rejects.toMatchObject({ code: 'invalid-request' });
    await telemetry.optIn(telemetry.notice().version);
    expect((await telemetry.status()).consent).toBe('granted');
  });

  it('asks again when the schema has changed since', async () => {
    const store = createMemoryTelemetryStore({
      consent: 'granted',
      noticeVersion: SCHEMA_VERSION - 1,
      spentEpsilon: 3,
      outbox: [],
    });
    const { telemetry } = setUp({ store });
    telemetry.record(traceOf({}));
    const status = await telemetry.status();
    expect(status).toMatchObject({ consent: 'unasked', period: undefined });
    expect(status.budget.spentEpsilon).toBe(3);
  });

  it('erases counts, question and outbox on opt-out, and keeps what was spent', async () => {
    const at = setUp();
    await at.telemetry.optIn(SCHEMA_VERSION);
    await reportOnce(at);
    at.telemetry.record(traceOf({}));
    expect((await at.telemetry.status()).outbox).toHaveLength(1);
    await at.telemetry.optOut();
    expect(await at.telemetry.status()).toMatchObject({
      consent: 'refused',
      outbox: [],
      metric: undefined,
      period: undefined,
      budget: { spentEpsilon: EPSILON.instant },
    });
    expect(await at.telemetry.flush(at.send)).toBe(0);
    expect(at.wire).toEqual([]);
  });

  it('aborts a send under way when the person opts out', async () => {
    const at = setUp();
    await at.telemetry.optIn(SCHEMA_VERSION);
    await reportOnce(at);
    let seen: AbortSignal | undefined;
    const sending = at.telemetry.flush(async (_body, { signal }) => {
      seen = signal;
      await at.telemetry.optOut();
      signal.throwIfAborted();
      return { status: 202 };
    });
    expect(await sending).toBe(0);
    expect(seen?.aborted).toBe(true);
  });
});

describe('the outbox', () => {
  it('sends exactly the bytes it shows, and the same bytes again after a failure', async () => {
    const at = setUp();
    await at.telemetry.optIn(SCHEMA_VERSION);
    await reportOnce(at);
    const shown = (await at.telemetry.status()).outbox.map((entry) => entry.body);
    const tried: string[] = [];
    await at.telemetry.flush(async (body) => {
      tried.push(new TextDecoder().decode(body));
      throw new Error('offline');
    });
    expect(await at.telemetry.flush(at.send)).toBe(1);
    expect(tried).toEqual(shown);
    expect(at.wire).toEqual(shown);
    expect((await at.telemetry.status()).outbox).toEqual([]);
  });

  it('makes every body the same length, whatever it says', () => {
    const nonce = 'A'.repeat(22);
    for (const [metric, values] of Object.entries(METRICS)) {
      for (const value of values) {
        const body = encodeReport({
          v: 1,
          day: 20_000,
          metric: metric as keyof typeof METRICS,
          value,
          nonce,
        });
        expect(new TextEncoder().encode(body)).toHaveLength(REPORT_BYTES);
        expect(decodeReport(body)?.value).toBe(value);
      }
    }
  });

  it('waits a random time before sending, and drops what is too old', async () => {
    const delays = new Set<number>();
    for (let i = 0; i < 20; i += 1) {
      const at = setUp();
      await at.telemetry.optIn(SCHEMA_VERSION);
      at.telemetry.record(traceOf({}));
      await at.telemetry.settled();
      at.clock.at += 7 * DAY_MS;
      await at.telemetry.flush(async () => ({ status: 503 }));
      const [entry] = (await at.telemetry.status()).outbox;
      delays.add(entry!.dueAtMs - at.clock.at);
      at.clock.at += 3 * DAY_MS;
      expect(await at.telemetry.flush(at.send)).toBe(0);
      expect((await at.telemetry.status()).outbox).toEqual([]);
    }
    expect(delays.size).toBeGreaterThan(15);
    for (const delay of delays) expect(delay).toBeLessThanOrEqual(DAY_MS);
  });

  it('makes one report of a period however many requests and flushes it had', async () => {
    const at = setUp();
    await at.telemetry.optIn(SCHEMA_VERSION);
    for (let i = 0; i < 50; i += 1) at.telemetry.record(traceOf({}));
    await reportOnce(at);
    for (let i = 0; i < 5; i += 1) await at.telemetry.flush(at.send);
    expect(at.wire).toHaveLength(1);
  });
});

describe('the lifetime budget', () => {
  it('stops for good when it is spent, across restarts, opt-outs and opt-ins', async () => {
    const at = setUp({ lifetimeEpsilon: 6 });
    let telemetry: Telemetry = at.telemetry;
    for (let i = 0; i < 12; i += 1) {
      await telemetry.optIn(SCHEMA_VERSION);
      await reportOnce({ ...at, telemetry });
      await telemetry.flush(at.send);
      if (i % 3 === 2) await telemetry.optOut();
      telemetry = createTelemetry({ store: at.store, clock: at.clock, lifetimeEpsilon: 6 });
    }
    expect(at.wire).toHaveLength(4);
    expect((await telemetry.status()).budget).toEqual({
      spentEpsilon: 6,
      lifetimeEpsilon: 6,
      reportsLeft: 0,
    });
  });

  it('treats unreadable state as refused and spent', async () => {
    const { telemetry } = setUp({ store: createMemoryTelemetryStore('{"half a st') });
    expect(await telemetry.status()).toMatchObject({ consent: 'refused', budget: { reportsLeft: 0 } });
  });

  it('answers an unchanged question from one permanent answer, so repeats cannot be averaged', async () => {
    const at = setUp({ lifetimeEpsilon: 1000 });
    await at.telemetry.optIn(SCHEMA_VERSION);
    let stored: unknown;
    for (let i = 0; i < 10; i += 1) {
      await reportOnce(at);
      await at.telemetry.flush(at.send);
    }
    await at.store.update((state) => {
      stored = state;
      return state;
    });
    const drawn = (stored as { question: { permanent: number[] } }).question.permanent;
    expect(drawn.filter((answer) => answer >= 0)).toHaveLength(1);
    expect(at.wire).toHaveLength(10);
  });
});

it('keeps its state in Web Storage, one writer at a time', async () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const first = createTelemetry({ store: createWebTelemetryStore({ storage }) });
  await first.optIn(SCHEMA_VERSION);
  first.record(traceOf({}));
  first.record(traceOf({}));
  await first.settled();
  const second = createTelemetry({ store: createWebTelemetryStore({ storage }) });
  expect((await second.status()).period?.requests).toBe(2);
});

it('is looked at before consent without spending the budget', async () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, String(value)), // as Web Storage does
  };
  for (let visit = 0; visit < 2; visit += 1) {
    const telemetry = createTelemetry({ store: createWebTelemetryStore({ storage }) });
    telemetry.record(traceOf({}));
    expect(await telemetry.status()).toMatchObject({ consent: 'unasked', budget: { spentEpsilon: 0 } });
  }
  expect(kept.size).toBe(0);
});

it('goes from a page to a published estimate, and each report counts once', async () => {
  const at = setUp();
  const collector = createCollector({ store: createMemoryCollectorStore(), clock: at.clock, k: 1 });
  await at.telemetry.optIn(SCHEMA_VERSION);
  await reportOnce(at);
  await at.telemetry.flush(at.send);
  expect(await collector.accept(at.wire[0]!, 'a')).toBe('accepted');
  expect(await collector.accept(at.wire[0]!, 'a')).toBe('replayed');
});
