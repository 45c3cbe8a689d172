// Owns opening fast: heads are read from sealed blocks of 512 rows, and from the rows themselves where no block holds.
// A block is a copy and never the truth. Triggers of the database note, in the transaction that changes a row, what its
// block no longer says, whoever writes; so a block is never staler than the notes beside it.
//
// Sealing is announced first, by a token in the block's row: from then on changes are noted. Then the rows are read,
// and the copy is put beside the token if that still stands there. Killed in between, a token without a copy is left,
// and the next to come seals anew.
import { decodeBlock, encodeBlock, type HeadBlock } from './head-block.ts';
import { BLOCK_ROWS } from './libsql-migrations.ts';
import { readRows, toBytes } from './libsql-rows.ts';
import type { SqlPort, SqlStatement, SqlValue } from './libsql-store.ts';
import type { EntryHead } from './store.ts';

export interface Blocks {
  /** As {@link import('./store.ts').CacheStore.heads}. */
  heads(after: string): Promise<readonly EntryHead[]>;
  /** Seals one block that is complete and has no copy. False when there is none. */
  sealNext(): Promise<boolean>;
}

const PAGE_ROWS = 1_000;
/** Fewer pages are fewer messages where the store is in a worker; four blocks are about a megabyte. */
const PAGE_BLOCKS = 4;
/** Ids that ended a page lately, and where they lay: the row itself may be gone by now. */
const MOST_ENDS = 32;
/** Durable Objects hold at most 2 MB in a value. A block of longer texts stays rows. */
const MOST_BLOCK_BYTES = 1_900_000;
/** Rows of a block that have to be read anew before it is sealed anew. Unmeasured. */
const MOST_CHANGED = 64;

/** Blocks with a copy, and whether the rows still lie where they lay: another tool may have written them anew. */
const SEALED_SQL = `
  SELECT block, first_id = (SELECT id FROM cache_entries WHERE rowid = b.first_place)
    AND last_id = (SELECT id FROM cache_entries WHERE rowid = b.last_place)
  FROM cache_blocks AS b WHERE token IS NOT NULL AND length(data) > 0 ORDER BY block`;

const BLOCK_SQL = `
  SELECT data, (SELECT json_group_array(json_array(place, used_at_ms, hits)) FROM cache_amended
      WHERE place > block * ${BLOCK_ROWS} AND place <= (block + 1) * ${BLOCK_ROWS})
  FROM cache_blocks WHERE block = ? AND token IS NOT NULL AND length(data) > 0`;

interface Page {
  readonly heads: readonly EntryHead[];
  /** The place it reaches to. */
  readonly end: number;
}

/** Where its hits are null the row changed, and is read anew. */
type Amended = readonly [place: number, usedAtMs: number | null, hits: number | null];

export function createBlocks(port: SqlPort): Blocks {
  const ends = new Map([['', 0]]);
  /** Numbers of blocks that had a copy when last looked; the copy itself is asked for again. */
  let sealed: readonly number[] = [];
  let hasLooked = false;

  const first = async (sql: string, args: readonly SqlValue[] = []): Promise<SqlValue[] | undefined> =>
    (await port.run([{ sql, args }]))[0]?.[0];

  async function placeOf(after: string): Promise<number> {
    const known = ends.get(after);
    if (known !== undefined) return known;
    const row = await first('SELECT rowid FROM cache_entries WHERE id = ?', [after]);
    if (row === undefined) throw new RangeError('The entry that ended the page before is gone. Read again.');
    return Number(row[0]);
  }

  async function readSealed(): Promise<readonly number[]> {
    const [rows = []] = await port.run([{ sql: SEALED_SQL, args: [] }]);
    const [holding, moved] = [rows.filter(([, lies]) => lies === 1), rows.filter(([, lies]) => lies !== 1)];
    for (const [block] of moved) await forget(Number(block));
    return holding.map(([block]) => Number(block));
  }

  /** The block's heads as they are now; undefined where its copy is gone or cannot be believed. */
  async function readBlock(block: number): Promise<readonly EntryHead[] | undefined> {
    const [data, notes] = (await first(BLOCK_SQL, [block])) ?? [];
    const copy = data === undefined ? undefined : decodeBlock(toBytes(data));
    if (copy === undefined) {
      await forget(block);
      return undefined;
    }
    const amended = JSON.parse(String(notes)) as readonly Amended[];
    if (amended.length === 0) return copy.heads;
    const changed = amended.filter(([, , hits]) => hits === null).map(([place]) => place);
    if (changed.length > MOST_CHANGED) await forget(block);
    return amend(copy, amended, await readAnew(block, changed));
  }

  async function readAnew(block: number, places: readonly number[]): Promise<HeadBlock> {
    const [from, to] = boundsOf(block);
    return await readWhole(from, to, places);
  }

  /** It is sealed anew when it is its turn. */
  async function forget(block: number): Promise<void> {
    await port.run([
      { sql: 'UPDATE cache_blocks SET token = NULL, data = NULL WHERE block = ?', args: [block] },
    ]);
  }

  async function readPage(place: number): Promise<Page> {
    for (let after = place; ; ) {
      const next = sealed.find((block) => block * BLOCK_ROWS >= after);
      const from = next === undefined ? Number.MAX_SAFE_INTEGER : next * BLOCK_ROWS;
      const page = from === after ? await readSome(next!) : await readBetween(after, from);
      if (page.heads.length > 0 || page.end === Number.MAX_SAFE_INTEGER) return page;
      after = page.end;
    }
  }

  /** Sealed blocks that follow one another. Ends where it began when the first can not be believed. */
  async function readSome(from: number): Promise<Page> {
    const heads: EntryHead[] = [];
    let block = from;
    while (block < from + PAGE_BLOCKS && sealed.includes(block)) {
      const found = await readBlock(block);
      if (found === undefined) {
        sealed = sealed.filter((each) => each !== block);
        break;
      }
      heads.push(...found);
      block += 1;
    }
    return { heads, end: block * BLOCK_ROWS };
  }

  async function readBetween(after: number, upTo: number): Promise<Page> {
    const { heads, places } = await readRows(port, { after, upTo, limit: PAGE_ROWS });
    return { heads, end: places.at(-1) ?? upTo };
  }

  async function seal(block: number): Promise<void> {
    const token = crypto.randomUUID();
    const [from, to] = boundsOf(block);
    const announce: SqlStatement[] = [
      { sql: 'DELETE FROM cache_amended WHERE place > ? AND place <= ?', args: [from, to] },
      { sql: 'UPDATE cache_blocks SET token = ?, data = NULL WHERE block = ?', args: [token, block] },
    ];
    await port.run(announce);
    const copy = await readWhole(from, to);
    const [head, last] = [copy.heads[0], copy.heads.at(-1)];
    if (head === undefined || last === undefined) {
      await port.run([
        { sql: 'DELETE FROM cache_blocks WHERE block = ? AND token = ?', args: [block, token] },
      ]);
      return;
    }
    const encoded = encodeBlock(copy);
    const data = encoded === undefined || encoded.length > MOST_BLOCK_BYTES ? new Uint8Array(0) : encoded;
    const sql = `UPDATE cache_blocks SET data = ?, first_id = ?, first_place = ?, last_id = ?, last_place = ?
      WHERE block = ? AND token = ?`;
    const ends = [head.id, copy.places[0]!, last.id, copy.places.at(-1)!];
    await port.run([{ sql, args: [data, ...ends, block, token] }]);
  }

  async function readWhole(from: number, upTo: number, places?: readonly number[]): Promise<HeadBlock> {
    const whole: { places: number[]; heads: EntryHead[] } = { places: [], heads: [] };
    if (places?.length === 0) return whole;
    const wanted = { upTo, limit: BLOCK_ROWS, ...(places !== undefined && { places }) };
    for (let after = from; ; after = whole.places.at(-1)!) {
      const page = await readRows(port, { ...wanted, after });
      whole.places.push(...page.places);
      whole.heads.push(...page.heads);
      if (page.places.length === 0 || whole.places.at(-1) === upTo) return whole;
    }
  }

  return {
    async heads(after) {
      if (after === '' || !hasLooked) sealed = await readSealed();
      hasLooked = true;
      const { heads, end } = await readPage(await placeOf(after));
      const last = heads.at(-1);
      if (last !== undefined) ends.set(last.id, end);
      if (ends.size > MOST_ENDS) ends.delete([...ends.keys()][1] ?? '');
      return heads;
    },
    async sealNext() {
      const row = await first('SELECT block FROM cache_blocks WHERE data IS NULL ORDER BY block LIMIT 1');
      if (row === undefined) return false;
      await seal(Number(row[0]));
      return true;
    },
  };
}

/** Places after the first and up to the second. */
function boundsOf(block: number): readonly [after: number, upTo: number] {
  return [block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS];
}

function amend(copy: HeadBlock, amended: readonly Amended[], anew: HeadBlock): readonly EntryHead[] {
  const notes = new Map(amended.map((note) => [note[0], note]));
  const kept = copy.heads.flatMap((head, at) => {
    const [, usedAtMs, hits] = notes.get(copy.places[at]!) ?? [];
    if (hits === undefined) return [head];
    return hits === null ? [] : [{ ...head, hits, usedAtMs: usedAtMs ?? head.usedAtMs }];
  });
  return [...kept, ...anew.heads];
}
