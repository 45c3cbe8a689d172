// A kernel on a small memory for tests and benches: one matrix product from plain numbers to plain numbers.
import * as at from './layout.ts';
import { compileKernel, instantiateKernel, type KernelBuild, type KernelExports } from './module.ts';
import { createSpace, type MatrixPlan, placeMatrix, type Space, writeMatrix } from './plan.ts';

/** Ways to the same integers: the plain build, and the relaxed build's two. */
export const WAYS: readonly { readonly build: KernelBuild; readonly mode: number; readonly name: string }[] =
  [
    { name: 'plain', build: 'plain', mode: at.MODE_WIDE },
    { name: 'relaxed, wide', build: 'relaxed', mode: at.MODE_WIDE },
    { name: 'relaxed, paired', build: 'relaxed', mode: at.MODE_PAIRED },
  ];

/** What follows a product; mirrors assembly/product.ts. */
export const FOLLOW: Readonly<Record<'store' | 'add' | 'gelu' | 'raw', number>> = Object.freeze({
  store: 0,
  add: 1,
  gelu: 2,
  raw: 3,
});

export interface KernelBench {
  readonly kernel: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly scratch: number;
  floats(address: number, length: number): Float32Array;
  ints(address: number, length: number): Int32Array;
}

export async function openKernel(build: KernelBuild, mebibytes = 16): Promise<KernelBench> {
  const pages = mebibytes * 16;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const kernel = instantiateKernel(await compileKernel(false, build), memory);
  return {
    kernel,
    memory,
    scratch: 65536,
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    ints: (address, length) => new Int32Array(memory.buffer, address, length),
  };
}

export interface Product {
  readonly matrix: MatrixPlan;
  readonly codes: number;
  readonly meta: number;
  readonly target: number;
  readonly acc: number;
  /** Fixes that packing needed. */
  readonly fixes: number;
}

/** Packs int8 weights [n][k] and lays codes [rows][k] (0…127) into tiles. */
export function setProduct(
  bench: KernelBench,
  build: KernelBuild,
  mode: number,
  weights: Int8Array,
  codes: Uint8Array,
  shape: { readonly rows: number; readonly n: number; readonly k: number },
): Product {
  const { rows, n, k } = shape;
  const space = createSpace();
  const matrix = placeMatrix(space, 'product', n, k);
  const tiles = Math.ceil(rows / at.TILE);
  const placed = {
    codes: space.take(tiles * bench.kernel.tileBytes(k)),
    meta: space.take(tiles * at.TILE * 8),
    target: space.take(rows * n * 4),
    acc: space.take(128),
    staging: space.take(n * k),
  };
  const { buffer } = bench.memory;
  if (space.bytes > buffer.byteLength) throw new RangeError('The test memory is too small for this shape.');
  new Uint8Array(buffer, placed.staging, n * k).set(weights.map((weight) => weight ^ 128));
  bench.ints(matrix.slots, at.SLOTS).fill(-1);
  const { packMatrix } = bench.kernel;
  const fixes = packMatrix(placed.staging, n, k, matrix.weights, matrix.counts, matrix.fixes, mode);
  writeMatrix(new DataView(buffer), matrix);
  layCodes(bench, build, placed.codes, codes, shape);
  return { matrix, fixes, ...placed };
}

function layCodes(
  bench: KernelBench,
  build: KernelBuild,
  address: number,
  codes: Uint8Array,
  { rows, k }: { readonly rows: number; readonly k: number },
): void {
  const width = build === 'plain' ? 2 : 1;
  const target = new DataView(bench.memory.buffer, address);
  const step = at.TILE * 8 * width;
  for (let row = 0; row < rows; row += 1) {
    const tile = Math.floor(row / at.TILE) * bench.kernel.tileBytes(k);
    for (let i = 0; i < k; i += 1) {
      const offset = tile + (i >> 3) * step + (row & 3) * 8 * width + (i & 7) * width;
      if (width === 2) target.setUint16(offset, codes[row * k + i]!, true);
      else target.setUint8(offset, codes[row * k + i]!);
    }
  }
}

/** The kernel's own int32 sums [rows][n]. */
export function rawProduct(bench: KernelBench, product: Product, rows: number): Int32Array {
  const { matrix, codes, meta, target, acc } = product;
  const panels = matrix.n / at.PANEL;
  bench.kernel.multiply(matrix.struct, codes, meta, rows, target, FOLLOW.raw, 0, panels, acc);
  return bench.ints(target, rows * matrix.n).slice();
}

/** The same sums in BigInt arithmetic's exact integers. */
export function referenceProduct(
  weights: Int8Array,
  codes: Uint8Array,
  { rows, n, k }: { readonly rows: number; readonly n: number; readonly k: number },
): number[] {
  const sums: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < n; column += 1) {
      // Doubles hold these sums exactly: at most 128 * 127 * k.
      let sum = 0;
      for (let i = 0; i < k; i += 1) sum += weights[column * k + i]! * codes[row * k + i]!;
      sums.push(sum);
    }
  }
  return sums;
}

/** Packs matrices of made-up weights, unit scales and no bias, for timing. */
export function placeWeights(
  bench: KernelBench,
  mode: number,
  layers: readonly { readonly n: number; readonly k: number }[],
  weight: () => number,
): { readonly space: Space; readonly matrices: readonly MatrixPlan[] } {
  const space = createSpace();
  const { buffer } = bench.memory;
  const matrices = layers.map(({ n, k }, index) => placeMatrix(space, `layer ${index}`, n, k));
  const staging = space.bytes;
  for (const matrix of matrices) {
    const { n, k } = matrix;
    const codes = new Uint8Array(buffer, staging, n * k);
    for (let i = 0; i < codes.length; i += 1) codes[i] = weight() ^ 128;
    bench.kernel.packMatrix(staging, n, k, matrix.weights, matrix.counts, matrix.fixes, mode);
    bench.floats(matrix.scales, n).fill(1 / (40 * Math.sqrt(k)));
    bench.floats(matrix.shares, k).fill(1);
    bench.ints(matrix.slots, at.SLOTS).fill(-1);
    bench.kernel.foldSums(n, matrix.counts, matrix.scales, matrix.sums);
    writeMatrix(new DataView(buffer), matrix);
  }
  return { space, matrices };
}
