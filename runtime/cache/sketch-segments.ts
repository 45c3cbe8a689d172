// Owns where the rows of a sketched partition lie: segments of the arena, small ones first, each with its
// vectors, sketches and norms. A row never moves but into a gap.
import type { ScanArena } from './scan-kernel.ts';

/** One segment; byte addresses, and the rows in use. */
export interface Segment {
  /** Number of its first row. */
  readonly start: number;
  readonly capacity: number;
  readonly rows: number;
  readonly address: number;
  readonly sketches: number;
  readonly vectors: number;
  readonly inverses: number;
}

export interface Segments {
  /** Makes room for so many rows; false when the memory has none. */
  hold(rows: number): boolean;
  /** Gives back what so many rows do not need. */
  release(rows: number): void;
  write(row: number, values: Int8Array): void;
  read(row: number): Int8Array;
  move(from: number, to: number): void;
  /** Segments in use, with the rows each holds of `rows`. */
  used(rows: number): readonly Segment[];
  bytes(): number;
}

/** Segments hold 1024, 1024, 2048, 4096 and 8192 rows, then always this many. */
const FIRST_ROWS = 1_024;
const MOST_ROWS = 16_384;

/** Bytes between vectors: whole words of 64 sketch bits. */
export function strideOf(dims: number): number {
  return Math.ceil(dims / 64) * 64;
}

/**
 * 64-bit words of a sketch: half the dimensions, 192 at least where there are as many. Reading less of every row
 * is worth more than the last bits tell: 192 of 384 find the nearest among 384 rows in 99.8 %.
 */
export function wordsOf(dims: number): number {
  const all = Math.ceil(dims / 64);
  return Math.min(all, Math.max(3, Math.ceil(all / 2)));
}

export function createSegments(arena: ScanArena, dims: number): Segments {
  const [stride, words] = [strideOf(dims), wordsOf(dims)];
  const sketchBytes = words * 8;
  const rowBytes = stride + sketchBytes + 4;
  const segments: Segment[] = [];

  function addSegment(): boolean {
    const index = segments.length;
    const start = startOf(index);
    const capacity = startOf(index + 1) - start;
    const address = arena.take(capacity * rowBytes);
    if (address === undefined) return false;
    const sketches = address + capacity * stride;
    const inverses = sketches + capacity * sketchBytes;
    segments.push({ start, capacity, rows: 0, address, sketches, vectors: address, inverses });
    return true;
  }

  return {
    hold(rows) {
      while (rows > startOf(segments.length)) if (!addSegment()) return false;
      return true;
    },
    release(rows) {
      // The one after the last stays, so that rows coming and going at a border take and give nothing.
      const keep = rows === 0 ? 0 : indexOf(rows - 1) + 2;
      for (const { address, capacity } of segments.splice(keep)) arena.give(address, capacity * rowBytes);
    },
    write(row, values) {
      const { start, vectors, sketches, inverses } = segments[indexOf(row)]!;
      const at = row - start;
      const vector = vectors + at * stride;
      const { bytes } = arena.views();
      bytes.set(values, vector);
      if (values.length < stride) bytes.fill(0, vector + values.length, vector + stride);
      arena.kernel.sketch(vector, 1, stride, sketches + at * sketchBytes, words, inverses + at * 4);
    },
    read(row) {
      const { start, vectors } = segments[indexOf(row)]!;
      const at = vectors + (row - start) * stride;
      return arena.views().bytes.slice(at, at + dims);
    },
    move(from, to) {
      const [source, target] = [segments[indexOf(from)]!, segments[indexOf(to)]!];
      const { bytes } = arena.views();
      const copy = (part: 'vectors' | 'sketches' | 'inverses', size: number): void => {
        const at = source[part] + (from - source.start) * size;
        bytes.copyWithin(target[part] + (to - target.start) * size, at, at + size);
      };
      copy('vectors', stride);
      copy('sketches', sketchBytes);
      copy('inverses', 4);
    },
    used: (rows) =>
      segments
        .filter(({ start }) => start < rows)
        .map((segment) => ({ ...segment, rows: Math.min(segment.capacity, rows - segment.start) })),
    bytes: () => segments.reduce((sum, { capacity }) => sum + capacity * rowBytes, 0),
  };
}

/** First row of the segment of this index. */
function startOf(index: number): number {
  if (index === 0) return 0;
  const doubled = FIRST_ROWS * 2 ** (index - 1);
  if (doubled <= MOST_ROWS) return doubled;
  const last = Math.log2(MOST_ROWS / FIRST_ROWS) + 1;
  return MOST_ROWS + (index - last) * MOST_ROWS;
}

/** Index of the segment that holds the row. */
function indexOf(row: number): number {
  if (row < FIRST_ROWS) return 0;
  if (row < MOST_ROWS) return 32 - Math.clz32(row / FIRST_ROWS);
  return Math.log2(MOST_ROWS / FIRST_ROWS) + Math.floor(row / MOST_ROWS);
}
