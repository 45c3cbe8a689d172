// What `bench -- embed` runs inside the page. Timed there, so that driving the browser costs nobody.
import { env, pipeline } from '@huggingface/transformers';
import { createBrowserEmbedder } from '../../../runtime/engine/browser.ts';
import type { BackendId } from '../../../runtime/types.ts';

export interface BenchPage {
  /** Says `opened`, or why this backend can not be measured here. */
  openOurs(backend: BackendId): Promise<string>;
  openPeer(peer: { name: string; path: string; id: string; dtype: 'fp32' | 'q8' }): Promise<string>;
  time(name: string, texts: readonly string[]): Promise<number>;
}

const runs = new Map<string, (texts: readonly string[]) => Promise<unknown>>();

const bench: BenchPage = {
  async openOurs(backend) {
    try {
      const embedder = await createBrowserEmbedder({
        manifest: '/models/all-minilm-l6-v2/manifest.json',
        fetch: (input, init) => fetch(input, init),
        store: null,
        backends: [backend],
        contenders: 1,
        ...(backend === 'ort-wasm' && { threads: 1 }),
      });
      runs.set(backend, (texts) => embedder.embed(texts));
      return 'opened';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  async openPeer({ name, path, id, dtype }) {
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.useBrowserCache = false;
    env.localModelPath = path;
    const { wasm } = env.backends.onnx;
    if (wasm === undefined) throw new Error('transformers.js has no WASM backend here.');
    // The build without WebGPU: the default one has no CPU kernel for GatherBlockQuantized, so it can not run our
    // file at all, and its asyncify slows the CPU.
    const build = new URL('/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded', location.href).href;
    wasm.wasmPaths = { mjs: `${build}.mjs`, wasm: `${build}.wasm` };
    wasm.numThreads = 1;
    try {
      const extract = await pipeline('feature-extraction', id, { dtype, device: 'wasm' });
      runs.set(name, (texts) => extract([...texts], { pooling: 'mean', normalize: true }));
      return 'opened';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  async time(name, texts) {
    const begun = performance.now();
    await runs.get(name)?.(texts);
    return performance.now() - begun;
  },
};
globalThis.nearfieldBench = bench;
