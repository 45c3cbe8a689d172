// Owns the port over a libSQL client, local or remote.
import type { Client, InValue } from '@libsql/client';
import type { SqlPort, SqlValue } from './libsql-store.ts';

/** `write` begins IMMEDIATE: a deferred transaction that turns to writing late fails at once when another
 * process writes, whatever `busy_timeout` says. */
export function createClientPort(client: Client, isRemote = false): SqlPort {
  return {
    maxArgs: 32_766,
    isRemote,
    async run(statements) {
      const steps = statements.map(({ sql, args }) => ({ sql, args: args as InValue[] }));
      const [only] = steps;
      const results =
        only !== undefined && steps.length === 1
          ? [await client.execute(only)]
          : await client.batch(steps, 'write');
      return results.map(({ rows, columns }) =>
        rows.map((row) => columns.map((_, at) => row[at] as SqlValue)),
      );
    },
    async close() {
      client.close();
    },
  };
}
