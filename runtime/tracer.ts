// Owns the timing of one request: named steps, time to first token. Holds no text.
import type { Clock, Timings, TraceStep } from './types.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

export interface Tracer {
  /** Times one step, also when it throws. */
  step<T>(name: TraceStep['name'], run: () => T | Promise<T>, facts?: () => TraceStep['facts']): Promise<T>;
  /** A step whose ends lie apart, such as the stream. Returns the function that ends it. */
  begin(name: TraceStep['name']): (facts?: TraceStep['facts']) => void;
  /** A step that somebody else timed and that has just ended. */
  add(name: TraceStep['name'], durationMs: number, facts?: TraceStep['facts']): void;
  /** Marks the first text or tool part; later calls change nothing. */
  firstToken(): void;
  timings(): Timings;
}

export function createTracer(clock: Clock): Tracer {
  const startMs = clock.monotonic();
  const steps: TraceStep[] = [];
  let ttftMs: number | undefined;
  const elapsed = () => clock.monotonic() - startMs;

  function begin(name: TraceStep['name']): (facts?: TraceStep['facts']) => void {
    const from = elapsed();
    return (facts) => {
      steps.push({
        name,
        startMs: from,
        durationMs: elapsed() - from,
        ...(facts !== undefined && { facts }),
      });
    };
  }

  return {
    begin,
    async step(name, run, facts) {
      const end = begin(name);
      try {
        return await run();
      } finally {
        end(facts?.());
      }
    },
    add(name, durationMs, facts) {
      const startMs = Math.max(0, elapsed() - durationMs);
      steps.push({ name, startMs, durationMs, ...(facts !== undefined && { facts }) });
    },
    firstToken() {
      ttftMs ??= elapsed();
    },
    timings: () => ({
      totalMs: elapsed(),
      ttftMs,
      steps: [...steps].sort((a, b) => a.startMs - b.startMs),
    }),
  };
}
