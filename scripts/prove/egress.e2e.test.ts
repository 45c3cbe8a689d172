// A few of each attack of `npm run prove -- egress`, in a real browser and against the edge: the promise itself,
// and that the battery could have seen it broken.
import { expect, it } from 'vitest';
import { proveEgress } from './egress/battery.ts';

it('lets no canary leave, be kept or be logged', async () => {
  const ledger = await proveEgress({ fast: true });
  expect(ledger.leaks).toEqual([]);
  const attacks = ledger.rows.map(({ attack }) => Number.parseInt(attack, 10)).filter((number) => number > 0);
  expect([...new Set(attacks)].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13]);
  expect(ledger.rows.reduce((sum, { attempts }) => sum + attempts, 0)).toBeGreaterThan(300);
  // Redaction was really what stopped some: the cloud was reached.
  expect(ledger.rows.reduce((sum, { stopped }) => sum + (stopped.redaction ?? 0), 0)).toBeGreaterThan(50);
  // The same doors do open on a page without the policy, and the sink sees it.
  const opened = Number(/doors: (\d+) of/.exec(ledger.notes.join('\n'))?.[1]);
  expect(opened).toBeGreaterThan(35);
}, 300_000);
