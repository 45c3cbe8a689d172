// The engine worker's entry in a browser: `new Worker(new URL('nearfield/engine/worker', import.meta.url))`.
import type { BackendFactory } from './backend.ts';
import { kernel, kernelThreads } from './kernel-rows.ts';
import { ortWasmBrowser, ortWebGpuBrowser } from './ort-browser.ts';
import { serveEngine, type WorkerPort } from './serve.ts';

/** Rows a browser's worker has, best first. */
export const browserBackends: readonly BackendFactory[] = Object.freeze([
  ortWebGpuBrowser,
  kernelThreads,
  kernel,
  ortWasmBrowser,
]);

// A backend's own threads may be started from this very script.
if (!self.name.startsWith('em-pthread')) {
  serveEngine(self as unknown as WorkerPort, browserBackends);
}
