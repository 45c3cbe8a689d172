// Owns the scan kernel and the one WASM memory it works on: chunks of it are lent to the partitions of an index,
// which grow by taking more chunks, so no row is ever moved to a larger place. Refuses where WASM may not be
// compiled (workerd, or a page whose policy forbids it); the flat scan answers there.
import { scanBase64 } from './kernel/scan.generated.ts';

/** What kernel/assembly/scan.ts exports; pointers are byte addresses. */
export interface ScanKernel {
  sketch(
    vectors: number,
    count: number,
    stride: number,
    sketches: number,
    words: number,
    inverses: number,
  ): void;
  sample(
    sketches: number,
    count: number,
    step: number,
    words: number,
    query: number,
    histogram: number,
  ): void;
  near(
    sketches: number,
    count: number,
    words: number,
    query: number,
    limit: number,
    target: number,
    distances: number,
    most: number,
  ): number;
  count(distances: number, count: number, histogram: number): void;
  pick(rows: number, source: number, count: number, limit: number, target: number, most: number): number;
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

/** Views of the whole memory; growing makes new ones, so they are read from the arena each time. */
export interface ArenaViews {
  readonly bytes: Int8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly floats: Float32Array<ArrayBuffer>;
}

export interface ScanArena {
  readonly kernel: ScanKernel;
  views(): ArenaViews;
  /** Address of `bytes` bytes, on a border of 16; undefined when the platform gives no more. */
  take(bytes: number): number | undefined;
  /** Gives a chunk back; the next `take` of the same size gets it. */
  give(address: number, bytes: number): void;
  /** Bytes lent out. */
  bytes(): number;
}

const PAGE_BYTES = 65_536;
/** Address 0 stays free, so that no chunk looks like none. */
const FIRST_ADDRESS = 16;
/** Grow by at least this much: each growth makes new views. Unmeasured. */
const LEAST_GROWTH_PAGES = 16;

/** Undefined until asked for; null where WASM is refused. */
let compiled: WebAssembly.Module | null | undefined;

function compile(): WebAssembly.Module | null {
  try {
    return new WebAssembly.Module(Uint8Array.from(atob(scanBase64), (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

/** Undefined where there is no kernel. */
export function createScanArena(): ScanArena | undefined {
  compiled ??= compile();
  if (compiled === null) return undefined;
  const memory = tryMemory();
  if (memory === undefined) return undefined;
  const kernel = new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as ScanKernel;
  const free = new Map<number, number[]>();
  let end = FIRST_ADDRESS;
  let lent = 0;
  let views = viewsOf(memory);

  function growTo(bytes: number): boolean {
    const missing = Math.ceil((bytes - memory!.buffer.byteLength) / PAGE_BYTES);
    if (missing <= 0) return true;
    try {
      memory!.grow(Math.max(missing, LEAST_GROWTH_PAGES));
    } catch {
      return false;
    }
    views = viewsOf(memory!);
    return true;
  }

  return {
    kernel,
    views: () => views,
    take(bytes) {
      const size = sizeOf(bytes);
      let address = free.get(size)?.pop();
      if (address === undefined) {
        if (!growTo(end + size)) return undefined;
        address = end;
        end += size;
      }
      lent += size;
      return address;
    },
    give(address, bytes) {
      const size = sizeOf(bytes);
      const chunks = free.get(size) ?? [];
      free.set(size, chunks);
      chunks.push(address);
      lent -= size;
    },
    bytes: () => lent,
  };
}

function sizeOf(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

function tryMemory(): WebAssembly.Memory | undefined {
  try {
    return new WebAssembly.Memory({ initial: LEAST_GROWTH_PAGES });
  } catch {
    return undefined;
  }
}

function viewsOf({ buffer }: WebAssembly.Memory): ArenaViews {
  return {
    bytes: new Int8Array(buffer),
    words: new Uint32Array(buffer),
    floats: new Float32Array(buffer),
  };
}
