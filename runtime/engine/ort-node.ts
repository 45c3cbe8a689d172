// Owns the ort-wasm row for Node: onnxruntime-web's own WASM from the package's folder, no native addon.
import { cpus } from 'node:os';
import type { BackendFactory } from './backend.ts';
import { createOrtEncoder } from './ort.ts';

export const ortWasmNode: BackendFactory = {
  id: 'ort-wasm',
  batchTokens: 1024,
  available: () => typeof WebAssembly === 'object',
  async create(model, { threads }) {
    const ort = await import('onnxruntime-web');
    // Global to the module and read once, at the first session: later values change nothing.
    ort.env.wasm.numThreads = threads ?? Math.min(4, cpus().length);
    return await createOrtEncoder(ort, model.file('weights'), model.manifest, { backend: 'ort-wasm' });
  },
};
