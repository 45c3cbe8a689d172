// Owns an HNSW in WASM as a peer of the cache's index: hnswlib-wasm, whose package names no entry for Node and
// expects a browser's globals.
import 'fake-indexeddb/auto';

/** What is used of hnswlib-wasm's index. */
interface Hnsw {
  initIndex(most: number, links: number, efConstruction: number, seed: number): void;
  addPoint(point: Float32Array, label: number, replaceDeleted: boolean): void;
  setEfSearch(ef: number): void;
  searchKnn(query: Float32Array, count: number, filter: undefined): { readonly neighbors: readonly number[] };
}

interface Library {
  loadHnswlib(): Promise<{
    readonly HierarchicalNSW: new (space: 'cosine', dims: number, file: string) => Hnsw;
  }>;
}

/** hnswlib's own defaults (16 links, 200 while building); `ef` is how widely it searches. */
export async function openHnsw(dims: number, most: number, ef: number): Promise<Hnsw> {
  Object.assign(globalThis, { window: globalThis });
  // The library tells of its file system on the console.
  const { log } = console;
  console.log = () => undefined;
  try {
    const entry: string = 'hnswlib-wasm/dist/hnswlib.js';
    const { loadHnswlib } = (await import(entry)) as Library;
    const { HierarchicalNSW } = await loadHnswlib();
    const index = new HierarchicalNSW('cosine', dims, '');
    index.initIndex(most, 16, 200, 100);
    index.setEfSearch(ef);
    return index;
  } finally {
    console.log = log;
  }
}
