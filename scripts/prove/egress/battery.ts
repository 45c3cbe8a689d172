// Owns the order of the battery: the edge first, then the page, one ledger for both.
import { createCanarySource } from './canaries.ts';
import { runEdgeAttacks } from './edge-attacks.ts';
import { runPageAttacks } from './page-attacks.ts';
import { createLedger, type Ledger } from './report.ts';
import { captureLogs } from './world.ts';

export interface BatteryOptions {
  /** A few of each kind. */
  readonly fast: boolean;
  readonly only?: 'edge' | 'page' | undefined;
}

export async function proveEgress({ fast, only }: BatteryOptions): Promise<Ledger> {
  const ledger = createLedger();
  const source = createCanarySource({ thin: fast });
  const logs = captureLogs();
  try {
    if (only !== 'page') await runEdgeAttacks(ledger, source, logs, fast);
    if (only !== 'edge') await runPageAttacks(ledger, source, logs, fast);
  } finally {
    logs.stop();
  }
  return ledger;
}
