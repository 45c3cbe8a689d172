// Owns the kernel's rows among the backends that decode. Its code is loaded with the first model.
import { canShareMemory, countThreads } from '../kernel-rows.ts';
import type { DecoderRow } from './decoder-choice.ts';

/** More threads than this wait for memory, not for one another. */
const MOST_THREADS = 8;

/** Where memory can be shared: an isolated page's worker, Node. */
export const kernelThreadsDecoder: DecoderRow = {
  id: 'kernel-threads',
  available: () => canShareMemory() && countThreads() > 1,
  async create(model, limits) {
    const { createKernelDecoder } = await import('../kernel/decoder.ts');
    const threads = limits.threads ?? Math.min(MOST_THREADS, countThreads());
    return await createKernelDecoder(await model.weights(), model.manifest, { ...limits, threads });
  },
};

export const kernelDecoder: DecoderRow = {
  id: 'kernel',
  available: () => typeof WebAssembly === 'object',
  async create(model, limits) {
    const { createKernelDecoder } = await import('../kernel/decoder.ts');
    return await createKernelDecoder(await model.weights(), model.manifest, { ...limits, threads: 1 });
  },
};

/** For hosts that compile nothing at run time: `decoder.wasm` comes as a compiled module. */
export function compiledDecoder(module: WebAssembly.Module): DecoderRow {
  return {
    ...kernelDecoder,
    async create(model, limits) {
      const { createKernelDecoder } = await import('../kernel/decoder.ts');
      return await createKernelDecoder(await model.weights(), model.manifest, { ...limits, module });
    },
  };
}
