// Owns libSQL's WASM build behind the port: one database file in an OPFS handle pool.
import initSqlite from '@libsql/libsql-wasm-experimental';
import { NearfieldError } from '../errors.ts';
import type { SqlPort, SqlStatement, SqlValue } from './libsql-store.ts';

/** What is used of the build; its own types leave the pool out. */
interface SqliteModule {
  installOpfsSAHPoolVfs(options: {
    readonly name: string;
    readonly directory: string;
    readonly initialCapacity: number;
  }): Promise<{ readonly OpfsSAHPoolDb?: new (path: string) => SqliteDatabase } | Error>;
}

interface SqliteDatabase {
  exec(options: {
    readonly sql: string;
    readonly bind?: readonly SqlValue[];
    readonly rowMode: 'array';
    readonly returnValue: 'resultRows';
  }): SqlValue[][];
  close(): void;
}

/** Handles the pool keeps: database, journal, and room for SQLite's temporary files. */
const POOL_HANDLES = 6;

/** @throws storage-failed where OPFS or its synchronous handles are missing, or another holds them */
export async function createWasmPort(name: string): Promise<SqlPort> {
  const sqlite = (await initSqlite()) as unknown as SqliteModule;
  const pool = await sqlite.installOpfsSAHPoolVfs({
    name: `nearfield-${name}`,
    directory: `/nearfield-cache/${name}`,
    initialCapacity: POOL_HANDLES,
  });
  // The build resolves with the error where it should reject.
  if (pool instanceof Error || pool.OpfsSAHPoolDb === undefined) {
    throw new NearfieldError('storage-failed', 'No OPFS handle pool for the cache.', { cause: pool });
  }
  const database = new pool.OpfsSAHPoolDb('/cache.db');
  const run = ({ sql, args }: SqlStatement): SqlValue[][] =>
    database.exec({
      sql,
      rowMode: 'array',
      returnValue: 'resultRows',
      ...(args.length > 0 && { bind: args }),
    });
  run({ sql: 'PRAGMA synchronous = FULL', args: [] });
  run({ sql: 'PRAGMA secure_delete = ON', args: [] });
  return {
    maxArgs: 32_766,
    async run(statements) {
      if (statements.length === 1) return statements.map(run);
      run({ sql: 'BEGIN IMMEDIATE', args: [] });
      try {
        const results = statements.map(run);
        run({ sql: 'COMMIT', args: [] });
        return results;
      } catch (error) {
        run({ sql: 'ROLLBACK', args: [] });
        throw error;
      }
    },
    async close() {
      database.close();
    },
  };
}
