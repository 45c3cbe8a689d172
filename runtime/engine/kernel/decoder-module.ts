// Owns what the decoder's compiled module exports; see assembly/decoder-index.ts. Pointers are byte addresses.

export interface DecoderExports {
  run(): void;
  serve(thread: number, seen: number): void;
  stop(): void;
  fail(): void;
  sweep(from: number, bytes: number): number;
  panelScratch(k: number): number;
  scoreScratch(context: number, headDims: number): number;
  quantizeRow(
    x: number,
    k: number,
    kind: number,
    codes: number,
    scales: number,
    sums: number,
    alone: number,
  ): void;
  rmsNormInto(x: number, n: number, weight: number, epsilon: number, target: number): void;
  rotate(x: number, rope: number, headDims: number): void;
  writeCache(key: number, value: number, headDims: number, half: number, slot: number): void;
  attendRow(
    query: number,
    table: number,
    offset: number,
    tokens: number,
    headDims: number,
    scale: number,
    out: number,
    scratch: number,
  ): void;
  readColumn(matrix: number, index: number, target: number): void;
  multiplyBlocks(
    matrix: number,
    codes: number,
    scales: number,
    sums: number,
    rows: number,
    target: number,
    add: number,
    first: number,
    last: number,
    scratch: number,
  ): void;
}

export function instantiateDecoder(module: WebAssembly.Module, memory: WebAssembly.Memory): DecoderExports {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return exports as unknown as DecoderExports;
}
