// Owns nearest neighbours in memory: one block of INT8 vectors a partition (scope and context), so the filter
// comes first and costs nothing. Small partitions are scanned flat, large ones behind 1-bit sketches. Refuses
// to look into another partition.
import { inverseNorm } from './quantise.ts';
import { createScanArena, type ScanArena } from './scan-kernel.ts';
import { createSketchPartition, insertSorted } from './sketch-partition.ts';

export interface Neighbour {
  readonly id: string;
  /** Cosine of the INT8 vectors, -1…1. */
  readonly similarity: number;
}

export interface VectorIndex {
  /**
   * Replaces a vector of the same id. A partition holds one length of vector; another starts it afresh. False when
   * the platform gives no more memory: the vector is left out.
   */
  add(partition: string, id: string, values: Int8Array): boolean;
  remove(partition: string, id: string): void;
  /** At most `count` neighbours, most similar first. */
  search(partition: string, values: Int8Array, count: number): readonly Neighbour[];
  /** The vector kept under an id. */
  vector(partition: string, id: string): Int8Array | undefined;
  size(): number;
  /** Bytes of typed arrays held. */
  bytes(): number;
}

/** Rows at which a partition moves behind sketches: there a flat scan takes about a quarter millisecond. */
const SKETCHED_AT = 512;

export function createVectorIndex(): VectorIndex {
  const partitions = new Map<string, Partition>();
  /** Made when the first partition grows large; null where there can be none. */
  let arena: ScanArena | null | undefined;

  function sketchWhenLarge(key: string, partition: Partition): void {
    if (partition.size() !== SKETCHED_AT) return;
    arena ??= createScanArena() ?? null;
    const sketched = arena === null ? undefined : createSketchPartition(arena, partition.dims);
    if (sketched === undefined) return;
    if (partition.ids().every((id) => sketched.add(id, partition.vector(id)!))) partitions.set(key, sketched);
    else sketched.dispose();
  }

  function drop(key: string): void {
    partitions.get(key)?.dispose();
    partitions.delete(key);
  }

  return {
    add(key, id, values) {
      let partition = partitions.get(key);
      if (partition === undefined || partition.dims !== values.length) {
        drop(key);
        partition = createFlatPartition(values.length);
        partitions.set(key, partition);
      }
      const before = partition.size();
      const added = partition.add(id, values);
      if (partition.size() > before) sketchWhenLarge(key, partition);
      return added;
    },
    remove(key, id) {
      const partition = partitions.get(key);
      partition?.remove(id);
      if (partition?.size() === 0) drop(key);
    },
    search(key, values, count) {
      const partition = partitions.get(key);
      return partition === undefined || partition.dims !== values.length
        ? []
        : partition.search(values, count);
    },
    vector: (key, id) => partitions.get(key)?.vector(id),
    size: () => [...partitions.values()].reduce((sum, partition) => sum + partition.size(), 0),
    bytes: () => [...partitions.values()].reduce((sum, partition) => sum + partition.bytes(), 0),
  };
}

export interface Partition {
  readonly dims: number;
  add(id: string, values: Int8Array): boolean;
  remove(id: string): void;
  search(values: Int8Array, count: number): readonly Neighbour[];
  vector(id: string): Int8Array | undefined;
  ids(): readonly string[];
  /** Gives its memory back; it is not used after. */
  dispose(): void;
  size(): number;
  bytes(): number;
}

const FIRST_ROWS = 4;

/** Rows lie one after another; removing one moves the last into its place. */
export function createFlatPartition(dims: number): Partition {
  let rows = new Int8Array(FIRST_ROWS * dims);
  let inverseNorms = new Float32Array(FIRST_ROWS);
  const ids: string[] = [];
  const rowOf = new Map<string, number>();

  function grow(): void {
    const capacity = inverseNorms.length * 2;
    const [oldRows, oldNorms] = [rows, inverseNorms];
    rows = new Int8Array(capacity * dims);
    rows.set(oldRows);
    inverseNorms = new Float32Array(capacity);
    inverseNorms.set(oldNorms);
  }

  function similarity(row: number, values: Int8Array, inverse: number): number {
    let sum = 0;
    for (let at = 0, from = row * dims; at < dims; at += 1) sum += rows[from + at]! * values[at]!;
    return sum * inverse * inverseNorms[row]!;
  }

  return {
    dims,
    add(id, values) {
      let row = rowOf.get(id);
      if (row === undefined) {
        row = ids.push(id) - 1;
        rowOf.set(id, row);
        if (row === inverseNorms.length) grow();
      }
      rows.set(values, row * dims);
      inverseNorms[row] = inverseNorm(values);
      return true;
    },
    remove(id) {
      const row = rowOf.get(id);
      if (row === undefined) return;
      const last = ids.length - 1;
      const moved = ids[last]!;
      rows.copyWithin(row * dims, last * dims, (last + 1) * dims);
      inverseNorms[row] = inverseNorms[last]!;
      ids[row] = moved;
      rowOf.set(moved, row);
      rowOf.delete(id);
      ids.pop();
    },
    search(values, count) {
      const inverse = inverseNorm(values);
      const best: Neighbour[] = [];
      let worst = Number.NEGATIVE_INFINITY;
      for (let row = 0; row < ids.length; row += 1) {
        const found = similarity(row, values, inverse);
        if (best.length === count && found <= worst) continue;
        insertSorted(best, { id: ids[row]!, similarity: found }, count);
        worst = best.at(-1)!.similarity;
      }
      return best;
    },
    vector(id) {
      const row = rowOf.get(id);
      return row === undefined ? undefined : rows.slice(row * dims, (row + 1) * dims);
    },
    ids: () => ids,
    dispose: () => undefined,
    size: () => ids.length,
    bytes: () => rows.byteLength + inverseNorms.byteLength,
  };
}
