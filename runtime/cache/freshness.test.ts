// What is learned of freshness: by cluster, by kind, by a model's judgement, within floor and ceiling.
import { describe, expect, it } from 'vitest';
import { createFreshness, type FreshnessQuestion, type TtlOptions, type Volatility } from './freshness.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const vectorOf = (...values: readonly number[]): Int8Array => Int8Array.from(values);
const BRIDGES: FreshnessQuestion = {
  text: 'how do bridges hold',
  scopeHash: 'a',
  vector: vectorOf(100, 0, 9),
};
const ARCHES: FreshnessQuestion = { text: 'how do arches hold', scopeHash: 'a', vector: vectorOf(100, 9, 0) };
const BREAD: FreshnessQuestion = { text: 'how is bread made', scopeHash: 'a', vector: vectorOf(0, 100, 0) };

function create(
  options: TtlOptions = {},
  judged?: Volatility,
  kept: ReadonlyMap<string, string> = new Map(),
) {
  return createFreshness(options, kept, judged === undefined ? undefined : async () => judged);
}

describe('where an answer starts', () => {
  it.each([
    ['bitcoin price now', 60_000],
    ['What is the weather tomorrow?', 30 * 60_000],
    ['who is the current president', 6 * HOUR],
    ['what is the capital of Peru', 7 * DAY],
    ['how do bridges hold', DAY],
    ['¿Cuál es el precio del oro?', 60_000],
    ['previsão do tempo', 30 * 60_000],
  ])('%s', async (text, expected) => {
    expect(await create().ttlMs({ text, scopeHash: 'a' })).toBe(expected);
  });

  it.each([
    ['minutes', 60_000],
    ['days', 6 * HOUR],
    ['months', 7 * DAY],
    ['timeless', 30 * DAY],
  ] as const)('a judgement of %s decides, whatever the words', async (judged, expected) => {
    expect(await create({}, judged).ttlMs({ ...BRIDGES, text: 'bitcoin price now' })).toBe(expected);
  });

  it('is by words where the judge fails or does not know, and asks it once a question', async () => {
    let asked = 0;
    const failing = createFreshness({}, new Map(), async () => {
      asked += 1;
      throw new Error('no model');
    });
    expect(await failing.ttlMs({ ...BRIDGES, text: 'bitcoin price now' })).toBe(60_000);
    expect(await failing.ttlMs({ ...BRIDGES, text: 'bitcoin price now' })).toBe(60_000);
    expect(asked).toBe(1);
    const silent = createFreshness({}, new Map(), async () => undefined);
    expect(await silent.ttlMs(BRIDGES)).toBe(DAY);
  });

  it('keeps to floor, ceiling and a further ceiling', async () => {
    const options = { floorMs: 2 * 60_000, ceilingMs: DAY };
    expect(await create(options, 'minutes').ttlMs(BRIDGES)).toBe(2 * 60_000);
    expect(await create(options, 'timeless').ttlMs(BRIDGES)).toBe(DAY);
    expect(await create(options, 'timeless').ttlMs(BRIDGES, 5)).toBe(5);
  });
});

describe('what refreshes teach', () => {
  it('moves questions like it, and its kind a step, but no other cluster', async () => {
    const freshness = create();
    await freshness.refreshed(BREAD, DAY, false);
    for (let times = 0; times < 3; times += 1) await freshness.refreshed(BRIDGES, HOUR, true);
    expect(await freshness.ttlMs(BRIDGES)).toBe((DAY * 1.2) / 8);
    expect(await freshness.ttlMs(ARCHES)).toBe((DAY * 1.2) / 8);
    expect(await freshness.ttlMs(BREAD)).toBe(DAY * 1.2);
    expect(await freshness.ttlMs({ ...BRIDGES, vector: vectorOf(-9, 0, 100) })).toBe((DAY * 1.2) / 8);
  });

  it('learns of a change only when it was soon, of none only when it was late', async () => {
    const freshness = create();
    await freshness.refreshed(BRIDGES, 3 * DAY, true);
    await freshness.refreshed(BRIDGES, HOUR, false);
    expect(await freshness.ttlMs(BRIDGES)).toBe(DAY);
    await freshness.refreshed(BRIDGES, DAY, false);
    expect(await freshness.ttlMs(BRIDGES)).toBe(1.2 * DAY);
  });

  it('is kept, never crosses scopes, and is forgotten with its scope', async () => {
    const freshness = create();
    const rows = await freshness.refreshed(BRIDGES, HOUR, true);
    await freshness.refreshed(BRIDGES, HOUR, true);
    const again = create({}, undefined, new Map(Object.entries(rows) as [string, string][]));
    expect(await again.ttlMs(ARCHES)).toBe(DAY / 2);
    expect(await freshness.ttlMs(BRIDGES)).toBe(DAY / 4);
    const clusterKey = Object.keys(rows).find((key) => key.includes('cluster')) ?? '';
    expect(freshness.forget('b')).toEqual([]);
    expect(freshness.forget('a')).toEqual([clusterKey]);
    // What is left is the kind's, which says nothing of any question.
    expect(await freshness.ttlMs(BREAD)).toBe(DAY / 4);
  });

  it('holds no more clusters than it may, and gives up the least refreshed', async () => {
    const freshness = create();
    const far = (at: number): FreshnessQuestion => {
      const vector = new Int8Array(128);
      vector[at] = 100;
      return { text: `q${at}`, scopeHash: 'a', vector };
    };
    await freshness.refreshed(far(0), HOUR, true);
    await freshness.refreshed(far(0), HOUR, true);
    let removed: string[] = [];
    for (let at = 1; at <= 64; at += 1) {
      const rows = await freshness.refreshed(far(at), HOUR, false);
      removed = [...removed, ...Object.keys(rows).filter((key) => rows[key] === null)];
    }
    expect(removed).toHaveLength(1);
    expect(freshness.forget('a')).toHaveLength(64);
  });

  it('reads damaged rows as none', async () => {
    const kept = new Map([
      ['freshness/kind/unknown', '{"ttlMs":"x"}'],
      ['freshness/cluster/a/1', 'not json'],
      ['freshness/other', '{"ttlMs":1,"refreshes":1,"changes":1}'],
    ]);
    expect(await create({}, undefined, kept).ttlMs(BRIDGES)).toBe(DAY);
  });
});
