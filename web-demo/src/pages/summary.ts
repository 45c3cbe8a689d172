// Owns the few sums the pages show. Pure.
import type { CacheStatus, Receipt, Trace } from 'nearfield';

export interface Summary {
  readonly requests: number;
  readonly answered: number;
  readonly onDevice: number;
  readonly bytesOut: number;
  readonly medianMs: number | undefined;
}

export function summaryOf(traces: readonly Trace[], receipts: readonly Receipt[]): Summary {
  const answered = traces.filter(({ outcome }) => outcome === 'ok');
  return {
    requests: traces.length,
    answered: answered.length,
    onDevice: answered.filter(({ tier }) => tier?.kind === 'device').length,
    bytesOut: receipts.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    medianMs: median(answered.map(({ timings }) => timings.totalMs)),
  };
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return undefined;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface PlotBar {
  readonly id: string;
  readonly status: CacheStatus;
  readonly ms: number;
  /** Height, 0…1, on a logarithmic scale: a hit of 2 ms and a miss of 900 ms both stay visible. */
  readonly height: number;
}

export function plotOf(traces: readonly Trace[], most = 40): readonly PlotBar[] {
  const shown = traces.filter(({ outcome }) => outcome === 'ok').slice(-most);
  const top = Math.log1p(Math.max(1, ...shown.map(({ timings }) => timings.totalMs)));
  return shown.map(({ id, cache, timings }) => ({
    id,
    status: cache.status,
    ms: timings.totalMs,
    height: Math.max(0.04, Math.log1p(timings.totalMs) / top),
  }));
}
