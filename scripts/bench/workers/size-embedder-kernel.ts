// The whole embedder in workerd on the kernel: tokenizer, batching, choice of backend; nothing of a model.
import kernelWasm from '../../../runtime/engine/kernel/kernel.wasm';
import { createWorkerdEmbedder } from '../../../runtime/engine/workerd.ts';

const kept: readonly unknown[] = [createWorkerdEmbedder, kernelWasm];
export default kept;
