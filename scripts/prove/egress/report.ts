// Owns the count: what was tried, how many bytes were looked at, what got through, and what stopped the rest.
import { commit, machine, table } from '../../report.ts';

/** What stopped an attempt. */
export type Layer =
  | 'policy' // it stayed where it was
  | 'redaction' // it left as a placeholder
  | 'validation' // the edge refused the request before anyone read it
  | 'egress' // the guard refused the host or the redirect
  | 'renderer' // the answer was shown as text
  | 'csp' // the page's Content-Security-Policy
  | 'browser'; // there is no such door in this page

export interface Leak {
  readonly attack: string;
  readonly attempt: string;
  /** Where it was seen. */
  readonly where: string;
}

export interface Row {
  readonly attack: string;
  attempts: number;
  bytes: number;
  leaks: number;
  /** Known to get through and said so in docs/threat-model.md. */
  open: number;
  readonly stopped: Partial<Record<Layer, number>>;
}

export interface Ledger {
  /** One attempt and what stopped it; undefined when nothing did. */
  attempt(attack: string, layer: Layer | undefined, bytes: number): void;
  looked(attack: string, bytes: number): void;
  leak(leak: Leak): void;
  /** A door that no page can shut, tried so that nobody believes it is. */
  open(attack: string, name: string): void;
  note(line: string): void;
  readonly rows: readonly Row[];
  readonly leaks: readonly Leak[];
  readonly notes: readonly string[];
  readonly openDoors: readonly string[];
}

export function createLedger(): Ledger {
  const rows = new Map<string, Row>();
  const leaks: Leak[] = [];
  const notes: string[] = [];
  const openDoors: string[] = [];
  const rowOf = (attack: string): Row => {
    const row = rows.get(attack) ?? { attack, attempts: 0, bytes: 0, leaks: 0, open: 0, stopped: {} };
    rows.set(attack, row);
    return row;
  };
  return {
    attempt(attack, layer, bytes) {
      const row = rowOf(attack);
      row.attempts += 1;
      row.bytes += bytes;
      if (layer !== undefined) row.stopped[layer] = (row.stopped[layer] ?? 0) + 1;
    },
    looked(attack, bytes) {
      rowOf(attack).bytes += bytes;
    },
    leak(leak) {
      leaks.push(leak);
      rowOf(leak.attack).leaks += 1;
    },
    open(attack, name) {
      openDoors.push(name);
      rowOf(attack).open += 1;
    },
    note: (line) => void notes.push(line),
    get rows() {
      return [...rows.values()];
    },
    leaks,
    notes,
    openDoors,
  };
}

const MOST_LEAKS_SHOWN = 40;

export function printLedger(ledger: Ledger, json: boolean): void {
  const { rows, leaks } = ledger;
  const attempts = rows.reduce((sum, row) => sum + row.attempts, 0);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const shown = rows.map((row) => ({
    attack: row.attack,
    attempts: row.attempts,
    bytes: row.bytes,
    leaks: row.leaks,
    open: row.open,
    'stopped by': Object.entries(row.stopped)
      .map(([layer, count]) => `${layer} ${count}`)
      .join(', '),
  }));
  console.log(`egress  ${machine()}  commit ${commit()}`);
  console.log(table(shown));
  for (const leak of leaks.slice(0, MOST_LEAKS_SHOWN)) {
    console.log(`  LEAK ${leak.attack}: ${leak.attempt}, seen in ${leak.where}`);
  }
  if (leaks.length > MOST_LEAKS_SHOWN) console.log(`  and ${leaks.length - MOST_LEAKS_SHOWN} more leaks`);
  for (const note of ledger.notes) console.log(`  ${note}`);
  console.log(`  ${attempts} attempts, ${bytes} bytes looked at, ${leaks.length} leaks`);
  if (!json) return;
  const { openDoors } = ledger;
  const named = { name: 'egress', commit: commit(), machine: machine() };
  console.log(JSON.stringify({ ...named, rows, leaks: leaks.length, attempts, bytes, openDoors }));
}
