// Owns the ort-wasm row for Node: onnxruntime-web's own WASM from the package's folder, no native addon.
import { availableParallelism } from 'node:os';
import type { BackendFactory } from './backend.ts';
import { createOrtEncoder } from './ort.ts';

const MAX_THREADS = 4;

export const ortWasmNode: BackendFactory = {
  id: 'ort-wasm',
  batchTokens: 1024,
  available: () => typeof WebAssembly === 'object',
  create: (model, { threads }) =>
    withoutTraces(async () => {
      const ort = await import('onnxruntime-web');
      // Global to the module and read once, at the first session: later values change nothing.
      ort.env.wasm.numThreads = threads ?? Math.min(MAX_THREADS, availableParallelism());
      return await createOrtEncoder(ort, model.file('weights'), model.manifest, { backend: 'ort-wasm' });
    }),
};

/** Its glue puts Node's Worker on globalThis, and whoever looks for a browser's Worker then takes it for one. */
async function withoutTraces<T>(work: () => Promise<T>): Promise<T> {
  const had = 'Worker' in globalThis;
  try {
    return await work();
  } finally {
    if (!had) Reflect.deleteProperty(globalThis, 'Worker');
  }
}
