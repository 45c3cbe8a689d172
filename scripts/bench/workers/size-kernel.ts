// All that a worker needs to run an encoder on the kernel, and nothing of a model.

import { createKernelEncoder } from '../../../runtime/engine/kernel/index.ts';
import kernelWasm from '../../../runtime/engine/kernel/kernel.wasm';

const kept: readonly unknown[] = [createKernelEncoder, kernelWasm];
export default kept;
