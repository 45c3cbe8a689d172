// Owns measuring the cache's index and stores beside libSQL's own vector search, in one run: lookup, insert,
// memory, recall, and rebuilding from the store.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@libsql/client';
import { openCatalogue } from '../../runtime/cache/catalogue.ts';
import { openLibsqlCacheStore } from '../../runtime/cache/libsql.ts';
import { quantise } from '../../runtime/cache/quantise.ts';
import { sampleEntry } from '../../runtime/cache/store.contract.ts';
import {
  createFlatPartition,
  createVectorIndex,
  type VectorIndex,
} from '../../runtime/cache/vector-index.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, mulberry32, printBench } from '../report.ts';

const DIMS = 384;
const QUERIES = 200;
const PEER_QUERIES = 20;

interface Options {
  readonly rows: string;
  readonly peerRows: string;
  readonly diskannRows: string;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'cache index and store beside libSQL F8 scan and DiskANN: lookup, insert, memory, recall@1',
  configure(bench) {
    bench
      .option('--rows <list>', 'entries, e.g. 1000,10000,100000,1000000', '1000,10000,100000')
      .option('--peer-rows <n>', 'libSQL scan up to this many', '10000')
      .option('--diskann-rows <n>', 'libSQL DiskANN up to this many; building it is slow', '1000')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  const notes: string[] = [];
  for (const count of options.rows.split(',').map(Number)) {
    const data = createData(count);
    const index = createVectorIndex();
    const lookups = benchIndex(index, data, cases, notes);
    if (count <= Number(options.peerRows)) {
      const peer = await benchLibsql(data, false, cases, notes);
      ratios[`lookup ${count}, libSQL F8 scan over ours`] = median(peer) / median(lookups);
    }
    if (count <= Number(options.diskannRows)) {
      const peer = await benchLibsql(data, true, cases, notes);
      ratios[`lookup ${count}, libSQL DiskANN over ours`] = median(peer) / median(lookups);
    }
    if (count <= 100_000) await benchStore(data, cases);
  }
  printBench({ name: 'cache', cases, ratios, notes }, options.json === true);
}

interface Data {
  readonly count: number;
  readonly rows: readonly Int8Array[];
  /** Each near a row, as a rewording lies near its question: cosine about 0.9. */
  readonly queries: readonly Int8Array[];
}

/** Rows in groups of about twenty, so that a query has near neighbours to be confused with. */
function createData(count: number): Data {
  const random = mulberry32(count);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const near = (center: ArrayLike<number>, noise: number): Float32Array =>
    Float32Array.from({ length: DIMS }, (_, at) => center[at]! + noise * gauss());
  const zero = new Float32Array(DIMS);
  const centers = Array.from({ length: Math.ceil(count / 20) }, () => near(zero, 1));
  const rows = Array.from(
    { length: count },
    (_, at) => quantise(near(centers[at % centers.length]!, 0.8)).values,
  );
  const queries = Array.from({ length: QUERIES }, () => {
    const row = rows[Math.floor(random() * count)]!;
    return quantise(near(row, 0.48 * (Math.hypot(...row) / Math.sqrt(DIMS)))).values;
  });
  return { count, rows, queries };
}

function benchIndex(index: VectorIndex, data: Data, cases: BenchCase[], notes: string[]): number[] {
  const insertMs = timed(() => {
    for (const [at, values] of data.rows.entries()) index.add('p', String(at), values);
  });
  for (const query of data.queries.slice(0, 20)) index.search('p', query, 8);
  const found: string[] = [];
  const lookups = data.queries.map((query) =>
    timed(() => found.push(index.search('p', query, 8)[0]?.id ?? '')),
  );
  cases.push({ case: `lookup ${data.count}, ours`, unit: 'ms', samples: lookups });
  cases.push({
    case: `insert ${data.count}, ours, index alone`,
    unit: 'us',
    samples: [(1000 * insertMs) / data.count],
  });
  cases.push({ case: `memory ${data.count}, ours`, unit: 'MB', samples: [index.bytes() / 1e6] });
  notes.push(
    `recall@1 at ${data.count}: ${recall(data, found)} of ${PEER_QUERIES} against exact INT8 search`,
  );
  return lookups;
}

/** Exact search is slow, so the first few queries stand for all. */
function recall(data: Data, found: readonly string[]): number {
  const exact = createFlatPartition(DIMS);
  for (const [at, values] of data.rows.entries()) exact.add(String(at), values);
  const queries = data.queries.slice(0, PEER_QUERIES);
  return queries.filter((query, at) => exact.search(query, 1)[0]?.id === found[at]).length;
}

async function benchLibsql(
  data: Data,
  indexed: boolean,
  cases: BenchCase[],
  notes: string[],
): Promise<number[]> {
  const name = indexed ? 'libSQL DiskANN' : 'libSQL F8 scan';
  const client = createClient({ url: ':memory:' });
  await client.execute(`CREATE TABLE entries (id INTEGER PRIMARY KEY, vector F8_BLOB(${DIMS}))`);
  if (indexed)
    await client.execute("CREATE INDEX at ON entries (libsql_vector_idx(vector, 'metric=cosine'))");
  const startMs = performance.now();
  for (let from = 0; from < data.count; from += 200) await insert(client, data, from);
  const insertUs = (1000 * (performance.now() - startMs)) / data.count;
  const sql = indexed
    ? "SELECT id FROM vector_top_k('at', vector8(?), 8)"
    : 'SELECT id FROM entries ORDER BY vector_distance_cos(vector, vector8(?)) LIMIT 8';
  const samples: number[] = [];
  const found: string[] = [];
  for (const query of data.queries.slice(0, PEER_QUERIES)) {
    const fromMs = performance.now();
    const { rows } = await client.execute({ sql, args: [JSON.stringify([...query])] });
    samples.push(performance.now() - fromMs);
    found.push(String(rows[0]?.[0]));
  }
  client.close();
  cases.push({ case: `lookup ${data.count}, ${name}`, unit: 'ms', samples });
  cases.push({ case: `insert ${data.count}, ${name}, batches of 200`, unit: 'us', samples: [insertUs] });
  notes.push(`recall@1 at ${data.count}, ${name}: ${recall(data, found)} of ${PEER_QUERIES}`);
  return samples;
}

async function insert(client: Client, data: Data, from: number): Promise<void> {
  const rows = data.rows.slice(from, from + 200);
  await client.batch(
    rows.map((values, at) => ({
      sql: 'INSERT INTO entries VALUES (?, vector8(?))',
      args: [from + at, JSON.stringify([...values])],
    })),
    'write',
  );
}

/** Entries through the store, then everything in memory rebuilt from it. */
async function benchStore(data: Data, cases: BenchCase[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nearfield-bench-'));
  const url = `file:${join(folder, 'cache.db')}`;
  const store = await openLibsqlCacheStore({ url });
  const entryAt = (at: number) =>
    sampleEntry(at, { scopeHash: 's', contextHash: 'c', vector: { values: data.rows[at]!, scale: 1 } });
  for (let from = 0; from < data.count; from += 1_000) {
    const size = Math.min(1_000, data.count - from);
    await store.apply({ put: Array.from({ length: size }, (_, at) => entryAt(from + at)) });
  }
  const one: number[] = [];
  for (let at = 0; at < 20; at += 1) {
    const fromMs = performance.now();
    await store.apply({ put: [entryAt(at % data.count)] });
    one.push(performance.now() - fromMs);
  }
  await store.close();
  const fromMs = performance.now();
  const again = await openLibsqlCacheStore({ url });
  await openCatalogue(again, Number.POSITIVE_INFINITY);
  const rebuildMs = performance.now() - fromMs;
  await again.close();
  rmSync(folder, { recursive: true });
  cases.push({ case: `write one of ${data.count}, libSQL file, fsync`, unit: 'ms', samples: one });
  cases.push({ case: `rebuild ${data.count} from libSQL file`, unit: 'ms', samples: [rebuildMs] });
}

function timed(work: () => unknown): number {
  const fromMs = performance.now();
  work();
  return performance.now() - fromMs;
}
