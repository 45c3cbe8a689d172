// Owns getting an instance of the kernel: which of the two builds this engine can run, over shared memory or
// not. The builds differ in instructions, never in an answer.
import { NearfieldError } from '../../errors.ts';

/** What the compiled kernel exports; pointers are byte addresses. See assembly/index.ts. */
export interface KernelExports {
  run(): void;
  serve(thread: number, seen: number): void;
  stop(): void;
  fail(): void;
  probe(scratch: number): number;
  packMatrix(
    source: number,
    n: number,
    k: number,
    target: number,
    sums: number,
    fixes: number,
    mode: number,
  ): number;
  packSlots(n: number, k: number, target: number, sums: number, fixes: number, slots: number): void;
  foldSums(n: number, sums: number, scales: number, target: number): void;
  fixesBytes(n: number, k: number): number;
  panelBytes(k: number): number;
  tileBytes(k: number): number;
  productTile(codes: number, weights: number, k: number, acc: number, rows: number, paired: number): void;
  multiply(
    matrix: number,
    codes: number,
    meta: number,
    rows: number,
    target: number,
    follow: number,
    first: number,
    last: number,
    acc: number,
  ): void;
  quantizeRow(
    x: number,
    k: number,
    shares: number,
    slots: number,
    codes: number,
    row: number,
    meta: number,
  ): void;
  layerNorm(x: number, n: number, norm: number, epsilon: number): void;
  rmsNorm(x: number, n: number, weight: number, epsilon: number): void;
  softmax(scores: number, tokens: number, padded: number, scale: number): void;
  meanRows(x: number, rows: number, n: number, target: number): void;
  unitRow(x: number, n: number): void;
  geluRow(x: number, n: number): void;
  expRow(x: number, n: number): void;
}

export type KernelBuild = 'relaxed' | 'plain';

/** (module (func (drop (i32x4.relaxed_dot_i8x16_i7x16_add_s 0 0 0)))), by hand. */
const RELAXED_PROBE: Uint8Array<ArrayBuffer> = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0],
  ...[10, 20, 1, 18, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15, 253, 147, 2, 26, 11],
]);

/** Whether this engine has relaxed SIMD. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(RELAXED_PROBE);
}

/** Encoders and decoders are modules of their own: who only embeds fetches no decoder. */
export type KernelName = 'kernel' | 'decoder';

/** The kernel's bytes as built, for hosts that may compile. */
export async function kernelBytes(
  build: KernelBuild,
  name: KernelName = 'kernel',
): Promise<Uint8Array<ArrayBuffer>> {
  const { plainBase64, relaxedBase64 } =
    name === 'decoder' ? await import('./decoder.generated.ts') : await import('./kernel.generated.ts');
  const text = atob(build === 'relaxed' ? relaxedBase64 : plainBase64);
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/**
 * Declares the imported memory shared, which threads need: one flag in the import section, so one build
 * serves both.
 */
export function withSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  // "env" "memory", kind memory, then limits: 1 has a maximum, 3 has one and is shared.
  const name = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 1];
  const at = bytes.findIndex((_, start) => name.every((byte, offset) => bytes[start + offset] === byte));
  if (at < 0)
    throw new NearfieldError('internal', 'Expected the kernel to import env.memory, found no such.');
  const shared = bytes.slice();
  shared[at + name.length - 1] = 3;
  return shared;
}

/** Compiles the build this engine can run. */
export async function compileKernel(
  shared: boolean,
  build?: KernelBuild,
  name: KernelName = 'kernel',
): Promise<WebAssembly.Module> {
  const bytes = await kernelBytes(build ?? (hasRelaxedSimd() ? 'relaxed' : 'plain'), name);
  return await WebAssembly.compile(shared ? withSharedMemory(bytes) : bytes);
}

export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports as unknown as KernelExports;
}
