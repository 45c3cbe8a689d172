// Owns the ort-wasm row for workerd and its like, where code may not be compiled from bytes: the .wasm
// comes as a compiled module and ONNX Runtime is made to instantiate that.
import { NearfieldError } from '../errors.ts';
import type { BackendFactory } from './backend.ts';
import { createOrtEncoder, type OrtModule } from './ort.ts';

/** A row that runs the given compiled `ort-wasm-simd-threaded.wasm`, on one thread. */
export function ortWasmCompiled(compiled: WebAssembly.Module): BackendFactory {
  let loading: Promise<OrtModule> | undefined;
  return {
    id: 'ort-wasm',
    batchTokens: 1024,
    available: () => true,
    async create(model) {
      loading ??= import('onnxruntime-web/wasm').then((ort) => {
        ort.env.wasm.numThreads = 1;
        ort.env.wasm.proxy = false;
        // Never read: its presence keeps ONNX Runtime from fetching, and marks the call to answer.
        ort.env.wasm.wasmBinary = DUMMY;
        return ort;
      });
      const ort = await loading;
      return await withCompiled(compiled, () =>
        createOrtEncoder(ort, model.file('weights'), model.manifest, { backend: 'ort-wasm' }),
      );
    },
  };
}

const DUMMY = new Uint8Array(8);

/**
 * While `work` runs, `WebAssembly.instantiate` of the dummy bytes gives an instance of the compiled module.
 * Any other call goes through untouched.
 */
async function withCompiled<T>(compiled: WebAssembly.Module, work: () => Promise<T>): Promise<T> {
  const original = WebAssembly.instantiate;
  const replaced = async (source: unknown, imports?: WebAssembly.Imports): Promise<unknown> => {
    if (source instanceof WebAssembly.Module || !isDummy(source)) {
      return await original(source as WebAssembly.Module, imports);
    }
    return { module: compiled, instance: await original(compiled, imports) };
  };
  try {
    WebAssembly.instantiate = replaced as typeof WebAssembly.instantiate;
    return await work();
  } catch (error) {
    if (error instanceof TypeError && /read.?only|assign/i.test(error.message)) {
      throw new NearfieldError('backend-unavailable', 'WebAssembly.instantiate can not be wrapped here.', {
        cause: error,
      });
    }
    throw error;
  } finally {
    WebAssembly.instantiate = original;
  }
}

function isDummy(source: unknown): boolean {
  if (source instanceof ArrayBuffer) return source.byteLength === DUMMY.byteLength;
  return ArrayBuffer.isView(source) && source.byteLength === DUMMY.byteLength;
}
