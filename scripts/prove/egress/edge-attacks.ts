// Owns the attacks on the edge worker: each against the policy it ships with, and against redaction alone.
import { type CanarySource, SENSITIVE_KINDS } from './canaries.ts';
import { errorAttempts, guardAttempts, telemetryAttempts } from './edge-doors.ts';
import { createEdgeRunner } from './edge-runner.ts';
import { crossScopeAttempts, embeddingAttempts } from './edge-side-channels.ts';
import { injectionAttempts, placeholderAttempts, splitAttempts } from './edge-streams.ts';
import { disguisedAttempts, placeAttempts } from './edge-texts.ts';
import type { Ledger } from './report.ts';
import { type LogCapture, REDACTION_ALONE, startProvenEdge } from './world.ts';

export async function runEdgeAttacks(
  ledger: Ledger,
  source: CanarySource,
  logs: LogCapture,
  fast: boolean,
): Promise<void> {
  const count = fast ? 1 : 4;
  for (const [label, policy] of [
    ['edge, balanced', 'balanced'],
    ['edge, redaction alone', REDACTION_ALONE],
  ] as const) {
    const edge = await startProvenEdge({ policy });
    const runner = createEdgeRunner(edge, ledger, label);
    try {
      // Where time is short, each of the two policies gets its half.
      const shipped = policy === 'balanced';
      const texts = fast && shipped ? [] : disguisedAttempts(source.take, count);
      const places = fast && !shipped ? [] : placeAttempts(source.take, count);
      for (const attempt of [...texts, ...places]) await runner.run(attempt);
      await splitAttempts(runner, edge, source.take(fast ? 1 : 5));
      await placeholderAttempts(runner, edge, source.take(1));
      await injectionAttempts(runner, edge, source.take);
      await errorAttempts(runner, edge, source.take);
      await embeddingAttempts(runner, edge, source.take);
      await crossScopeAttempts(runner, edge, fast ? 1 : 8);
      if (shipped) {
        await guardAttempts(runner, edge, ledger, source.take);
        await telemetryAttempts(runner, edge, source.take);
      }
      // Told a value it may keep, an edge keeps it for that caller alone; what policy calls sensitive, never.
      const mustNotCache = shipped ? SENSITIVE_KINDS : new Set<string>();
      await runner.sweep(logs.bytes(), ({ kind }) => mustNotCache.has(kind));
    } finally {
      await edge.stop();
    }
  }
}
