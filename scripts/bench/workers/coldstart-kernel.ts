// A worker that embeds on the kernel.
import kernelWasm from '../../../runtime/engine/kernel/kernel.wasm';
import { createWorkerdEmbedder } from '../../../runtime/engine/workerd.ts';
import { createAnswer, model } from './model.ts';

const worker: ReturnType<typeof createAnswer> = createAnswer(() =>
  createWorkerdEmbedder({ ...model, kernelWasm }),
);
export default worker;
