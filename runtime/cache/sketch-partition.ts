// Owns neighbours among many rows: 1-bit sketches are compared first, in WASM, and only the nearest of those by
// their INT8 vectors. Rows lie in segments that are never moved.
import type { ScanArena } from './scan-kernel.ts';
import { createSegments, type Segment, strideOf, wordsOf } from './sketch-segments.ts';
import type { Neighbour, Partition } from './vector-index.ts';

/** Rows looked at again as vectors: this many, or this share if more. `bench -- cache` shows the recall. */
const RERANKED = 384;
const RERANKED_SHARE = 1 / 512;
/** So many times as many are collected, as the distance that takes is only guessed; the nearest of them are kept. */
const COLLECTED = 4;
/** Many rows may share the last distance, and the guess may be off; so much room bounds the work. */
const ROOM = 4;
/** Sketches looked at for the guess. */
const SAMPLED = 8_192;

/** Rows of one segment in a list: `from` to `to`. */
interface Run {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

/** Where a search puts what; byte addresses. */
interface Scratch {
  /** The vector, as a row's. */
  readonly query: number;
  /** Its signs and two masks. */
  readonly sketch: number;
  readonly histograms: number;
  readonly collected: number;
  readonly distances: number;
  readonly nearest: number;
  readonly scores: number;
  readonly end: number;
}

/** A partition in the arena's memory; undefined where there is no room for it. */
export function createSketchPartition(arena: ScanArena, dims: number): Partition | undefined {
  const [stride, words] = [strideOf(dims), wordsOf(dims)];
  /** Every sketched dimension apart, and of the greatest weight. */
  const farthest = words * 64 * 3;
  const segments = createSegments(arena, dims);
  const opened = takeScratch(RERANKED);
  if (opened === undefined) return undefined;
  let scratch = opened;
  let reranked = RERANKED;
  const ids: string[] = [];
  const rowOf = new Map<string, number>();

  function takeScratch(rows: number): Scratch | undefined {
    const layout = layoutOf(rows);
    const base = arena.take(layout.end);
    if (base === undefined) return undefined;
    const moved = Object.entries(layout).map(([name, offset]) => [name, base + offset]);
    return Object.fromEntries(moved) as unknown as Scratch;
  }

  function layoutOf(rows: number): Scratch {
    let end = 0;
    const place = (bytes: number): number => {
      const at = end;
      end = Math.ceil((end + bytes) / 16) * 16;
      return at;
    };
    // One more where the kernel writes before it counts.
    const room = rows * COLLECTED * ROOM + 1;
    return {
      query: place(stride),
      sketch: place(3 * words * 8),
      histograms: place(2 * 4 * (farthest + 1)),
      collected: place(4 * room),
      distances: place(2 * room),
      nearest: place(4 * rows * ROOM),
      scores: place(4 * rows * ROOM),
      end,
    };
  }

  /** More rows, longer lists, where the memory has room for them. */
  function makeRoom(rows: number): void {
    if (rows <= reranked) return;
    const more = takeScratch(rows * 2);
    if (more === undefined) return;
    arena.give(scratch.query, scratch.end - scratch.query);
    scratch = more;
    reranked = rows * 2;
  }

  /** The query as the kernel wants it; returns 1 / norm. */
  function writeQuery(values: Int8Array): number {
    const { bytes, floats } = arena.views();
    bytes.fill(0, scratch.query, scratch.collected);
    bytes.set(values, scratch.query);
    arena.kernel.sketch(scratch.query, 1, stride, scratch.sketch, words, scratch.scores);
    const [first, second] = [scratch.sketch + words * 8, scratch.sketch + 2 * words * 8];
    const sketched = Math.min(dims, words * 64);
    let sum = 0;
    for (let at = 0; at < sketched; at += 1) sum += Math.abs(values[at]!);
    const mean = sum / sketched || 1;
    for (let at = 0; at < sketched; at += 1) {
      const weight = Math.min(3, Math.round(Math.abs(values[at]!) / mean));
      const [byte, bit] = [at >> 3, 1 << (at & 7)];
      if (weight & 1) bytes[first + byte]! |= bit;
      if (weight & 2) bytes[second + byte]! |= bit;
    }
    return floats[scratch.scores >> 2]!;
  }

  /** The least distance within which at least `wanted` rows lie, by a histogram. */
  function limitFor(histogram: number, wanted: number): number {
    const { words: cells } = arena.views();
    let limit = 0;
    for (let seen = 0; limit < farthest; limit += 1) {
      seen += cells[(histogram >> 2) + limit]!;
      if (seen >= wanted) break;
    }
    return limit;
  }

  /** Rows with near sketches, more than are wanted: the distance it takes is guessed from a sample. */
  function collect(wanted: number): Run[] {
    const { kernel } = arena;
    const used = segments.used(ids.length);
    const step = Math.max(1, Math.floor(ids.length / SAMPLED));
    for (const { sketches, rows } of used) {
      kernel.sample(sketches, rows, step, words, scratch.sketch, scratch.histograms);
    }
    const limit = limitFor(scratch.histograms, Math.ceil((wanted * COLLECTED) / step));
    const room = reranked * COLLECTED * ROOM;
    let found = 0;
    return used.map((segment) => {
      const from = found;
      const [rows, apart] = [scratch.collected + 4 * from, scratch.distances + 2 * from];
      const { sketches, rows: count } = segment;
      found += kernel.near(sketches, count, words, scratch.sketch, limit, rows, apart, room - from);
      return { segment, from, to: found };
    });
  }

  function pickNearest(collected: readonly Run[], wanted: number): Run[] {
    const { kernel } = arena;
    const histogram = scratch.histograms + 4 * (farthest + 1);
    kernel.count(scratch.distances, collected.at(-1)?.to ?? 0, histogram);
    const limit = limitFor(histogram, wanted);
    let found = 0;
    return collected.map((run) => {
      const from = found;
      const [rows, apart] = [scratch.collected + 4 * run.from, scratch.distances + 2 * run.from];
      const [list, room] = [scratch.nearest + 4 * from, reranked * ROOM - from];
      found += kernel.pick(rows, apart, run.to - run.from, limit, list, room);
      return { segment: run.segment, from, to: found };
    });
  }

  function rank(nearest: readonly Run[], inverse: number, count: number): Neighbour[] {
    const { kernel } = arena;
    const { words: cells, floats } = arena.views();
    const best: Neighbour[] = [];
    for (const { segment, from, to } of nearest) {
      const [list, scores] = [scratch.nearest + 4 * from, scratch.scores + 4 * from];
      kernel.dots(list, to - from, segment.vectors, stride, scratch.query, segment.inverses, scores);
      for (let at = from; at < to; at += 1) {
        const similarity = floats[(scratch.scores >> 2) + at]! * inverse;
        if (best.length === count && similarity <= best[count - 1]!.similarity) continue;
        const id = ids[segment.start + cells[(scratch.nearest >> 2) + at]!]!;
        insertSorted(best, { id, similarity }, count);
      }
    }
    return best;
  }

  return {
    dims,
    add(id, values) {
      const known = rowOf.get(id);
      const row = known ?? ids.length;
      if (known === undefined) {
        if (!segments.hold(row + 1)) return false;
        ids.push(id);
        rowOf.set(id, row);
      }
      segments.write(row, values);
      return true;
    },
    remove(id) {
      const row = rowOf.get(id);
      if (row === undefined) return;
      const last = ids.length - 1;
      if (row !== last) {
        segments.move(last, row);
        const moved = ids[last]!;
        ids[row] = moved;
        rowOf.set(moved, row);
      }
      rowOf.delete(id);
      ids.pop();
      segments.release(ids.length);
    },
    search(values, count) {
      if (ids.length === 0) return [];
      const wanted = Math.max(RERANKED, Math.ceil(ids.length * RERANKED_SHARE));
      // Before the query is written: the lists may move. Without more room fewer rows are looked at.
      makeRoom(wanted);
      const inverse = writeQuery(values);
      return rank(pickNearest(collect(wanted), wanted), inverse, count);
    },
    vector(id) {
      const row = rowOf.get(id);
      return row === undefined ? undefined : segments.read(row);
    },
    ids: () => ids,
    dispose() {
      segments.release(0);
      arena.give(scratch.query, scratch.end - scratch.query);
    },
    size: () => ids.length,
    bytes: () => segments.bytes() + scratch.end - scratch.query,
  };
}

/** Keeps `best` sorted, most similar first, and no longer than `count`. */
export function insertSorted(best: Neighbour[], found: Neighbour, count: number): void {
  const at = best.findIndex((other) => other.similarity < found.similarity);
  best.splice(at === -1 ? best.length : at, 0, found);
  if (best.length > count) best.pop();
}
