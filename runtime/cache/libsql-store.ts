// Owns the cache's rows in libSQL, through Drizzle, over whichever libSQL client it is handed: Node file,
// browser WASM, remote HTTP. One writer: every operation passes one queue.
import type { Client, InStatement } from '@libsql/client';
import { eq, gt, inArray, like, sql } from 'drizzle-orm';
import type { BatchItem } from 'drizzle-orm/batch';
import type { LibSQLDatabase } from 'drizzle-orm/libsql/driver-core';
import { customType, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { NearfieldError } from '../errors.ts';
import { MIGRATIONS } from './libsql-migrations.ts';
import { createSerial, type Serial } from './serial.ts';
import type { CacheStore, EntryHead, StoreChange, StoredEntry } from './store.ts';
import { guardStore } from './store-errors.ts';

const PAGE_ROWS = 2_000;
/** 14 bound values a row; SQLite allows 32,766 a statement. */
const ROWS_A_STATEMENT = 500;

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

export interface LibsqlStoreOptions {
  readonly client: Client;
  /** Drizzle over that client, from the `drizzle-orm/libsql/*` entry that fits the platform. */
  readonly database: LibSQLDatabase;
  readonly kind: string;
  /** Run before the migrations; refusals are ignored, as remote servers refuse most pragmas. */
  readonly pragmas?: readonly string[];
  /** Called before every operation; the WASM client uses it to give back leaked statements. */
  readonly beforeEach?: () => Promise<void>;
}

type Database = LibSQLDatabase;
type Batch = [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]];

/** Opens the store: pragmas, then migrations. @throws storage-failed, quota-exceeded */
export async function openLibsqlStore(options: LibsqlStoreOptions): Promise<CacheStore> {
  const { client, database, kind } = options;
  for (const pragma of options.pragmas ?? []) await client.execute(pragma).catch(() => undefined);
  await guardStore('migrate', () => migrate(client));
  const serial = createSerial();
  const run: Serial = (operation) =>
    serial(async () => {
      await options.beforeEach?.();
      return await operation();
    });

  return {
    kind,
    heads: () => readHeads(database, run),
    answer: (id) => guardStore('read an answer', () => run(() => readAnswer(database, id))),
    apply: (change) => guardStore('write', () => run(() => applyChange(database, change))),
    meta: (prefix) => guardStore('read meta', () => run(() => readMeta(database, prefix))),
    claim: (key, value) => guardStore('claim a key', () => run(() => claimKey(database, key, value))),
    close: () => serial(async () => client.close()),
  };
}

/** Source: SQLite `PRAGMA user_version`; version and tables move in one transaction. */
async function migrate(client: Client): Promise<void> {
  const result = await client.execute('PRAGMA user_version');
  const version = Number(result.rows[0]?.[0] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new NearfieldError(
      'storage-failed',
      `The cache file is of version ${version}; this build knows up to ${MIGRATIONS.length}. Update or remove it.`,
    );
  }
  for (let next = version; next < MIGRATIONS.length; next += 1) {
    const steps: InStatement[] = [...(MIGRATIONS[next] ?? []), `PRAGMA user_version = ${next + 1}`];
    await client.batch(steps, 'write');
  }
}

const HEAD_COLUMNS = {
  id: cacheEntries.id,
  scopeHash: cacheEntries.scopeHash,
  contextHash: cacheEntries.contextHash,
  text: cacheEntries.text,
  vector: cacheEntries.vector,
  scale: cacheEntries.scale,
  tags: cacheEntries.tags,
  createdAtMs: cacheEntries.createdAtMs,
  expiresAtMs: cacheEntries.expiresAtMs,
  usedAtMs: cacheEntries.usedAtMs,
  hits: cacheEntries.hits,
  costMs: cacheEntries.costMs,
  bytes: cacheEntries.bytes,
};

async function* readHeads(database: Database, run: Serial): AsyncIterable<readonly EntryHead[]> {
  for (let after = ''; ; ) {
    const page = await guardStore('read entries', () => run(() => readPage(database, after)));
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    after = page.at(-1)?.id ?? '';
  }
}

async function readPage(database: Database, after: string): Promise<readonly EntryHead[]> {
  const rows = await database
    .select(HEAD_COLUMNS)
    .from(cacheEntries)
    .where(gt(cacheEntries.id, after))
    .orderBy(cacheEntries.id)
    .limit(PAGE_ROWS);
  return rows.map(({ vector, scale, ...row }) =>
    vector === null || scale === null ? row : { ...row, vector: { values: vector, scale } },
  );
}

async function readAnswer(database: Database, id: string): Promise<string | undefined> {
  const rows = await database
    .select({ answer: cacheEntries.answer })
    .from(cacheEntries)
    .where(eq(cacheEntries.id, id));
  return rows[0]?.answer;
}

async function readMeta(database: Database, prefix: string): Promise<ReadonlyMap<string, string>> {
  const pattern = `${prefix.replaceAll(/[\\%_]/g, '\\$&')}%`;
  const rows = await database
    .select()
    .from(cacheMeta)
    .where(sql`${like(cacheMeta.key, pattern)} escape '\\'`);
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
async function applyChange(database: Database, change: StoreChange): Promise<void> {
  const steps: BatchItem<'sqlite'>[] = [
    ...chunks(change.remove ?? []).map((ids) =>
      database.delete(cacheEntries).where(inArray(cacheEntries.id, ids)),
    ),
    ...chunks(change.put ?? []).map((entries) => putEntries(database, entries)),
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

function chunks<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / ROWS_A_STATEMENT) }, (_, at) =>
    items.slice(at * ROWS_A_STATEMENT, (at + 1) * ROWS_A_STATEMENT),
  );
}
