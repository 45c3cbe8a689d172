// Owns the cache's rows in libSQL or SQLite, through Drizzle, over a small port: Node file, browser WASM,
// remote HTTP and a Durable Object differ only in the port. One writer: every operation passes one queue.
import { eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import type { BatchItem } from 'drizzle-orm/batch';
import { customType, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { drizzle, type SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
import { NearfieldError } from '../errors.ts';
import { createBlocks } from './libsql-blocks.ts';
import { BLOCK_ROWS, MIGRATIONS } from './libsql-migrations.ts';
import { createSerial } from './serial.ts';
import type { CacheStore, StoreChange, StoredEntry } from './store.ts';
import { guardStore } from './store-errors.ts';

export type SqlValue = null | string | number | bigint | ArrayBuffer | Uint8Array;

export interface SqlStatement {
  readonly sql: string;
  readonly args: readonly SqlValue[];
}

/** A way to a database, as little as the store needs. */
export interface SqlPort {
  /** Rows of each statement as arrays of values. Several statements are one transaction. */
  run(statements: readonly SqlStatement[]): Promise<SqlValue[][][]>;
  /** Bound values one statement may have. SQLite: 32,766; Durable Objects: 100. */
  readonly maxArgs: number;
  /** Every statement is a way to another machine: nothing is kept twice there to be read faster. */
  readonly isRemote?: boolean;
  close(): Promise<void>;
}

/** Larger statements gain nothing and are compiled anew for every size. */
const MOST_ROWS_A_STATEMENT = 200;

type Database = SqliteRemoteDatabase;
type Batch = [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]];

interface Sizes {
  readonly rows: number;
  readonly ids: number;
}

/** Int8Array[dims] as a BLOB of as many bytes. */
const int8Vector = customType<{ data: Int8Array; driverData: ArrayBuffer | Uint8Array }>({
  dataType: () => 'blob',
  toDriver: (values) => new Uint8Array(values),
  fromDriver: (stored) =>
    ArrayBuffer.isView(stored)
      ? new Int8Array(stored.buffer, stored.byteOffset, stored.byteLength).slice()
      : new Int8Array(stored),
});

const cacheEntries = sqliteTable('cache_entries', {
  id: text('id').primaryKey(),
  scopeHash: text('scope_hash').notNull(),
  contextHash: text('context_hash').notNull(),
  /** JSON: SQLite's text functions and some drivers end a string at its first NUL. */
  text: text('text', { mode: 'json' }).$type<string>().notNull(),
  vector: int8Vector('vector'),
  scale: real('scale'),
  tags: text('tags', { mode: 'json' }).$type<readonly string[]>().notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
  usedAtMs: integer('used_at_ms').notNull(),
  hits: integer('hits').notNull(),
  costMs: real('cost_ms').notNull(),
  bytes: integer('bytes').notNull(),
  answer: text('answer').notNull(),
});

const cacheMeta = sqliteTable('cache_meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

/** Opens the store and brings its tables up to date. @throws storage-failed, quota-exceeded */
export async function openLibsqlStore(port: SqlPort, kind: string): Promise<CacheStore> {
  await guardStore('migrate', () => migrate(port));
  const database = connect(port);
  const serial = createSerial();
  const blocks = createBlocks(port);
  const sizes: Sizes = {
    rows: Math.min(MOST_ROWS_A_STATEMENT, Math.floor(port.maxArgs / ENTRY_COLUMNS)),
    ids: Math.min(MOST_ROWS_A_STATEMENT, port.maxArgs),
  };
  let isClosed = false;
  let isSealing = false;
  let unsealed = 0;

  function run<T>(what: string, operation: () => Promise<T>): Promise<T> {
    return guardStore(what, () =>
      serial(async () => {
        if (isClosed) throw new NearfieldError('storage-failed', 'The cache store is closed.');
        return await operation();
      }),
    );
  }

  /** Whatever goes wrong, the block stays rows, which is only slower. */
  async function sealNext(): Promise<boolean> {
    if (port.isRemote === true || isClosed) return false;
    return await run('seal', () => blocks.sealNext()).catch(() => false);
  }

  /** All that is left to seal, a block a turn, so that nobody waits long. */
  async function sealRest(): Promise<void> {
    if (isSealing) return;
    isSealing = true;
    while (await sealNext()) await new Promise((resolve) => setTimeout(resolve));
    isSealing = false;
  }

  /** After the writer has its answer, and before the next write, so that sealing keeps pace. */
  function sealAfter({ put = [], remove = [] }: StoreChange): void {
    unsealed += put.length;
    if (remove.length === 0 && unsealed < BLOCK_ROWS / 8) return;
    for (let turns = 1 + Math.ceil(unsealed / BLOCK_ROWS); turns > 0; turns -= 1) void sealNext();
    unsealed = 0;
  }

  return {
    kind,
    async heads(after) {
      const page = await run('read entries', () => blocks.heads(after));
      if (page.length === 0) void sealRest();
      return page;
    },
    answer: (id) => run('read an answer', () => readAnswer(database, id)),
    async apply(change) {
      await run('write', () => applyChange(database, change, sizes));
      sealAfter(change);
    },
    meta: (prefix) => run('read meta', () => readMeta(database, prefix)),
    claim: (key, value) => run('claim a key', () => claimKey(database, key, value)),
    close: () =>
      serial(async () => {
        isClosed = true;
        await port.close();
      }),
  };
}

function connect(port: SqlPort): Database {
  return drizzle(
    async (query, params, method) => {
      const [rows = []] = await port.run([{ sql: query, args: params }]);
      return { rows: method === 'get' ? (rows[0] ?? []) : rows };
    },
    async (batch) => {
      const results = await port.run(batch.map((each) => ({ sql: each.sql, args: each.params })));
      return results.map((rows) => ({ rows }));
    },
  );
}

/** A version's tables and its number are one transaction, so a killed migration starts over whole. */
async function migrate(port: SqlPort): Promise<void> {
  const plain = (statement: string): SqlStatement => ({ sql: statement, args: [] });
  await port.run([plain('CREATE TABLE IF NOT EXISTS cache_migrations (version INTEGER PRIMARY KEY)')]);
  const [rows] = await port.run([plain('SELECT max(version) FROM cache_migrations')]);
  const version = Number(rows?.[0]?.[0] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new NearfieldError(
      'storage-failed',
      `The cache is of version ${version}; this build knows up to ${MIGRATIONS.length}. Update, or remove it.`,
    );
  }
  for (let next = version; next < MIGRATIONS.length; next += 1) {
    const note = { sql: 'INSERT INTO cache_migrations (version) VALUES (?)', args: [next + 1] };
    await port.run([note, ...(MIGRATIONS[next] ?? []).map(plain)]);
  }
}

const ENTRY_COLUMNS = Object.keys(getTableColumns(cacheEntries)).length;

async function readAnswer(database: Database, id: string): Promise<string | undefined> {
  const rows = await database
    .select({ answer: cacheEntries.answer })
    .from(cacheEntries)
    .where(eq(cacheEntries.id, id));
  return rows[0]?.answer;
}

async function readMeta(database: Database, prefix: string): Promise<ReadonlyMap<string, string>> {
  const rows = await database
    .select()
    .from(cacheMeta)
    .where(sql`substr(${cacheMeta.key}, 1, length(${prefix})) = ${prefix}`);
  return new Map(rows.map((row) => [row.key, row.value]));
}

async function claimKey(database: Database, key: string, value: string): Promise<string> {
  const [, rows] = await database.batch([
    database.insert(cacheMeta).values({ key, value }).onConflictDoNothing(),
    database.select().from(cacheMeta).where(eq(cacheMeta.key, key)),
  ]);
  return rows[0]?.value ?? value;
}

/** One transaction, so a process killed in the middle leaves all of the change or none. */
async function applyChange(database: Database, change: StoreChange, perStatement: Sizes): Promise<void> {
  const steps: BatchItem<'sqlite'>[] = [
    ...chunks(change.remove ?? [], perStatement.ids).map((ids) =>
      database.delete(cacheEntries).where(inArray(cacheEntries.id, ids)),
    ),
    ...chunks(change.put ?? [], perStatement.rows).map((entries) => putEntries(database, entries)),
    ...(change.touch ?? []).map(({ id, usedAtMs, hits }) =>
      database.update(cacheEntries).set({ usedAtMs, hits }).where(eq(cacheEntries.id, id)),
    ),
    ...Object.entries(change.meta ?? {}).map(([key, value]) => putMeta(database, key, value)),
  ];
  const [first, ...rest] = steps;
  if (first === undefined) return;
  const batch: Batch = [first, ...rest];
  await database.batch(batch);
}

function putEntries(database: Database, entries: readonly StoredEntry[]): BatchItem<'sqlite'> {
  const rows = entries.map(({ vector, tags, ...entry }) => ({
    ...entry,
    tags: [...tags],
    vector: vector?.values ?? null,
    scale: vector?.scale ?? null,
  }));
  const replaced = Object.fromEntries(
    Object.entries(cacheEntries)
      .filter(([name]) => name !== 'id' && name in rows[0]!)
      .map(([name, column]) => [name, sql.raw(`excluded."${column.name}"`)]),
  );
  return database
    .insert(cacheEntries)
    .values(rows)
    .onConflictDoUpdate({ target: cacheEntries.id, set: replaced });
}

function putMeta(database: Database, key: string, value: string | null): BatchItem<'sqlite'> {
  if (value === null) return database.delete(cacheMeta).where(eq(cacheMeta.key, key));
  return database
    .insert(cacheMeta)
    .values({ key, value })
    .onConflictDoUpdate({ target: cacheMeta.key, set: { value } });
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );
}
