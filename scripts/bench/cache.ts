// Owns measuring the cache's index and stores beside libSQL's own vector search and an HNSW in WASM, in one run:
// lookup, insert, memory, recall, and rebuilding from the store.
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@libsql/client';
import { openCatalogue } from '../../runtime/cache/catalogue.ts';
import { openLibsqlCacheStore } from '../../runtime/cache/libsql.ts';
import { inverseNorm } from '../../runtime/cache/quantise.ts';
import { sampleEntry } from '../../runtime/cache/store.contract.ts';
import { createVectorIndex, type VectorIndex } from '../../runtime/cache/vector-index.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { type CacheData, DIMS, growRows, loadCacheData } from './peers/cache-data.ts';
import { openHnsw } from './peers/hnsw.ts';
import { drawPlot, type Series } from './peers/plot.ts';

const PEER_QUERIES = 40;
/** hnswlib searches this widely; its README's own figure. */
const HNSW_EF = 128;

interface Options {
  readonly rows: string;
  readonly pairs?: string;
  readonly texts?: string;
  readonly peerRows: string;
  readonly diskannRows: string;
  readonly hnswRows: string;
  readonly storeRows: string;
  readonly recallQueries: string;
  readonly plot?: string;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary:
    'cache index and store beside libSQL F8 scan, DiskANN and an HNSW: lookup, insert, memory, recall@1',
  configure(bench) {
    bench
      .option('--rows <list>', 'entries, e.g. 1000,10000,100000,1000000', '1000,10000,100000')
      .option('--pairs <file>', 'JSON Lines of { a, b, label }: real questions and rewordings of them')
      .option('--texts <file>', 'JSON Lines of { text }: more real texts, and questions about none of them')
      .option('--peer-rows <n>', 'libSQL scan up to this many', '100000')
      .option('--diskann-rows <n>', 'libSQL DiskANN up to this many; building it is slow', '1000')
      .option('--hnsw-rows <n>', 'HNSW up to this many; building it is slow', '10000')
      .option('--store-rows <n>', 'write to a libSQL file and rebuild from it up to this many', '100000')
      .option('--recall-queries <n>', 'queries of each kind held against exact search', '200')
      .option('--plot <file>', 'draw lookup time against entries as SVG')
      .action(run);
  },
};

/** The rows of one size, and what is asked of them. */
interface Sized {
  readonly count: number;
  readonly rows: Int8Array;
  readonly data: CacheData;
  readonly cases: BenchCase[];
  readonly notes: string[];
}

async function run(options: Options): Promise<void> {
  const counts = options.rows.split(',').map(Number);
  const reals = Math.min(100_000, Math.max(...counts));
  const { pairs, texts } = options;
  const data = await loadCacheData({ pairs, texts, limit: reals });
  const all = growRows(data, Math.max(...counts));
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  const notes = [
    `vectors: ${data.source}, past them mixtures of two with noise; queries: half with a near row`,
  ];
  for (const count of counts) {
    const sized = { count, rows: all.subarray(0, count * DIMS), data, cases, notes };
    const lookups = benchIndex(sized, Number(options.recallQueries));
    const against = (name: string, samples: readonly number[]): void => {
      ratios[`lookup ${count}, ${name} over ours`] = median(samples) / median(lookups);
    };
    if (count <= Number(options.peerRows)) against('libSQL F8 scan', await benchLibsql(sized, false));
    if (count <= Number(options.diskannRows)) against('libSQL DiskANN', await benchLibsql(sized, true));
    if (count <= Number(options.hnswRows)) against('HNSW', await benchHnsw(sized));
    if (count <= Number(options.storeRows)) await benchStore(sized);
  }
  if (options.plot !== undefined) await writeFile(options.plot, plotOf(cases, counts));
  printBench({ name: 'cache', cases, ratios, notes }, options.json === true);
}

const vectorAt = (rows: Int8Array, at: number): Int8Array => rows.subarray(at * DIMS, (at + 1) * DIMS);

function benchIndex(sized: Sized, recallQueries: number): number[] {
  const { count, rows, data, cases } = sized;
  const index = createVectorIndex();
  const insertMs = timed(() => {
    for (let at = 0; at < count; at += 1) index.add('p', String(at), vectorAt(rows, at));
  });
  const queries = interleave(data.near, data.far);
  for (const query of queries.slice(0, 40)) index.search('p', query, 8);
  // The thread's own time over all lookups: its clock ticks too slowly for one.
  const start = process.threadCpuUsage();
  const lookups = queries.map((query) => timed(() => index.search('p', query, 8)));
  const { user, system } = process.threadCpuUsage(start);
  const cpuMs = (user + system) / 1000 / queries.length;
  cases.push({ case: `lookup ${count}, ours`, unit: 'ms', samples: lookups });
  cases.push({ case: `lookup ${count}, ours, CPU of the thread, mean`, unit: 'ms', samples: [cpuMs] });
  cases.push({
    case: `insert ${count}, ours, index alone`,
    unit: 'us',
    samples: [(1000 * insertMs) / count],
  });
  cases.push({ case: `memory ${count}, ours`, unit: 'MB', samples: [index.bytes() / 1e6] });
  for (const kind of ['near', 'far'] as const) {
    const asked = data[kind].slice(0, recallQueries);
    const right = asked.filter((query) => isNearest(index, sized, query)).length;
    sized.notes.push(
      `recall@1 at ${count}, ${kind} queries: ${right} of ${asked.length} against exact search`,
    );
  }
  return lookups;
}

/** A row as near as the exact nearest counts: of twins either is right. */
function isNearest(index: VectorIndex, { rows, count }: Sized, query: Int8Array): boolean {
  const found = index.search('p', query, 1)[0]?.similarity ?? -1;
  return found >= exactNearest(rows, count, query).similarity - 1e-6;
}

function exactNearest(rows: Int8Array, count: number, query: Int8Array): { at: number; similarity: number } {
  const inverse = inverseNorm(query);
  let best = { at: -1, similarity: -2 };
  for (let at = 0; at < count; at += 1) {
    let [dot, squares] = [0, 0];
    for (let dim = 0, from = at * DIMS; dim < DIMS; dim += 1) {
      const value = rows[from + dim]!;
      dot += value * query[dim]!;
      squares += value * value;
    }
    const similarity = (dot * inverse) / Math.sqrt(squares || 1);
    if (similarity > best.similarity) best = { at, similarity };
  }
  return best;
}

function interleave(near: readonly Int8Array[], far: readonly Int8Array[]): readonly Int8Array[] {
  return near.flatMap((query, at) => [query, far[at] ?? query]);
}

/** What a peer named for the first few queries, held against exact search. */
function peerRecall({ rows, count, data, notes }: Sized, name: string, found: readonly number[]): void {
  const queries = interleave(data.near, data.far).slice(0, found.length);
  const right = queries.filter((query, at) => exactNearest(rows, count, query).at === found[at]).length;
  notes.push(`recall@1 at ${count}, ${name}: ${right} of ${found.length}, near and far queries`);
}

async function benchLibsql(sized: Sized, indexed: boolean): Promise<number[]> {
  const { count, rows, data, cases } = sized;
  const name = indexed ? 'libSQL DiskANN' : 'libSQL F8 scan';
  const client = createClient({ url: ':memory:' });
  await client.execute(`CREATE TABLE entries (id INTEGER PRIMARY KEY, vector F8_BLOB(${DIMS}))`);
  if (indexed)
    await client.execute("CREATE INDEX at ON entries (libsql_vector_idx(vector, 'metric=cosine'))");
  const startMs = performance.now();
  for (let from = 0; from < count; from += 200) await insert(client, rows, from, count);
  const insertUs = (1000 * (performance.now() - startMs)) / count;
  const sql = indexed
    ? "SELECT id FROM vector_top_k('at', vector8(?), 8)"
    : 'SELECT id FROM entries ORDER BY vector_distance_cos(vector, vector8(?)) LIMIT 8';
  const samples: number[] = [];
  const found: number[] = [];
  for (const query of interleave(data.near, data.far).slice(0, PEER_QUERIES)) {
    const fromMs = performance.now();
    const result = await client.execute({ sql, args: [JSON.stringify([...query])] });
    samples.push(performance.now() - fromMs);
    found.push(Number(result.rows[0]?.[0]));
  }
  client.close();
  cases.push({ case: `lookup ${count}, ${name}`, unit: 'ms', samples });
  cases.push({ case: `insert ${count}, ${name}, batches of 200`, unit: 'us', samples: [insertUs] });
  peerRecall(sized, name, found);
  return samples;
}

async function insert(client: Client, rows: Int8Array, from: number, count: number): Promise<void> {
  const size = Math.min(200, count - from);
  await client.batch(
    Array.from({ length: size }, (_, at) => ({
      sql: 'INSERT INTO entries VALUES (?, vector8(?))',
      args: [from + at, JSON.stringify([...vectorAt(rows, from + at)])],
    })),
    'write',
  );
}

async function benchHnsw(sized: Sized): Promise<number[]> {
  const { count, rows, data, cases } = sized;
  const index = await openHnsw(DIMS, count, HNSW_EF);
  const insertMs = timed(() => {
    for (let at = 0; at < count; at += 1) index.addPoint(Float32Array.from(vectorAt(rows, at)), at, false);
  });
  const queries = interleave(data.near, data.far).map((query) => Float32Array.from(query));
  const found: number[] = [];
  const samples = queries.map((query) =>
    timed(() => found.push(index.searchKnn(query, 8, undefined).neighbors[0] ?? -1)),
  );
  cases.push({ case: `lookup ${count}, HNSW (hnswlib-wasm, ef ${HNSW_EF})`, unit: 'ms', samples });
  cases.push({ case: `insert ${count}, HNSW`, unit: 'us', samples: [(1000 * insertMs) / count] });
  peerRecall(sized, 'HNSW', found.slice(0, PEER_QUERIES));
  return samples;
}

/** Entries through the store, then everything in memory rebuilt from it. */
async function benchStore({ count, rows, cases }: Sized): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nearfield-bench-'));
  const url = `file:${join(folder, 'cache.db')}`;
  const store = await openLibsqlCacheStore({ url });
  const [scopeHash, contextHash] = ['5'.repeat(64), 'c'.repeat(64)];
  const entryAt = (at: number) =>
    sampleEntry(at, {
      // As real ids are: in no order.
      id: (Math.imul(at + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0').repeat(4),
      scopeHash,
      contextHash,
      vector: { values: vectorAt(rows, at), scale: 1 },
    });
  for (let from = 0; from < count; from += 1_000) {
    const size = Math.min(1_000, count - from);
    await store.apply({ put: Array.from({ length: size }, (_, at) => entryAt(from + at)) });
  }
  const one: number[] = [];
  for (let at = 0; at < 20; at += 1) {
    const fromMs = performance.now();
    await store.apply({ put: [entryAt(at % count)] });
    one.push(performance.now() - fromMs);
  }
  await store.close();
  const [wall, cpu]: [number[], number[]] = [[], []];
  for (let round = 0; round < 3; round += 1) {
    const start = process.threadCpuUsage();
    const fromMs = performance.now();
    const again = await openLibsqlCacheStore({ url });
    await openCatalogue(again, Number.POSITIVE_INFINITY);
    wall.push(performance.now() - fromMs);
    const { user, system } = process.threadCpuUsage(start);
    cpu.push((user + system) / 1000);
    await again.close();
  }
  rmSync(folder, { recursive: true });
  cases.push({ case: `write one of ${count}, libSQL file, fsync`, unit: 'ms', samples: one });
  cases.push({ case: `rebuild ${count} from libSQL file`, unit: 'ms', samples: wall });
  cases.push({ case: `rebuild ${count} from libSQL file, CPU of the thread`, unit: 'ms', samples: cpu });
}

function timed(work: () => unknown): number {
  const fromMs = performance.now();
  work();
  return performance.now() - fromMs;
}

function plotOf(cases: readonly BenchCase[], counts: readonly number[]): string {
  const series = (name: string, suffix: string, what: string): Series => ({
    name,
    points: counts.flatMap((count) => {
      const found = cases.find((each) => each.case === `${what} ${count}, ${suffix}`);
      return found === undefined ? [] : [{ x: count, y: median(found.samples) }];
    }),
  });
  const lines = (...all: readonly Series[]): Series[] => all.filter(({ points }) => points.length > 1);
  return drawPlot('The nearest of n entries of 384 dimensions: median milliseconds of a lookup', [
    {
      title: 'beside libSQL',
      unit: 'entries',
      series: lines(series('ours', 'ours', 'lookup'), series('F8 scan', 'libSQL F8 scan', 'lookup')),
    },
    {
      title: `beside an HNSW in WASM, ef ${HNSW_EF}`,
      unit: 'entries',
      series: lines(
        series('ours', 'ours', 'lookup'),
        series('HNSW', `HNSW (hnswlib-wasm, ef ${HNSW_EF})`, 'lookup'),
      ),
    },
  ]);
}
