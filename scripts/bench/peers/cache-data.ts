// Owns the vectors that `bench -- cache` is measured on: real questions embedded by the shipped model, more of
// them made by mixing, and queries that have a near neighbour beside queries that have none.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantise } from '../../../runtime/cache/quantise.ts';
import { openEngine } from '../../embedders.ts';
import { readJsonLines } from '../../jsonl.ts';
import { mulberry32 } from '../../report.ts';

export const DIMS = 384;
const QUERIES = 500;
/** Texts longer than this many characters are cut: a question is short. */
const MOST_CHARACTERS = 200;

export interface CacheData {
  readonly source: string;
  /** Row by row, Int8Array[rows * DIMS]; the first `real` rows are embedded texts. */
  readonly real: Int8Array;
  /** Queries that say what some row says in other words. */
  readonly near: readonly Int8Array[];
  /** Queries about something no row is about. */
  readonly far: readonly Int8Array[];
}

export interface DataOptions {
  /** JSON Lines of { a, b, label }: every `a` is a row, `b` of label 1 a query with a near neighbour. */
  readonly pairs?: string | undefined;
  /** JSON Lines of { text }: more rows; the last are queries without one. */
  readonly texts?: string | undefined;
  /** Real rows at most. */
  readonly limit: number;
}

interface Texts {
  readonly rows: readonly string[];
  readonly near: readonly string[];
  readonly far: readonly string[];
}

/** Embedded once, then read back from the temporary folder. Without files: vectors in random groups. */
export async function loadCacheData(options: DataOptions): Promise<CacheData> {
  if (options.pairs === undefined && options.texts === undefined) return syntheticData(options.limit);
  const key = createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), 'nearfield-bench');
  const file = join(folder, `${key}.i8`);
  if (!existsSync(file)) {
    const vectors = await embedAll(await readTexts(options));
    await mkdir(folder, { recursive: true });
    await writeFile(file, vectors);
  }
  const bytes = await readFile(file);
  const all = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows = all.length / DIMS - 2 * QUERIES;
  const queries = Array.from({ length: 2 * QUERIES }, (_, at) =>
    all.slice((rows + at) * DIMS, (rows + at + 1) * DIMS),
  );
  return {
    source: `${rows} real texts`,
    real: all.subarray(0, rows * DIMS),
    near: queries.slice(0, QUERIES),
    far: queries.slice(QUERIES),
  };
}

async function readTexts({ pairs, texts, limit }: DataOptions): Promise<Texts> {
  const asked = pairs === undefined ? [] : await readJsonLines<{ a: string; b: string; label: 0 | 1 }>(pairs);
  const plain = texts === undefined ? [] : await readJsonLines<{ text: string }>(texts);
  const far = plain.slice(-QUERIES).map((row) => row.text);
  const rows = new Set(asked.map((row) => row.a));
  for (const { text } of plain.slice(0, -QUERIES)) rows.add(text);
  const kept = [...rows].slice(0, limit);
  const present = new Set(kept);
  const alike = asked.filter((row) => row.label === 1 && present.has(row.a) && !present.has(row.b));
  const step = Math.max(1, Math.floor(alike.length / QUERIES));
  const near = alike.filter((_, at) => at % step === 0).map((row) => row.b);
  if (near.length < QUERIES || far.length < QUERIES) {
    throw new RangeError(`Expected ${QUERIES} queries of each kind, got ${near.length} and ${far.length}.`);
  }
  return { rows: kept, near: near.slice(0, QUERIES), far };
}

async function embedAll({ rows, near, far }: Texts): Promise<Int8Array> {
  const texts = [...rows, ...near, ...far].map((text) => text.slice(0, MOST_CHARACTERS));
  const embedder = await openEngine(undefined);
  const out = new Int8Array(texts.length * DIMS);
  // By length, so that texts of a batch take as long as one another.
  const order = texts.map((_, at) => at).sort((a, b) => texts[a]!.length - texts[b]!.length);
  for (let from = 0; from < order.length; from += 64) {
    const batch = order.slice(from, from + 64);
    const vectors = await embedder.embed(batch.map((at) => texts[at]!));
    for (const [at, row] of batch.entries()) out.set(quantise(vectors[at]!).values, row * DIMS);
    if (from % 6_400 === 0) process.stderr.write(`\rembedded ${from} of ${order.length}`);
  }
  process.stderr.write('\n');
  await embedder.dispose();
  return out;
}

/**
 * `count` rows: the real ones, then mixtures of two real ones (weights 1 and 0.25 to 0.75) with a little noise,
 * so that density and directions stay those of real texts.
 */
export function growRows(data: CacheData, count: number, seed = 1): Int8Array {
  const reals = data.real.length / DIMS;
  if (count <= reals) return data.real.subarray(0, count * DIMS);
  const rows = new Int8Array(count * DIMS);
  rows.set(data.real);
  const random = mulberry32(seed);
  const mixed = new Float32Array(DIMS);
  for (let row = reals; row < count; row += 1) {
    const one = Math.floor(random() * reals) * DIMS;
    const two = Math.floor(random() * reals) * DIMS;
    const weight = 0.25 + 0.5 * random();
    let largest = 1;
    for (let at = 0; at < DIMS; at += 1) {
      const value = data.real[one + at]! + weight * data.real[two + at]! + 24 * (random() - 0.5);
      mixed[at] = value;
      largest = Math.max(largest, Math.abs(value));
    }
    // As `quantise` does, without a new array for each of a million rows.
    for (let at = 0, to = row * DIMS; at < DIMS; at += 1)
      rows[to + at] = Math.round((mixed[at]! * 127) / largest);
  }
  return rows;
}

/** Groups of about twenty around random directions; a query lies near a row (cosine about 0.9) or in no group. */
function syntheticData(count: number): CacheData {
  const random = mulberry32(count);
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const beside = (center: ArrayLike<number>, noise: number): Float32Array =>
    Float32Array.from({ length: DIMS }, (_, at) => center[at]! + noise * gauss());
  const zero = new Float32Array(DIMS);
  const centers = Array.from({ length: Math.ceil(count / 20) }, () => beside(zero, 1));
  const real = new Int8Array(count * DIMS);
  for (let at = 0; at < count; at += 1) {
    real.set(quantise(beside(centers[at % centers.length]!, 0.8)).values, at * DIMS);
  }
  const near = Array.from({ length: QUERIES }, () => {
    const from = Math.floor(random() * count) * DIMS;
    const row = real.subarray(from, from + DIMS);
    return quantise(beside(row, 0.48 * (Math.hypot(...row) / Math.sqrt(DIMS)))).values;
  });
  const far = Array.from({ length: QUERIES }, () => quantise(beside(zero, 1)).values);
  return { source: 'random groups', real, near, far };
}
