// Compiles the kernels twice each (relaxed SIMD, plain SIMD128) and writes them in two forms: `.wasm` files for
// hosts that import compiled modules (workerd), and base64 in a TypeScript module for hosts that do not. Run by
// npm's `prepare`; its outputs are not committed.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../runtime/engine/kernel/', import.meta.url);

/** Encoders and decoders are modules of their own: a page that only embeds fetches no decoder. */
const KERNELS: Readonly<Record<KernelName, string>> = Object.freeze({
  kernel: 'assembly/index.ts',
  decoder: 'assembly/decoder-index.ts',
});
export type KernelName = 'kernel' | 'decoder';

/** `AS201` warns that wasm64 would need casts; the kernel is wasm32 for good (4 GiB is beyond its use). */
const FLAGS: readonly string[] = [
  ...['-O3', '--noAssert', '--runtime', 'stub', '--disableWarning', '201'],
  ...['--enable', 'simd', '--enable', 'threads'],
  ...['--importMemory', '--noExportMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/** One build of a kernel, bytes of the module. */
export async function compileKernel(relaxed: boolean, name: KernelName = 'kernel'): Promise<Uint8Array> {
  const entry = fileURLToPath(new URL(KERNELS[name], folder));
  const out = join(tmpdir(), `${name}-${process.pid}-${relaxed ? 'relaxed' : 'plain'}.wasm`);
  const flags = relaxed ? [...FLAGS, '--enable', 'relaxed-simd'] : FLAGS;
  const { error, stderr } = await asc.main([entry, '--outFile', out, ...flags]);
  if (error !== null) throw new Error(`${name} did not compile.\n${stderr.toString()}`, { cause: error });
  const bytes = await readFile(out);
  await rm(out);
  return bytes;
}

async function build(name: KernelName): Promise<void> {
  const relaxed = await compileKernel(true, name);
  const plain = await compileKernel(false, name);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${name}.wasm`, folder), relaxed);
  await writeFile(new URL(`${name}-plain.wasm`, folder), plain);
  await writeFile(
    new URL(`${name}.generated.ts`, folder),
    [
      '// Made by scripts/build-kernel.ts from assembly/. Do not edit.',
      `export const relaxedBase64: string =\n  '${Buffer.from(relaxed).toString('base64')}';`,
      `export const plainBase64: string =\n  '${Buffer.from(plain).toString('base64')}';`,
      '',
    ].join('\n'),
  );
  console.log(`${name}: relaxed ${relaxed.byteLength} bytes, plain ${plain.byteLength} bytes`);
}

if (import.meta.main) {
  for (const name of Object.keys(KERNELS) as KernelName[]) await build(name);
}
