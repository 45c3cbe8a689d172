// Owns what the kernel is told before its first run: weights packed into linear memory, outliers found, a
// static arena for each thread. After this nothing is allocated; the memory's size never changes.
import type { Manifest } from '../../models.ts';
import * as at from './layout.ts';
import type { KernelExports } from './module.ts';
import { firstColumn, stage, type Tensors, tensor } from './tensors.ts';
import { fillWords } from './word-table.ts';

/** Tokens a chunk holds at most, unless one text is longer: activations of a chunk stay in the second cache. */
export const CHUNK_TOKENS = 128;
/** Tokens one job of the kernel takes; longer inputs are several jobs. */
export const JOB_TOKENS = 2048;

/** Where the host puts a job and finds its answer. */
export interface KernelPlan {
  readonly ids: number;
  /** Where the tokens' types go; 0 for a model without a table of types. */
  readonly typeIds: number;
  readonly rowTokens: number;
  readonly chunks: number;
  readonly output: number;
  /** Floats a row of the output. */
  readonly dims: number;
}

export interface Space {
  readonly bytes: number;
  /** Address of `bytes` more bytes, on a cache line of its own. */
  take(bytes: number): number;
}

/** A bump allocator: used once to measure, once to place. Addresses depend on sizes alone. */
export function createSpace(): Space {
  let next = at.PLAN + at.PLAN_BYTES;
  return {
    get bytes() {
      return next;
    },
    take(bytes) {
      const address = next;
      next += (bytes + 63) & ~63;
      return address;
    },
  };
}

export interface MatrixPlan {
  readonly name: string;
  readonly n: number;
  readonly k: number;
  readonly struct: number;
  readonly weights: number;
  readonly scales: number;
  readonly counts: number;
  readonly sums: number;
  readonly bias: number;
  readonly fixes: number;
  readonly shares: number;
  readonly slots: number;
}

const panelBytes = (k: number): number => (k + at.SLOTS) * at.PANEL;

export function placeMatrix(space: Space, name: string, n: number, k: number): MatrixPlan {
  return {
    name,
    n,
    k,
    struct: space.take(at.MATRIX_BYTES),
    weights: space.take((n / at.PANEL) * panelBytes(k)),
    scales: space.take(n * 4),
    counts: space.take(n * 4),
    sums: space.take(n * 4),
    bias: space.take(n * 4),
    fixes: space.take((n / at.PANEL) * (4 + (k >> 3) * 4)),
    shares: space.take(k * 4),
    slots: space.take(at.SLOTS * 4),
  };
}

export interface Placement {
  readonly space: Space;
  readonly matrices: readonly MatrixPlan[];
  readonly norms: readonly { readonly name: string; readonly address: number }[];
  readonly words: number;
  readonly wordScales: number;
  readonly positions: number;
  /** Table of token types; 0 where there is none. */
  readonly types: number;
  readonly layerTable: number;
  readonly ones: number;
  readonly staging: number;
  readonly arena: Arena;
  readonly arenas: number;
  readonly plan: KernelPlan;
}

/** Lays everything out for a model; needs no memory yet. */
export function place(manifest: Manifest, threads: number): Placement {
  const { hidden, layers, intermediate, vocab, dims } = manifest;
  const embedDims = manifest.embedding?.dims ?? hidden;
  const space = createSpace();
  const matrices: MatrixPlan[] = [];
  const norms: { name: string; address: number }[] = [];
  const matrix = (name: string, n: number, k: number) => matrices.push(placeMatrix(space, name, n, k));
  const norm = (name: string) => norms.push({ name, address: space.take(hidden * 8) });
  norm('embeddings.norm');
  if (embedDims !== hidden) matrix('embeddings.projection', hidden, embedDims);
  for (let layer = 0; layer < layers; layer += 1) {
    const name = `layer.${layer}`;
    matrix(`${name}.attention.qkv`, hidden * 3, hidden);
    matrix(`${name}.attention.output`, hidden, hidden);
    matrix(`${name}.ffn.up`, intermediate, hidden);
    matrix(`${name}.ffn.down`, hidden, intermediate);
    norm(`${name}.attention.norm`);
    norm(`${name}.ffn.norm`);
  }
  if (dims !== hidden) matrix('head', dims, hidden);
  const arena = arenaOf(manifest);
  return {
    space,
    matrices,
    norms,
    words: space.take(vocab * embedDims),
    wordScales: space.take(vocab * 4),
    positions: space.take(manifest.maxTokens * hidden * 4),
    types: manifest.types === undefined ? 0 : space.take(manifest.types * hidden * 4),
    layerTable: space.take(layers * at.LAYER_BYTES),
    ones: space.take(Math.max(hidden, intermediate, embedDims) * 4),
    // Weights wait in the first arena while they are packed.
    staging: space.bytes,
    arena,
    arenas: space.take(Math.max(arena.bytes * threads, ...matrices.map(({ n, k }) => n * k))),
    plan: {
      ids: space.take(JOB_TOKENS * 4),
      typeIds: manifest.types === undefined ? 0 : space.take(JOB_TOKENS * 4),
      rowTokens: space.take(JOB_TOKENS * 4),
      chunks: space.take(JOB_TOKENS * 16),
      output: space.take(JOB_TOKENS * dims * 4),
      dims,
    },
  };
}

interface Arena {
  readonly bytes: number;
  /** Plan field, offset within the arena. */
  readonly offsets: readonly (readonly [field: number, offset: number])[];
}

function arenaOf(manifest: Manifest): Arena {
  const { hidden, heads, intermediate, maxTokens } = manifest;
  // Keys are read in runs of 16 tokens, so rows beyond a chunk's last must exist.
  const rows = Math.max(CHUNK_TOKENS, maxTokens) + 16;
  const widest = Math.max(hidden, intermediate, manifest.embedding?.dims ?? 0);
  const padded = (maxTokens + 15) & ~15;
  // Plain SIMD keeps codes in two bytes.
  const tile = ((widest + at.SLOTS) >> 3) * at.TILE * 16;
  const sizes: readonly (readonly [number, number])[] = [
    [at.AT_STREAM, rows * hidden * 4],
    [at.AT_WIDE, rows * Math.max(3 * hidden, intermediate) * 4],
    [at.AT_CONTEXT, rows * hidden * 4],
    [at.AT_CODES, (rows / at.TILE) * tile],
    [at.AT_META, rows * 8],
    [at.AT_ACC, 128],
    [at.AT_SCORES, (2 * padded + 32) * 4],
    [at.AT_KEYS, (hidden / heads) * padded * 4],
  ];
  let bytes = 0;
  const offsets = sizes.map(([field, size]) => {
    const offset = bytes;
    bytes += (size + 63) & ~63;
    return [field, offset] as const;
  });
  return { bytes, offsets };
}

/** Fills linear memory from the file's tensors. @throws model-unsupported, model-load-failed */
export function fill(
  placement: Placement,
  manifest: Manifest,
  tensors: Tensors,
  kernel: KernelExports,
  memory: WebAssembly.Memory,
): void {
  const bytes = new Uint8Array(memory.buffer);
  const mode = kernel.probe(placement.staging);
  for (const matrix of placement.matrices) {
    packMatrix(matrix, placement.staging, tensors, kernel, memory, mode);
  }
  for (const norm of placement.norms) {
    bytes.set(tensor(tensors, `${norm.name}.weight`, manifest.hidden * 4), norm.address);
    bytes.set(tensor(tensors, `${norm.name}.bias`, manifest.hidden * 4), norm.address + manifest.hidden * 4);
  }
  const embedDims = manifest.embedding?.dims ?? manifest.hidden;
  fillWords(tensors, manifest.vocab, embedDims, memory, placement);
  const positions = manifest.maxTokens * manifest.hidden * 4;
  bytes.set(tensor(tensors, 'embeddings.position', positions), placement.positions);
  if (manifest.types !== undefined) {
    bytes.set(tensor(tensors, 'embeddings.type', manifest.types * manifest.hidden * 4), placement.types);
  }
  const ones = Math.max(manifest.hidden, manifest.intermediate, embedDims);
  new Float32Array(memory.buffer, placement.ones, ones).fill(1);
}

export function packMatrix(
  matrix: MatrixPlan,
  staging: number,
  tensors: Tensors,
  kernel: KernelExports,
  memory: WebAssembly.Memory,
  mode: number,
): void {
  const { name, n, k } = matrix;
  const view = new DataView(memory.buffer);
  const bytes = new Uint8Array(memory.buffer);
  stage(tensors, `${name}.q8`, n, k, bytes.subarray(staging));
  firstColumn(tensors, `${name}.scale`, n, view, matrix.scales);
  bytes.set(tensor(tensors, `${name}.bias`, n * 4), matrix.bias);
  kernel.packMatrix(staging, n, k, matrix.weights, matrix.counts, matrix.fixes, mode);
  kernel.foldSums(n, matrix.counts, matrix.scales, matrix.sums);
  new Int32Array(memory.buffer, matrix.slots, at.SLOTS).fill(-1);
  new Float32Array(memory.buffer, matrix.shares, k).fill(0);
  writeMatrix(view, matrix);
}

export function writeMatrix(view: DataView, matrix: MatrixPlan): void {
  const fields: readonly (readonly [number, number])[] = [
    [at.M_N, matrix.n],
    [at.M_K, matrix.k],
    [at.M_WEIGHTS, matrix.weights],
    [at.M_SCALES, matrix.scales],
    [at.M_SUMS, matrix.sums],
    [at.M_BIAS, matrix.bias],
    [at.M_FIXES, matrix.fixes],
    [at.M_SHARES, matrix.shares],
    [at.M_SLOTS, matrix.slots],
  ];
  for (const [field, value] of fields) view.setUint32(matrix.struct + field, value, true);
}

/** Writes the plan itself. */
export function writePlan(
  placement: Placement,
  manifest: Manifest,
  threads: number,
  mayWait: boolean,
  memory: WebAssembly.Memory,
): void {
  const view = new DataView(memory.buffer);
  const put = (field: number, value: number) => view.setInt32(at.PLAN + field, value, true);
  const matrix = (name: string) => placement.matrices.find((each) => each.name === name)?.struct ?? 0;
  const norm = (name: string) => placement.norms.find((each) => each.name === name)?.address ?? 0;
  put(at.HIDDEN, manifest.hidden);
  put(at.LAYERS, manifest.layers);
  put(at.HEADS, manifest.heads);
  put(at.HEAD_DIMS, manifest.hidden / manifest.heads);
  view.setFloat32(at.PLAN + at.EPSILON, manifest.layerNormEps, true);
  put(at.EMBED_DIMS, manifest.embedding?.dims ?? manifest.hidden);
  put(at.WORDS, placement.words);
  put(at.WORD_SCALES, placement.wordScales);
  put(at.POSITIONS, placement.positions);
  put(at.TYPES, placement.types);
  put(at.TYPE_IDS, placement.plan.typeIds);
  put(at.EMBED_NORM, norm('embeddings.norm'));
  put(at.PROJECTION, matrix('embeddings.projection'));
  put(at.HEAD, matrix('head'));
  put(at.LAYER_TABLE, placement.layerTable);
  put(at.ARENAS, placement.arenas);
  put(at.ARENA_BYTES, placement.arena.bytes);
  put(at.THREADS, threads);
  put(at.MAY_WAIT, mayWait ? 1 : 0);
  put(at.ONES, placement.ones);
  put(at.POOLING, manifest.pooling === 'cls' ? 1 : 0);
  put(at.CHUNKS, placement.plan.chunks);
  put(at.IDS, placement.plan.ids);
  put(at.ROW_TOKENS, placement.plan.rowTokens);
  put(at.OUTPUT, placement.plan.output);
  for (const [field, offset] of placement.arena.offsets) put(field, offset);
  for (let layer = 0; layer < manifest.layers; layer += 1) {
    const struct = placement.layerTable + layer * at.LAYER_BYTES;
    const name = `layer.${layer}`;
    view.setInt32(struct + at.L_QKV, matrix(`${name}.attention.qkv`), true);
    view.setInt32(struct + at.L_MIX, matrix(`${name}.attention.output`), true);
    view.setInt32(struct + at.L_UP, matrix(`${name}.ffn.up`), true);
    view.setInt32(struct + at.L_DOWN, matrix(`${name}.ffn.down`), true);
    view.setInt32(struct + at.L_MIX_NORM, norm(`${name}.attention.norm`), true);
    view.setInt32(struct + at.L_DOWN_NORM, norm(`${name}.ffn.norm`), true);
  }
}
