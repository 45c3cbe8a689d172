// Blocks are copies: whatever happened since one was made, what is read is what the rows say.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@libsql/client';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { openLibsqlCacheStore } from './libsql.ts';
import { createBlocks } from './libsql-blocks.ts';
import { createClientPort } from './libsql-client-port.ts';
import { openLibsqlStore, type SqlPort, type SqlStatement } from './libsql-store.ts';
import { allHeads, same, sampleEntry, toHead } from './store.contract.ts';
import type { CacheStore, EntryHead, StoreChange } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-blocks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${files++}.db`);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

/** A store that seals only when told to, what it asked of SQLite, and a way past it. */
interface Watched {
  readonly store: CacheStore;
  readonly client: Client;
  readonly port: SqlPort;
  /** Rows that were read out of the entries' table since last asked. */
  rowsRead(): number;
  sealAll(): Promise<number>;
}

async function openWatched(file: string, before?: (sql: string) => Promise<void>): Promise<Watched> {
  const client = createClient({ url: `file:${file}` });
  const inner = createClientPort(client, true);
  let read = 0;
  const port: SqlPort = {
    ...inner,
    async run(statements: readonly SqlStatement[]) {
      await before?.(statements[0]?.sql ?? '');
      const results = await inner.run(statements);
      const [json] = results[0]?.[0] ?? [];
      if (statements[0]?.sql.includes('FROM cache_entries WHERE rowid >')) {
        read += (JSON.parse(String(json)) as unknown[]).length;
      }
      return results;
    },
  };
  const store = await openLibsqlStore(port, 'watched');
  const blocks = createBlocks(port);
  return {
    store,
    client,
    port,
    rowsRead() {
      const rows = read;
      read = 0;
      return rows;
    },
    async sealAll() {
      let sealed = 0;
      while (await blocks.sealNext()) sealed += 1;
      return sealed;
    },
  };
}

async function put(store: CacheStore, seeds: readonly number[]): Promise<void> {
  await store.apply({ put: seeds.map((seed) => sampleEntry(seed)) });
}

const expected = (seeds: readonly number[]): EntryHead[] => seeds.map((seed) => toHead(sampleEntry(seed)));

it('reads sealed blocks as blocks, and the rest as rows', async () => {
  const { store, sealAll, rowsRead } = await openWatched(newFile());
  await put(store, range(0, 1_100));
  expect(await sealAll()).toBe(2);
  rowsRead();
  same(await allHeads(store), expected(range(0, 1_100)));
  expect(rowsRead()).toBe(1_100 - 2 * 512);
  // Touches cost no row; an entry put again costs its own.
  await store.apply({ touch: [{ id: sampleEntry(3).id, usedAtMs: 7, hits: 9 }] });
  await store.apply({ put: [sampleEntry(600, { tags: ['new'] })] });
  const heads = await allHeads(store);
  expect(rowsRead()).toBe(1_100 - 2 * 512 + 1);
  expect(heads[3]).toMatchObject({ usedAtMs: 7, hits: 9 });
  expect(heads[600]).toMatchObject({ tags: ['new'] });
  // A touch of what was put again does not make its row known.
  await store.apply({ touch: [{ id: sampleEntry(600).id, usedAtMs: 8, hits: 2 }] });
  expect((await allHeads(store))[600]).toMatchObject({ tags: ['new'], usedAtMs: 8, hits: 2 });
});

/** As a tool may that writes a table anew: the rows in their order, without gaps, and no trigger told. */
async function renumber(client: Client): Promise<void> {
  await client.batch([
    'CREATE TEMP TABLE moved AS SELECT rowid AS place, row_number() OVER (ORDER BY rowid) AS next FROM cache_entries',
    'UPDATE cache_entries SET rowid = -rowid',
    'UPDATE cache_entries SET rowid = (SELECT next FROM moved WHERE place = -cache_entries.rowid)',
    'DROP TABLE moved',
  ]);
}

/** As much of a store's life as may leave a copy behind: changes, sealing, opening anew. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: fc.array(fc.nat({ max: 1_600 }), { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ remove: fc.array(fc.nat({ max: 1_600 }), { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ removeFrom: fc.integer({ min: 300, max: 1_600 }) }) },
  { weight: 3, arbitrary: fc.record({ touch: fc.array(fc.nat({ max: 1_600 }), { maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.constant({ seal: true }) },
  { weight: 1, arbitrary: fc.constant({ renumber: true }) },
);

it('reads what the rows say after any run of changes, sealings and moves of rows', {
  timeout: 180_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 12 }),
      fc.nat({ max: 900 }),
      async (steps, gap) => {
        const { store, client, sealAll } = await openWatched(newFile());
        const model = new Map<string, EntryHead>();
        const apply = async (change: StoreChange): Promise<void> => {
          await store.apply(change);
          for (const id of change.remove ?? []) model.delete(id);
          for (const entry of change.put ?? []) model.set(entry.id, toHead(entry));
          for (const touch of change.touch ?? []) {
            const head = model.get(touch.id);
            if (head !== undefined) model.set(touch.id, { ...head, ...touch });
          }
        };
        await apply({ put: range(0, 1_100).map((seed) => sampleEntry(seed)) });
        await sealAll();
        await apply({ remove: [sampleEntry(gap).id] });
        for (const [at, each] of steps.entries()) {
          if ('put' in each)
            await apply({ put: each.put.map((seed) => sampleEntry(seed, { costMs: at + 0.1 })) });
          if ('remove' in each) await apply({ remove: each.remove.map((seed) => sampleEntry(seed).id) });
          if ('removeFrom' in each) {
            await apply({ remove: range(each.removeFrom, 1_601).map((seed) => sampleEntry(seed).id) });
          }
          if ('touch' in each) {
            await apply({
              touch: each.touch.map((seed) => ({ id: sampleEntry(seed).id, usedAtMs: at, hits: at % 3 })),
            });
          }
          if ('seal' in each) await sealAll();
          if ('renumber' in each) await renumber(client);
        }
        const kept = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
        same(await allHeads(store), kept);
        await sealAll();
        same(await allHeads(store), kept);
        await store.close();
      },
    ),
    { numRuns: 10 },
  );
});

it('knows an entry that takes a place inside a sealed block', async () => {
  const { store, sealAll } = await openWatched(newFile());
  await put(store, range(0, 600));
  // The block is sealed without its last row, then every row after it goes: the next entry gets that row's place.
  await store.apply({ remove: [sampleEntry(511).id] });
  expect(await sealAll()).toBe(1);
  await store.apply({ remove: range(512, 600).map((seed) => sampleEntry(seed).id) });
  await put(store, [700, 701]);
  same(await allHeads(store), expected([...range(0, 511), 700, 701]));
});

it('believes no block whose rows were moved, and seals it anew', async () => {
  const { store, client, sealAll, rowsRead } = await openWatched(newFile());
  await put(store, range(0, 1_536));
  await sealAll();
  await store.apply({ remove: [sampleEntry(3).id] });
  await renumber(client);
  rowsRead();
  same(await allHeads(store), expected(range(0, 1_536).filter((seed) => seed !== 3)));
  expect(rowsRead()).toBe(1_535);
  expect(await sealAll()).toBe(3);
  await allHeads(store);
  expect(rowsRead()).toBe(1_535);
  await allHeads(store);
  expect(rowsRead()).toBe(0);
});

it.each(['a flipped byte', 'a cut', 'nothing'])('reads rows where a copy is torn: %s', async (how) => {
  const { store, client, sealAll, rowsRead } = await openWatched(newFile());
  await put(store, range(0, 1_024));
  await sealAll();
  const torn = {
    'a flipped byte': "substr(data, 1, 5000) || x'ff' || substr(data, 5002)",
    'a cut': 'substr(data, 1, length(data) - 8)',
    nothing: 'data',
  }[how];
  await client.execute(`UPDATE cache_blocks SET data = CAST(${torn} AS BLOB) WHERE block = 0`);
  rowsRead();
  same(await allHeads(store), expected(range(0, 1_024)));
  expect(rowsRead()).toBe(how === 'nothing' ? 0 : 512);
  // It is sealed anew and believed again.
  expect(await sealAll()).toBe(how === 'nothing' ? 0 : 1);
  rowsRead();
  await allHeads(store);
  expect(rowsRead()).toBe(0);
});

it('notes what another writer changes between the announcement and the copy', async () => {
  const file = newFile();
  const { store: other } = await openWatched(file);
  await put(other, range(0, 512));
  const changes: StoreChange[] = [
    { put: [sampleEntry(1, { tags: ['later'] })] },
    { touch: [{ id: sampleEntry(2).id, usedAtMs: 5, hits: 5 }] },
  ];
  let reads = 0;
  const { store, sealAll } = await openWatched(file, async (sql) => {
    // After the rows were read, before the copy is kept.
    if (sql.includes('SET data = ?')) for (const change of changes) await other.apply(change);
    if (sql.includes('FROM cache_entries WHERE rowid >')) reads += 1;
  });
  await sealAll();
  expect(reads).toBeGreaterThan(0);
  const heads = await allHeads(store);
  expect(heads[1]).toMatchObject({ tags: ['later'] });
  expect(heads[2]).toMatchObject({ usedAtMs: 5, hits: 5 });
  await other.close();
});

it('keeps no copy of a block that lost an entry while it was sealed', async () => {
  const file = newFile();
  const { store: other } = await openWatched(file);
  await put(other, range(0, 512));
  let isRemoved = false;
  const { store, client, sealAll } = await openWatched(file, async (sql) => {
    if (!sql.includes('SET data = ?') || isRemoved) return;
    isRemoved = true;
    await other.apply({ remove: [sampleEntry(4).id] });
  });
  // Once in vain, once more with what is left.
  expect(await sealAll()).toBe(2);
  expect((await allHeads(store)).map(({ id }) => id)).not.toContain(sampleEntry(4).id);
  const { rows } = await client.execute('SELECT count(*) FROM cache_blocks WHERE data IS NOT NULL');
  expect(rows[0]?.[0]).toBe(1);
  await other.close();
});

it('seals anew what was announced and never copied', async () => {
  const { store, client, sealAll } = await openWatched(newFile());
  await put(store, range(0, 512));
  await client.execute("UPDATE cache_blocks SET token = 'of a killed process'");
  await store.apply({ put: [sampleEntry(7, { tags: ['since'] })] });
  same((await allHeads(store))[7]?.tags, ['since']);
  expect(await sealAll()).toBe(1);
  same((await allHeads(store))[7]?.tags, ['since']);
});

it('seals by itself while it is written to, and leaves no word of an erased entry in the file', async () => {
  const file = newFile();
  const store = await openLibsqlCacheStore({ url: `file:${file}` });
  await put(store, range(0, 512));
  const word = 'xylographic';
  await store.apply({
    put: [sampleEntry(512, { text: word }), ...range(513, 1_024).map((at) => sampleEntry(at))],
  });
  const client = createClient({ url: `file:${file}` });
  const sealed = async (): Promise<unknown> =>
    (await client.execute('SELECT count(*) FROM cache_blocks WHERE length(data) > 0')).rows[0]?.[0];
  await expect.poll(sealed).toBe(2);
  const occurrences = async (): Promise<number> => {
    await client.execute('PRAGMA wal_checkpoint(TRUNCATE)');
    return readFileSync(file, 'latin1').split(word).length - 1;
  };
  expect(await occurrences()).toBeGreaterThan(1);
  await store.apply({ remove: [sampleEntry(512).id] });
  await store.close();
  expect(await occurrences()).toBe(0);
  client.close();
});
