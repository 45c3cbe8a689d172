// Owns getting the scan kernel: one instance over one partition's memory. Refuses where WASM may not be
// compiled (workerd, or a page whose policy forbids it); the flat scan answers there.
import { scanBase64 } from './kernel/scan.generated.ts';

/** What kernel/assembly/scan.ts exports; pointers are byte addresses. */
export interface ScanKernel {
  distances(
    sketches: number,
    count: number,
    blocks: number,
    query: number,
    target: number,
    histogram: number,
  ): void;
  collect(source: number, count: number, limit: number, target: number, most: number): number;
  dots(
    rows: number,
    count: number,
    vectors: number,
    stride: number,
    query: number,
    inverses: number,
    target: number,
  ): void;
}

/** Undefined until asked for; null where WASM is refused. */
let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(scanBase64), (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

export function createScanKernel(memory: WebAssembly.Memory): ScanKernel | undefined {
  compiled ??= compile();
  if (compiled === null) return undefined;
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as ScanKernel;
}
