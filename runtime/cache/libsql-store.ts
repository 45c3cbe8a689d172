// Owns the cache's rows in libSQL or SQLite, through Drizzle, over a small port: Node file, browser WASM,
// remote HTTP and a Durable Object differ only in the port. One writer: every operation passes one queue.
import { eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import type { BatchItem } from 'drizzle-orm/batch';
import { customType, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { drizzle, type SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
import { NearfieldError } from '../errors.ts';
import { MIGRATIONS } from './libsql-migrations.ts';
import { createSerial } from './serial.ts';
import type { CacheStore, EntryHead, StoreChange, StoredEntry } from './store.ts';
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
  close(): Promise<void>;
}

/** A page is one row of JSON and one blob; Durable Objects hold at most 2 MB in either. */
const PAGE_ROWS = 1_000;
const MOST_ENDS = 32;
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
  const readPage = createPageReader(port);
  const sizes: Sizes = {
    rows: Math.min(MOST_ROWS_A_STATEMENT, Math.floor(port.maxArgs / ENTRY_COLUMNS)),
    ids: Math.min(MOST_ROWS_A_STATEMENT, port.maxArgs),
  };
  let isClosed = false;

  function run<T>(what: string, operation: () => Promise<T>): Promise<T> {
    return guardStore(what, () =>
      serial(async () => {
        if (isClosed) throw new NearfieldError('storage-failed', 'The cache store is closed.');
        return await operation();
      }),
    );
  }

  return {
    kind,
    heads: (after) => run('read entries', () => readPage(after)),
    answer: (id) => run('read an answer', () => readAnswer(database, id)),
    apply: (change) => run('write', () => applyChange(database, change, sizes)),
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

/**
 * A page in one row, in the order of the table: drivers spend ten times as long on making rows as SQLite on reading
 * them, and an index of random ids sends it back and forth. Reals are printed whole, where `json_array` would cut
 * them to 15 digits. Both aggregates take the rows in one order, which the row numbers show.
 */
const PAGE_SQL = `
  SELECT json_group_array(json_array(place, id, scope_hash, context_hash, json(text), json(tags), created_at_ms,
      expires_at_ms, used_at_ms, hits, json(printf('%!.17g', cost_ms)), bytes, json(printf('%!.17g', scale)),
      length(vector))),
    CAST(group_concat(vector, '') AS BLOB)
  FROM (SELECT rowid AS place, id, scope_hash, context_hash, text, tags, created_at_ms, expires_at_ms, used_at_ms,
      hits, cost_ms, bytes, scale, vector FROM cache_entries WHERE rowid > ? ORDER BY rowid LIMIT ?)`;

type PageRow = readonly [
  place: number,
  ...texts: [id: string, scopeHash: string, contextHash: string, text: string],
  tags: readonly string[],
  ...times: [createdAtMs: number, expiresAtMs: number, usedAtMs: number],
  ...counts: [hits: number, costMs: number, bytes: number],
  ...vector: [scale: number, length: number | null],
];

/** Reads pages one after another. A page that is too much for one row, as texts may be long, is read in smaller ones. */
function createPageReader(port: SqlPort): (after: string) => Promise<readonly EntryHead[]> {
  /** Row number of each id that ended a page lately: the row itself may be gone by now. */
  const ends = new Map([['', 0]]);

  async function placeOf(after: string): Promise<number> {
    const known = ends.get(after);
    if (known !== undefined) return known;
    const [rows] = await port.run([{ sql: 'SELECT rowid FROM cache_entries WHERE id = ?', args: [after] }]);
    const place = rows?.[0]?.[0];
    if (place === undefined) {
      throw new NearfieldError('storage-failed', 'The entry that ended the page before is gone. Read again.');
    }
    return Number(place);
  }

  async function read(place: number, limit: number): Promise<readonly EntryHead[]> {
    try {
      const [rows = []] = await port.run([{ sql: PAGE_SQL, args: [place, limit] }]);
      const [json, blob] = rows[0] ?? [];
      const found = JSON.parse(String(json)) as readonly PageRow[];
      const heads = headsOf(found, toBytes(blob));
      const [last, id] = found.at(-1) ?? [];
      if (last !== undefined && id !== undefined) ends.set(id, last);
      if (ends.size > MOST_ENDS) ends.delete([...ends.keys()][1] ?? '');
      return heads;
    } catch (error) {
      if (limit === 1) throw error;
      return await read(place, Math.max(1, Math.floor(limit / 8)));
    }
  }

  return async (after) => await read(await placeOf(after), PAGE_ROWS);
}

/** @throws RangeError when the rows are out of order, or the blob does not hold just their vectors */
function headsOf(rows: readonly PageRow[], vectors: Int8Array): EntryHead[] {
  let at = 0;
  const heads = rows.map((row) => {
    const [, id, scopeHash, contextHash, text, tags, createdAtMs, expiresAtMs, usedAtMs, ...rest] = row;
    const [hits, costMs, bytes, scale, length] = rest;
    const head = {
      id,
      scopeHash,
      contextHash,
      text,
      tags,
      createdAtMs,
      expiresAtMs,
      usedAtMs,
      hits,
      costMs,
      bytes,
    };
    if (length === null) return head;
    const values = vectors.subarray(at, at + length);
    at += length;
    return { ...head, vector: { values, scale } };
  });
  if (rows.some(([place], index) => index > 0 && place <= rows[index - 1]![0])) {
    throw new RangeError('The rows of the page are in no order.');
  }
  if (at !== vectors.length) throw new RangeError('The vectors of the page are not as long as they say.');
  return heads;
}

function toBytes(stored: SqlValue | undefined): Int8Array {
  if (stored instanceof ArrayBuffer) return new Int8Array(stored);
  if (ArrayBuffer.isView(stored)) return new Int8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  return new Int8Array(0);
}

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
