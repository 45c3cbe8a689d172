// `npm run prove -- egress`: every attack with made-up identifiers, against the page in a real browser and the
// edge worker with an emulated cloud behind it; then every byte that left, was kept or was logged is searched.
import type { ScriptCommand } from '../cli.ts';
import { proveEgress } from './egress/battery.ts';
import { printLedger } from './egress/report.ts';

export const command: ScriptCommand = {
  summary: 'canaries through page and edge; no byte of them may leave, be kept or be logged',
  configure: (program) =>
    program
      .option('--fast', 'a few of each kind, as the tests run it')
      .option('--only <part>', 'edge or page alone')
      .action(async (options: { json?: boolean; fast?: boolean; only?: 'edge' | 'page' }) => {
        const ledger = await proveEgress({ fast: options.fast ?? false, only: options.only });
        printLedger(ledger, options.json ?? false);
        process.exitCode = ledger.leaks.length === 0 ? 0 : 1;
      }),
};
