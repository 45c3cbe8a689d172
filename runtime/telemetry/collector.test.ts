import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CollectorOptions, createCollector, createMemoryCollectorStore } from './collector.ts';
import { DAY_MS } from './period.ts';
import { cryptoRandom, randomNonce } from './randomize.ts';
import {
  decodeReport,
  encodeReport,
  METRIC_IDS,
  METRICS,
  type MetricId,
  REPORT_BYTES,
  type Report,
} from './schema.ts';

const DAY = 20_783 - (20_783 % 7);

function setUp(options: Partial<CollectorOptions> = {}) {
  const clock = { at: DAY * DAY_MS, now: () => clock.at, monotonic: () => clock.at };
  const store = options.store ?? createMemoryCollectorStore();
  const collector = createCollector({ store, clock, k: 3, perSourceDay: 10_000, ...options });
  return { clock, store, collector };
}

function report(changes: Partial<Report> = {}): string {
  return encodeReport({
    v: 1,
    day: DAY,
    metric: 'tier',
    value: 'edge',
    nonce: randomNonce(cryptoRandom),
    ...changes,
  });
}

describe('reading', () => {
  it('takes back exactly what a device writes', () => {
    const metric = fc.constantFrom(...METRIC_IDS);
    fc.assert(
      fc.property(metric, fc.nat(), fc.nat(200_000), (id: MetricId, at, day) => {
        const value = METRICS[id][at % METRICS[id].length] ?? '';
        const made = { v: 1 as const, day, metric: id, value, nonce: randomNonce(cryptoRandom) };
        expect(decodeReport(encodeReport(made))).toEqual(made);
      }),
    );
  });

  it('refuses any change of a single character, but to another report', () => {
    const body = report();
    fc.assert(
      fc.property(fc.nat(REPORT_BYTES - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        const changed = body.slice(0, at) + character + body.slice(at + 1);
        const read = decodeReport(changed);
        if (read !== undefined) expect(encodeReport(read)).toBe(changed);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'x'.repeat(REPORT_BYTES)],
    ['a short one', report().slice(1)],
    ['another field', report().replace('"pad":"000000', '"who":"me","pad":"')],
    ['a value of another metric', report({ metric: 'cache', value: 'edge' })],
    ['a value nobody knows', report({ value: 'moon' })],
    ['a pad with a message', report().replace('"pad":"0000', '"pad":"1234')],
    ['spaces for pad', report().replace('{"v":1', '{ "v":1').replace('"pad":"0', '"pad":"')],
    ['another version', report().replace('"v":1', '"v":2')],
    ['a day that is no day', report().replace(`"day":${DAY}`, '"day":-1234')],
  ])('refuses %s', async (_name, body) => {
    const { collector, store } = setUp();
    expect(await collector.accept(body, 'a')).toBe('malformed');
    expect(await store.cells()).toEqual([]);
  });
});

describe('dropping', () => {
  it('counts a report once, however often and from wherever it comes', async () => {
    const { collector, store, clock } = setUp();
    const body = report();
    expect(await collector.accept(body, 'a')).toBe('accepted');
    expect(await collector.accept(body, 'a')).toBe('replayed');
    expect(await collector.accept(body, 'b')).toBe('replayed');
    clock.at += 2 * DAY_MS;
    expect(await collector.accept(body, 'c')).toBe('replayed');
    // From here on the nonce is forgotten, and the day is too old to need it.
    clock.at += DAY_MS;
    expect(await collector.accept(body, 'c')).toBe('stale');
    expect((await store.cells())[0]?.count).toBe(1);
  });

  it('takes a day ahead for clocks that run fast, and no more', async () => {
    const { collector } = setUp();
    expect(await collector.accept(report({ day: DAY + 1 }), 'a')).toBe('accepted');
    expect(await collector.accept(report({ day: DAY + 2 }), 'a')).toBe('stale');
  });

  it('takes so many a source a day, malformed ones too', async () => {
    const { collector, clock } = setUp({ perSourceDay: 2 });
    expect(await collector.accept('junk', 'a')).toBe('malformed');
    expect(await collector.accept(report(), 'a')).toBe('accepted');
    expect(await collector.accept(report(), 'a')).toBe('capped');
    expect(await collector.accept(report(), 'b')).toBe('accepted');
    clock.at += DAY_MS;
    expect(await collector.accept(report(), 'a')).toBe('accepted');
  });
});

describe('publishing', () => {
  async function fill(counts: Readonly<Record<string, number>>) {
    const at = setUp();
    for (const [value, count] of Object.entries(counts)) {
      for (let i = 0; i < count; i += 1) await at.collector.accept(report({ value }), 'a');
    }
    return at;
  }

  it('says nothing of a cohort that can still grow, so no two releases differ by one report', async () => {
    const { collector, clock } = await fill({ device: 9, edge: 9, cloud: 9, none: 9 });
    clock.at = (DAY + 8) * DAY_MS + DAY_MS - 1;
    expect((await collector.published()).metrics).toEqual([]);
    clock.at += 1;
    const first = await collector.published();
    expect(first.metrics).toHaveLength(1);
    expect(await collector.accept(report(), 'late')).toBe('stale');
    clock.at += 100 * DAY_MS;
    expect(await collector.published()).toEqual(first);
  });

  it('shows only cells of at least k', async () => {
    const { collector, clock } = await fill({ device: 40, edge: 20, cloud: 2, none: 1 });
    clock.at += 30 * DAY_MS;
    const [tier] = (await collector.published()).metrics;
    expect(tier?.cells.map(({ value, reports }) => [value, reports])).toEqual([
      ['device', 40],
      ['edge', 20],
    ]);
    expect(tier).toMatchObject({ reports: 63, suppressed: 2 });
  });

  it('holds a second cell back where the total would give the first away', async () => {
    const { collector, clock } = await fill({ device: 40, edge: 20, cloud: 10, none: 1 });
    clock.at += 30 * DAY_MS;
    const [tier] = (await collector.published()).metrics;
    expect(tier?.cells.map(({ value }) => value)).toEqual(['device', 'edge']);
    expect(tier?.suppressed).toBe(2);
  });

  it('never lets a hidden count be worked out', () => {
    return fc.assert(
      fc.asyncProperty(fc.array(fc.nat(12), { minLength: 4, maxLength: 4 }), async (counts) => {
        const names = METRICS.tier;
        const { collector, clock } = await fill(
          Object.fromEntries(names.map((name, at) => [name, counts[at] ?? 0])),
        );
        clock.at += 30 * DAY_MS;
        const [tier] = (await collector.published()).metrics;
        if (tier === undefined) return;
        expect(tier.suppressed).not.toBe(1);
        for (const cell of tier.cells) expect(cell.reports).toBeGreaterThanOrEqual(3);
      }),
      { numRuns: 50 },
    );
  });
});
