// Owns neighbours among many rows: 1-bit sketches are compared first, in WASM, and only the nearest of
// those by their INT8 vectors. Rows lie in one WASM memory; growing moves them to one twice the size.
import { inverseNorm } from './quantise.ts';
import { createScanKernel, type ScanKernel } from './scan-kernel.ts';
import type { Neighbour, Partition } from './vector-index.ts';

/** Sketches looked at again as vectors. `bench -- cache` shows the recall this gives. */
const RERANKED = 256;
/** Past this a lane of the kernel would overflow. */
const MOST_BLOCKS = 31;
const PAGE_BYTES = 65_536;

/** Where things lie in the memory; byte addresses. */
interface Layout {
  readonly capacity: number;
  readonly query: number;
  readonly querySketch: number;
  readonly histogram: number;
  readonly found: number;
  readonly scores: number;
  readonly distances: number;
  readonly inverses: number;
  readonly sketches: number;
  readonly vectors: number;
  readonly bytes: number;
}

interface Block {
  readonly layout: Layout;
  readonly memory: WebAssembly.Memory;
  readonly kernel: ScanKernel;
  readonly bytes: Int8Array;
  readonly words: Uint32Array;
  readonly floats: Float32Array;
}

/** A partition for `capacity` rows and more; undefined where the platform has no kernel or the room for it. */
export function createSketchPartition(dims: number, capacity: number): Partition | undefined {
  const blocks = Math.ceil(dims / 128);
  const stride = Math.ceil(dims / 16) * 16;
  if (blocks > MOST_BLOCKS) return undefined;
  const opened = openBlock(layoutOf(capacity, blocks, stride));
  if (opened === undefined) return undefined;
  let block: Block = opened;
  const ids: string[] = [];
  const rowOf = new Map<string, number>();

  function grow(): void {
    const bigger = openBlock(layoutOf(block.layout.capacity * 2, blocks, stride));
    if (bigger === undefined) throw new RangeError('No memory for a larger vector index.');
    const copy = (part: 'inverses' | 'sketches' | 'vectors', bytesEach: number): void => {
      const from = block.layout[part];
      bigger.bytes.set(block.bytes.subarray(from, from + ids.length * bytesEach), bigger.layout[part]);
    };
    copy('inverses', 4);
    copy('sketches', blocks * 16);
    copy('vectors', stride);
    block = bigger;
  }

  function write(row: number, values: Int8Array): void {
    const { layout, bytes, floats } = block;
    bytes.set(values, layout.vectors + row * stride);
    writeSketch(bytes, layout.sketches + row * blocks * 16, values);
    floats[(layout.inverses >> 2) + row] = inverseNorm(values);
  }

  /** The rows whose sketches are nearest, at least RERANKED of them where there are as many. */
  function nearestBySketch(values: Int8Array): number {
    const { layout, bytes, words, kernel } = block;
    bytes.fill(0, layout.query, layout.found);
    bytes.set(values, layout.query);
    writeSketch(bytes, layout.querySketch, values);
    kernel.distances(
      layout.sketches,
      ids.length,
      blocks,
      layout.querySketch,
      layout.distances,
      layout.histogram,
    );
    let limit = 0;
    for (let seen = 0; limit < dims; limit += 1) {
      seen += words[(layout.histogram >> 2) + limit]!;
      if (seen >= RERANKED) break;
    }
    return kernel.collect(layout.distances, ids.length, limit, layout.found, mostFound(layout.capacity));
  }

  return {
    dims,
    add(id, values) {
      let row = rowOf.get(id);
      if (row === undefined) {
        if (ids.length === block.layout.capacity) grow();
        row = ids.push(id) - 1;
        rowOf.set(id, row);
      }
      write(row, values);
    },
    remove(id) {
      const row = rowOf.get(id);
      if (row === undefined) return;
      const last = ids.length - 1;
      const { layout, bytes, floats } = block;
      bytes.copyWithin(
        layout.vectors + row * stride,
        layout.vectors + last * stride,
        layout.vectors + ids.length * stride,
      );
      const sketch = blocks * 16;
      bytes.copyWithin(
        layout.sketches + row * sketch,
        layout.sketches + last * sketch,
        layout.sketches + ids.length * sketch,
      );
      floats[(layout.inverses >> 2) + row] = floats[(layout.inverses >> 2) + last]!;
      const moved = ids[last]!;
      ids[row] = moved;
      rowOf.set(moved, row);
      rowOf.delete(id);
      ids.pop();
    },
    search(values, count) {
      if (ids.length === 0) return [];
      const found = nearestBySketch(values);
      const { layout, words, floats, kernel } = block;
      kernel.dots(layout.found, found, layout.vectors, stride, layout.query, layout.inverses, layout.scores);
      const inverse = inverseNorm(values);
      const neighbours: Neighbour[] = [];
      for (let at = 0; at < found; at += 1) {
        const row = words[(layout.found >> 2) + at]!;
        neighbours.push({ id: ids[row]!, similarity: floats[(layout.scores >> 2) + at]! * inverse });
      }
      return neighbours.sort((a, b) => b.similarity - a.similarity).slice(0, count);
    },
    rows: () =>
      ids.map((id, row) => [
        id,
        block.bytes.slice(block.layout.vectors + row * stride, block.layout.vectors + row * stride + dims),
      ]),
    size: () => ids.length,
    bytes: () => block.layout.bytes,
  };
}

/** One bit a dimension: is the value positive? */
function writeSketch(bytes: Int8Array, at: number, values: Int8Array): void {
  for (let byte = 0; byte * 8 < values.length; byte += 1) {
    let bits = 0;
    for (let bit = 0; bit < 8; bit += 1) if ((values[byte * 8 + bit] ?? 0) > 0) bits |= 1 << bit;
    bytes[at + byte] = bits;
  }
}

/** Many rows may share the last distance; four times the wanted is room enough, and bounds the work. */
function mostFound(capacity: number): number {
  return Math.min(capacity, RERANKED * 4);
}

function layoutOf(capacity: number, blocks: number, stride: number): Layout {
  let end = 0;
  const place = (bytes: number): number => {
    const at = end;
    end = Math.ceil((end + bytes) / 16) * 16;
    return at;
  };
  const query = place(stride);
  const querySketch = place(blocks * 16);
  const histogram = place((blocks * 128 + 1) * 4);
  const found = place(mostFound(capacity) * 4);
  const scores = place(mostFound(capacity) * 4);
  const distances = place(capacity * 2);
  const inverses = place(capacity * 4);
  const sketches = place(capacity * blocks * 16);
  const vectors = place(capacity * stride);
  return {
    capacity,
    query,
    querySketch,
    histogram,
    found,
    scores,
    distances,
    inverses,
    sketches,
    vectors,
    bytes: end,
  };
}

function openBlock(layout: Layout): Block | undefined {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(layout.bytes / PAGE_BYTES) });
    const kernel = createScanKernel(memory);
    if (kernel === undefined) return undefined;
    const { buffer } = memory;
    return {
      layout,
      memory,
      kernel,
      bytes: new Int8Array(buffer),
      words: new Uint32Array(buffer),
      floats: new Float32Array(buffer),
    };
  } catch {
    return undefined;
  }
}
