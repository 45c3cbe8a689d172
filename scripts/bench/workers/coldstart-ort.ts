// The same worker on ONNX Runtime's WASM.
import ortWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { createWorkerdEmbedder } from '../../../runtime/engine/workerd.ts';
import { createAnswer, model } from './model.ts';

const worker: ReturnType<typeof createAnswer> = createAnswer(() =>
  createWorkerdEmbedder({ ...model, ortWasm }),
);
export default worker;
