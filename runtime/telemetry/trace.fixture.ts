// A closed trace for tests, with the fields that telemetry looks at set by the caller.
import type { Trace } from '../types.ts';

export function traceOf(changes: Partial<Trace>): Trace {
  const tier = { id: 'device', kind: 'device' } as const;
  return {
    id: 'chatcmpl-1',
    startedAtMs: 1_700_000_000_000,
    outcome: 'ok',
    tier,
    cache: { status: 'miss', reason: 'no-entry' },
    timings: { totalMs: 120, ttftMs: 40, steps: [{ name: 'tier', startMs: 1, durationMs: 100 }] },
    usage: { promptTokens: 12, completionTokens: 5 },
    receipt: {
      sequence: 1,
      requestId: 'chatcmpl-1',
      atMs: 1_700_000_000_000,
      tier,
      rules: [],
      redactedByType: {},
      bytesOut: 0,
      hosts: [],
      previous: '0'.repeat(64),
      hash: 'f'.repeat(64),
    },
    decision: {
      farthest: 'device',
      sensitivity: 'none',
      rules: [],
      explanation: '',
      redact: { edge: true, cloud: true },
      cacheable: true,
      spanCounts: {},
    },
    attempts: [],
    ...changes,
  };
}
