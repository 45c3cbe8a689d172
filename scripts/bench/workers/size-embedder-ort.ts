// The whole embedder in workerd on ONNX Runtime.
import ortWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import { createWorkerdEmbedder } from '../../../runtime/engine/workerd.ts';

const kept: readonly unknown[] = [createWorkerdEmbedder, ortWasm];
export default kept;
