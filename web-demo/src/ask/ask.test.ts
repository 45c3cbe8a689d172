import type { Timings } from 'nearfield';
import { describe, expect, it } from 'vitest';
import { contextOf } from './context.ts';
import { barsOf } from './waterfall.ts';

describe('waterfall', () => {
  const timings = (steps: Timings['steps'], totalMs: number): Timings => ({ steps, totalMs });

  it('places each step by its share of the whole, in order of beginning', () => {
    const bars = barsOf(
      timings(
        [
          { name: 'tier', startMs: 20, durationMs: 60 },
          { name: 'policy', startMs: 0, durationMs: 20 },
        ],
        100,
      ),
    );
    expect(bars).toEqual([
      { name: 'policy', durationMs: 20, left: 0, width: 0.2 },
      { name: 'tier', durationMs: 60, left: 0.2, width: 0.6 },
    ]);
  });

  it('keeps a step that outlives the total, and one of no length, inside the frame', () => {
    const bars = barsOf(
      timings(
        [
          { name: 'tier', startMs: 0, durationMs: 250 },
          { name: 'cache-write', startMs: 250, durationMs: 0 },
        ],
        100,
      ),
    );
    for (const { left, width } of bars) expect(left + width).toBeLessThanOrEqual(1);
    expect(bars[1]!.width).toBeGreaterThan(0);
  });

  it('shows steps of a run too fast to measure', () => {
    expect(barsOf(timings([{ name: 'cache', startMs: 0, durationMs: 0 }], 0))).toHaveLength(1);
  });
});

describe('context of a sentence', () => {
  const text =
    'First paragraph.\n\nBefore it stands this. The match. After it stands that.\n\nLast paragraph.';
  const start = text.indexOf('The match.');
  const end = start + 'The match.'.length;

  it('stays within the paragraph', () => {
    expect(contextOf(text, start, end)).toEqual({
      before: 'Before it stands this. ',
      match: 'The match.',
      after: ' After it stands that.',
    });
  });

  it('cuts at words and says so', () => {
    expect(contextOf(text, start, end, 10)).toEqual({
      before: '… this. ',
      match: 'The match.',
      after: ' After it …',
    });
  });
});
