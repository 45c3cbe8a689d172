// Owns the arithmetic of the small bars beside an answer: where each step begins and how long it is. Pure.
import type { Timings, TraceStep } from 'nearfield';

export interface Bar {
  readonly name: TraceStep['name'];
  readonly durationMs: number;
  /** Share of the whole, 0…1. */
  readonly left: number;
  readonly width: number;
}

const MIN_WIDTH = 0.012; // a step under a pixel would not be seen at all

/** Bars in the order the steps began. They stay inside 0…1 whatever the clock said. */
export function barsOf(timings: Timings): readonly Bar[] {
  const end = Math.max(timings.totalMs, ...timings.steps.map((step) => step.startMs + step.durationMs));
  if (!(end > 0))
    return timings.steps.map((step) => ({ name: step.name, durationMs: 0, left: 0, width: MIN_WIDTH }));
  return [...timings.steps]
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ name, startMs, durationMs }) => {
      const width = Math.min(1, Math.max(MIN_WIDTH, durationMs / end));
      return { name, durationMs, width, left: Math.max(0, Math.min(1 - width, startMs / end)) };
    });
}
