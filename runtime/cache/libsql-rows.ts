// Owns reading heads out of the rows of the entries' table: right for every row, and slow for many.
import type { HeadBlock } from './head-block.ts';
import type { SqlPort, SqlValue } from './libsql-store.ts';
import type { EntryHead } from './store.ts';

/** Rows whose place is after `after` and at most `upTo`, or of these places alone. */
export interface RowRange {
  readonly after: number;
  readonly upTo?: number;
  readonly limit: number;
  readonly places?: readonly number[];
}

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
      hits, cost_ms, bytes, scale, vector FROM cache_entries WHERE rowid > ? AND rowid <= ?
      AND (? IS NULL OR rowid IN (SELECT value FROM json_each(?))) ORDER BY rowid LIMIT ?)`;

type PageRow = readonly [
  place: number,
  ...texts: [id: string, scopeHash: string, contextHash: string, text: string],
  tags: readonly string[],
  ...times: [createdAtMs: number, expiresAtMs: number, usedAtMs: number],
  ...counts: [hits: number, costMs: number, bytes: number],
  ...vector: [scale: number, length: number | null],
];

/** A page that is too much for one row, as texts may be long, is read in smaller ones: fewer rows than asked for. */
export async function readRows(port: SqlPort, range: RowRange): Promise<HeadBlock> {
  const { after, upTo = Number.MAX_SAFE_INTEGER, limit, places } = range;
  const chosen = places === undefined ? null : JSON.stringify(places);
  try {
    const [rows = []] = await port.run([{ sql: PAGE_SQL, args: [after, upTo, chosen, chosen, limit] }]);
    const [json, blob] = rows[0] ?? [];
    return headsOf(JSON.parse(String(json)) as readonly PageRow[], toBytes(blob));
  } catch (error) {
    if (limit === 1) throw error;
    return await readRows(port, { ...range, limit: Math.max(1, Math.floor(limit / 8)) });
  }
}

/** @throws RangeError when the rows are out of order, or the blob does not hold just their vectors */
function headsOf(rows: readonly PageRow[], vectors: Uint8Array): HeadBlock {
  let at = 0;
  const values = new Int8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength);
  const heads = rows.map((row): EntryHead => {
    const [, id, scopeHash, contextHash, text, tags, createdAtMs, expiresAtMs, usedAtMs] = row;
    const [hits, costMs, bytes, scale, length] = [row[9], row[10], row[11], row[12], row[13]];
    const from = at;
    at += length ?? 0;
    return {
      id,
      scopeHash,
      contextHash,
      text,
      vector: length === null ? undefined : { values: values.subarray(from, at), scale },
      tags,
      createdAtMs,
      expiresAtMs,
      usedAtMs,
      hits,
      costMs,
      bytes,
    };
  });
  if (rows.some(([place], index) => index > 0 && place <= rows[index - 1]![0])) {
    throw new RangeError('The rows of the page are in no order.');
  }
  if (at !== vectors.length) throw new RangeError('The vectors of the page are not as long as they say.');
  return { places: rows.map(([place]) => place), heads };
}

export function toBytes(stored: SqlValue | undefined): Uint8Array {
  if (stored instanceof ArrayBuffer) return new Uint8Array(stored);
  if (ArrayBuffer.isView(stored)) return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  return new Uint8Array(0);
}
