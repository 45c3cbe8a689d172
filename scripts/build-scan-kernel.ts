// Compiles the cache's scan kernel and writes it as base64 beside its source: `node scripts/build-scan-kernel.ts`.
// The output is committed, being under a kilobyte; a test compiles again and compares.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = new URL('../runtime/cache/kernel/', import.meta.url);

/** Bytes of the compiled module. */
export async function compileScan(): Promise<Uint8Array> {
  const files = new Map<string, Uint8Array | string>();
  const { error, stderr } = await asc.main(
    [
      fileURLToPath(new URL('assembly/scan.ts', folder)),
      ...['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'],
      ...['--importMemory', '--noExportMemory', '--initialMemory', '1', '--outFile', 'scan.wasm'],
    ],
    { writeFile: (name, contents) => void files.set(name, contents) },
  );
  const compiled = files.get('scan.wasm');
  if (error !== null || !(compiled instanceof Uint8Array)) {
    throw new Error(`The scan kernel did not compile.\n${stderr.toString()}`, { cause: error });
  }
  return compiled;
}

if (import.meta.main) {
  const bytes = await compileScan();
  const lines = [
    '// Made by scripts/build-scan-kernel.ts from assembly/scan.ts. Do not edit.',
    `export const scanBase64: string =\n  '${Buffer.from(bytes).toString('base64')}';`,
    '',
  ];
  await writeFile(new URL('scan.generated.ts', folder), lines.join('\n'));
  console.log(`scan kernel: ${bytes.byteLength} bytes`);
}
