// Owns the rows of the INT8 kernel: alone on one thread anywhere, with helpers where memory can be shared.
// The kernel's code is loaded at the first session, so that a page that never needs it never has it.
import type { BackendFactory } from './backend.ts';

/** More helpers than this have nothing to do in encoders this small. */
const MAX_THREADS = 8;

export const kernelThreads: BackendFactory = {
  id: 'kernel-threads',
  batchTokens: 1024,
  available: () => canShareMemory() && countThreads() > 1,
  async create(model, { threads }) {
    const { createKernelEncoder } = await import('./kernel/index.ts');
    return await createKernelEncoder(model.file('weights'), model.manifest, {
      threads: threads ?? Math.min(MAX_THREADS, countThreads()),
    });
  },
};

export const kernel: BackendFactory = {
  id: 'kernel',
  batchTokens: 512,
  available: () => typeof WebAssembly === 'object',
  async create(model) {
    const { createKernelEncoder } = await import('./kernel/index.ts');
    return await createKernelEncoder(model.file('weights'), model.manifest);
  },
};

/** For hosts that compile nothing at run time: the kernel's .wasm comes as a compiled module. */
export function kernelCompiled(module: WebAssembly.Module): BackendFactory {
  return {
    ...kernel,
    async create(model) {
      const { createKernelEncoder } = await import('./kernel/index.ts');
      return await createKernelEncoder(model.file('weights'), model.manifest, { module });
    },
  };
}

/** Node always may; a page only where it is cross-origin isolated. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return !('crossOriginIsolated' in globalThis) || globalThis.crossOriginIsolated;
}

export function countThreads(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 1;
}
