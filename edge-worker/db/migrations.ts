// Owns the edge's database schema over time, shipped inline so that every platform has it. A migration that
// was ever released never changes; a new one is added at the end.
import type { Client } from '@libsql/client';

export interface Migration {
  readonly id: number;
  readonly statements: readonly string[];
}

export const MIGRATIONS: readonly Migration[] = [
  {
    id: 1,
    statements: [
      `CREATE TABLE audits (
        id text PRIMARY KEY NOT NULL,
        at_ms integer NOT NULL,
        route text NOT NULL,
        scope_hash text NOT NULL,
        status integer NOT NULL,
        error_code text,
        tier text,
        cache text,
        bytes_in integer NOT NULL,
        bytes_out integer NOT NULL,
        egress_bytes integer NOT NULL,
        prompt_tokens integer NOT NULL,
        completion_tokens integer NOT NULL,
        ttft_ms real,
        duration_ms real NOT NULL,
        receipt text
      ) STRICT`,
      'CREATE INDEX audits_at ON audits (at_ms)',
      `CREATE TABLE receipts (
        sequence integer PRIMARY KEY NOT NULL,
        receipt text NOT NULL
      ) STRICT`,
      `CREATE TABLE telemetry_cells (
        cohort integer NOT NULL,
        metric text NOT NULL,
        value text NOT NULL,
        count integer NOT NULL,
        PRIMARY KEY (cohort, metric, value)
      ) STRICT`,
      `CREATE TABLE telemetry_nonces (
        nonce text PRIMARY KEY NOT NULL,
        last_day integer NOT NULL
      ) STRICT, WITHOUT ROWID`,
      'CREATE INDEX telemetry_nonces_day ON telemetry_nonces (last_day)',
    ],
  },
  {
    // A chain each tenant. What `receipts` holds stays there: its hashes bind it to one chain, and an edge of the version
    // before that still runs beside this one goes on with it.
    id: 2,
    statements: [
      `CREATE TABLE receipt_chains (
        chain text NOT NULL,
        sequence integer NOT NULL,
        receipt text NOT NULL,
        PRIMARY KEY (chain, sequence)
      ) STRICT`,
    ],
  },
];

const LEDGER = 'CREATE TABLE IF NOT EXISTS edge_migrations (id integer PRIMARY KEY NOT NULL) STRICT';

/** Brings the database up to date; each migration whole or not at all, and once however many start at a time. */
export async function migrate(client: Client, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  await client.execute(LEDGER);
  const done = new Set((await client.execute('SELECT id FROM edge_migrations')).rows.map((row) => row.id));
  for (const { id, statements } of migrations) {
    if (done.has(id)) continue;
    const mark = { sql: 'INSERT INTO edge_migrations (id) VALUES (?)', args: [id] };
    try {
      await client.batch([mark, ...statements], 'write');
    } catch (error) {
      if (!(await isDone(client, id))) throw error;
    }
  }
}

/** Another process may have won the race; then its migration is ours. */
async function isDone(client: Client, id: number): Promise<boolean> {
  const found = await client.execute({ sql: 'SELECT 1 FROM edge_migrations WHERE id = ?', args: [id] });
  return found.rows.length > 0;
}
