// Owns the ONNX Runtime rows for a browser's worker: which build, whose files, how many threads. The .wasm
// and .mjs come from the app's own bundle; left alone, ONNX Runtime would ask a CDN.
import jspiMjs from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url';
import jspiWasm from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url';
import wasmMjs from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { NearfieldError } from '../errors.ts';
import type { BackendFactory } from './backend.ts';
import { createOrtEncoder } from './ort.ts';

/** More threads than this have not paid for encoders this small (ONNX Runtime's own default is 4 too). */
const MAX_THREADS = 4;

export const ortWasmBrowser: BackendFactory = {
  id: 'ort-wasm',
  batchTokens: 1024,
  available: () => typeof WebAssembly === 'object',
  async create(model, { threads }) {
    const ort = await import('onnxruntime-web/wasm');
    ort.env.wasm.wasmPaths = { wasm: absolute(wasmWasm), mjs: absolute(wasmMjs) };
    ort.env.wasm.numThreads = crossOriginIsolated
      ? (threads ?? Math.min(MAX_THREADS, navigator.hardwareConcurrency))
      : 1;
    return await createOrtEncoder(ort, model.file('weights'), model.manifest, { backend: 'ort-wasm' });
  },
};

/**
 * The JSPI build: 16.8 MB against 26.9 MB for the asyncify one, which would also pass the 25 MiB that static
 * hosts allow. Every browser with WebGPU in a worker that lacks JSPI takes the next rung.
 */
export const ortWebGpuBrowser: BackendFactory = {
  id: 'ort-webgpu',
  batchTokens: 4096,
  available: () => 'gpu' in navigator && 'Suspending' in WebAssembly,
  async create(model) {
    const { ort, device } = await openOrtGpu();
    return await createOrtEncoder(ort, model.file('weights'), model.manifest, {
      backend: 'ort-webgpu',
      device,
      lost: device.lost.then((info) => {
        throw new NearfieldError('device-lost', `The GPU device was lost (${info.reason}).`);
      }),
    });
  },
};

/** ONNX Runtime's module for WebGPU on a device of ours. @throws backend-unavailable */
export async function openOrtGpu(): Promise<{
  readonly ort: typeof import('onnxruntime-web/jspi');
  readonly device: GPUDevice;
}> {
  const ort = await import('onnxruntime-web/jspi');
  ort.env.wasm.wasmPaths = { wasm: absolute(jspiWasm), mjs: absolute(jspiMjs) };
  ort.env.wasm.numThreads = 1;
  return { ort, device: await openDevice() };
}

/** Our own device, so that its loss is seen by us and not by chance. */
async function openDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new NearfieldError('backend-unavailable', 'The browser gave no GPU adapter.');
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = adapter.limits;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = adapter.limits;
  const { maxStorageBuffersPerShaderStage } = adapter.limits;
  const features: GPUFeatureName[] = ['shader-f16', 'subgroups'];
  return await adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
    requiredLimits: {
      maxBufferSize,
      maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX,
      maxStorageBuffersPerShaderStage,
    },
  });
}

/** A bundler gives a path; a worker made from a blob could not resolve it later. */
function absolute(url: string): string {
  return new URL(url, import.meta.url).href;
}
