// Owns the cache in a Durable Object's own SQLite: the embedded store in workerd. Opened inside the object;
// whoever holds the object holds the one writer.
import { openLibsqlStore, type SqlPort, type SqlStatement, type SqlValue } from './libsql-store.ts';
import type { CacheStore } from './store.ts';

/** As much of `DurableObjectStorage` as is used, so that this module needs no Workers types. */
export interface DurableObjectSql {
  readonly sql: {
    exec(
      query: string,
      ...bindings: (null | string | number | ArrayBuffer)[]
    ): { raw(): { toArray(): (null | string | number | ArrayBuffer)[][] } };
  };
  transactionSync<T>(work: () => T): T;
}

/** Bound values a statement may have. Source: Durable Objects, SQLite storage limits. */
const MOST_ARGS = 100;

/** A cache store in `ctx.storage` of a SQLite-backed Durable Object. @throws storage-failed */
export async function openDurableObjectCacheStore(storage: DurableObjectSql): Promise<CacheStore> {
  return await openLibsqlStore(createPort(storage), 'durable-object');
}

function createPort(storage: DurableObjectSql): SqlPort {
  const run = ({ sql, args }: SqlStatement): SqlValue[][] =>
    storage.sql
      .exec(sql, ...args.map(toBinding))
      .raw()
      .toArray();
  return {
    maxArgs: MOST_ARGS,
    run: async (statements) => storage.transactionSync(() => statements.map(run)),
    close: async () => undefined,
  };
}

function toBinding(value: SqlValue): null | string | number | ArrayBuffer {
  if (value instanceof Uint8Array) return value.slice().buffer;
  return typeof value === 'bigint' ? Number(value) : value;
}
