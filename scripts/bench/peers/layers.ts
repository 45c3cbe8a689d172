// Owns the contenders of `bench -- layers`: the same chain of products by our kernel's three ways, by ONNX
// Runtime Web and onnxruntime-node in fp32 and dynamic INT8, and by XNNPACK (in TensorFlow.js, fp32).
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import asc from 'assemblyscript/asc';
import type { InferenceSession, TensorConstructor } from 'onnxruntime-web';
import * as at from '../../../runtime/engine/kernel/layout.ts';
import { FOLLOW, openKernel, placeWeights, WAYS } from '../../../runtime/engine/kernel/testing.ts';
import { mulberry32 } from '../../report.ts';
import { chainGraph, type GraphKind, type Layer } from './onnx-graph.ts';

export interface LayerContender {
  readonly name: string;
  readonly ours: boolean;
  /** One pass of `rows` rows through every layer. */
  run(rows: number): void | Promise<void>;
}

/** Six times up and down: the feed-forward products of all-minilm-l6-v2. */
export const LAYERS: readonly Layer[] = Array.from({ length: 12 }, (_, index) =>
  index % 2 === 0 ? { k: 384, n: 1536 } : { k: 1536, n: 384 },
);
export const MAX_ROWS = 64;

const noiseOf = (seed: number) => {
  const next = mulberry32(seed);
  return () => next() * 2 - 1;
};

/** Our kernel, quantising each row before each product, one contender a way. */
export async function openOurs(): Promise<LayerContender[]> {
  return await Promise.all(WAYS.map(({ name, build, mode }) => openWay(name, build, mode)));
}

async function openWay(
  name: string,
  build: (typeof WAYS)[number]['build'],
  mode: number,
): Promise<LayerContender> {
  const bench = await openKernel(build, 32);
  const noise = noiseOf(1);
  const { space, matrices } = placeWeights(bench, mode, LAYERS, () => Math.round(127 * noise() ** 3));
  const [even, odd] = [space.take(MAX_ROWS * 1536 * 4), space.take(MAX_ROWS * 1536 * 4)];
  const codes = space.take((MAX_ROWS / at.TILE) * bench.kernel.tileBytes(1536));
  const meta = space.take(MAX_ROWS * 8);
  const acc = space.take(128);
  bench.floats(even, MAX_ROWS * 384).forEach((_, i, floats) => {
    floats[i] = noise();
  });
  return {
    name: `kernel, ${name}`,
    ours: true,
    run(rows) {
      matrices.forEach(({ struct, k, n, shares, slots }, layer) => {
        const [from, to] = layer % 2 === 0 ? [even, odd] : [odd, even];
        for (let row = 0; row < rows; row += 1) {
          const tile = codes + (row >> 2) * bench.kernel.tileBytes(k);
          bench.kernel.quantizeRow(from + row * k * 4, k, shares, slots, tile, row & 3, meta + row * 8);
        }
        bench.kernel.multiply(struct, codes, meta, rows, to, FOLLOW.store, 0, n / at.PANEL, acc);
      });
    },
  };
}

interface OrtLike {
  readonly InferenceSession: {
    create(bytes: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

/** ONNX Runtime in both its forms, one thread. */
export async function openOrt(): Promise<LayerContender[]> {
  const web = await import('onnxruntime-web');
  web.env.wasm.numThreads = 1;
  const contenders: LayerContender[] = [];
  for (const kind of ['fp32', 'int8'] as const) {
    contenders.push(await openChain(`ORT Web WASM ${kind}`, web, kind, {}));
  }
  Reflect.deleteProperty(globalThis, 'Worker');
  const native: OrtLike = createRequire(import.meta.url)('onnxruntime-node');
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  for (const kind of ['fp32', 'int8'] as const) {
    contenders.push(await openChain(`onnxruntime-node ${kind}`, native, kind, options));
  }
  return contenders;
}

async function openChain(
  name: string,
  ort: OrtLike,
  kind: GraphKind,
  options: InferenceSession.SessionOptions,
): Promise<LayerContender> {
  const session = await ort.InferenceSession.create(chainGraph(kind, LAYERS, noiseOf(2)), options);
  const noise = noiseOf(3);
  const input = Float32Array.from({ length: MAX_ROWS * 384 }, noise);
  return {
    name,
    ours: false,
    async run(rows) {
      await session.run({ x: new ort.Tensor('float32', input.subarray(0, rows * 384), [rows, 384]) });
    },
  };
}

/** XNNPACK's fp32 products, as compiled to WASM SIMD for TensorFlow.js: the same kernels LiteRT.js carries. */
export async function openXnnpack(): Promise<LayerContender> {
  const tf = await import('@tensorflow/tfjs-core');
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(`${folder}/`);
  wasm.setThreadsCount(1);
  await tf.setBackend('wasm');
  const noise = noiseOf(4);
  const weights = LAYERS.map(({ k, n }) =>
    tf.tensor2d(
      Float32Array.from({ length: k * n }, () => noise() / Math.sqrt(k)),
      [k, n],
    ),
  );
  const input = Float32Array.from({ length: MAX_ROWS * 384 }, noise);
  return {
    name: 'XNNPACK WASM fp32',
    ours: false,
    run(rows) {
      const result = tf.tidy(() =>
        weights.reduce(
          (x, weight) => tf.matMul(x, weight),
          tf.tensor2d(input.subarray(0, rows * 384), [rows, 384]),
        ),
      );
      result.dataSync();
      result.dispose();
    },
  };
}

const PEAKS = `
export function wide(n: i32): void {
  ${loop('i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, a$)')}
}
export function paired(n: i32): void {
  ${loop('i32x4.add(a$, i32x4.extadd_pairwise_i16x8_s(i16x8.add(i16x8.relaxed_dot_i8x16_i7x16_s(w, a$), i16x8.relaxed_dot_i8x16_i7x16_s(x, a$))))')}
}
export function plain(n: i32): void {
  ${loop('i32x4.add(a$, i32x4.dot_i16x8_s(w, v128.xor(a$, x)))')}
}`;

function loop(step: string): string {
  const sums = Array.from({ length: 8 }, (_, i) => `a${i}`);
  return `const w = v128.load(0), x = v128.load(16);
  let ${sums.map((sum) => `${sum} = i32x4.splat(0)`).join(', ')};
  for (let i = 0; i < n; i++) { ${sums.map((sum) => `${sum} = ${step.replaceAll('a$', sum)};`).join(' ')} }
  v128.store(32, ${sums.reduce((all, sum) => `v128.xor(${all}, ${sum})`)});`;
}

/** Multiply-adds one turn of each loop makes. */
const PER_STEP: Readonly<Record<string, number>> = Object.freeze({
  wide: 8 * 16,
  paired: 8 * 32,
  plain: 8 * 8,
});

/** Loops that touch registers alone: what the processor could do at most, in G multiply-adds a second. */
export async function openPeaks(): Promise<ReadonlyMap<string, () => number>> {
  const { binary, stderr } = await asc.compileString(PEAKS, {
    optimizeLevel: 3,
    runtime: 'stub',
    initialMemory: 1,
    enable: ['simd', 'relaxed-simd'],
  });
  if (binary === null) throw new Error(`The peak loops did not compile.\n${stderr}`);
  const { instance } = await WebAssembly.instantiate(Uint8Array.from(binary));
  const loops = instance.exports as Record<string, (n: number) => void>;
  const turns = 2000;
  return new Map(
    Object.entries(PER_STEP).map(([name, work]) => [
      name,
      () => {
        const start = process.cpuUsage();
        for (let i = 0; i < 100; i += 1) loops[name]!(turns);
        const { user, system } = process.cpuUsage(start);
        return (work * turns * 100) / ((user + system) * 1000);
      },
    ]),
  );
}
