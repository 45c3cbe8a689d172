// The smallest worker: says what the harness promised it.
import ortWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';

export default {
  async fetch(
    _request: Request,
    env: { readonly GREETING: string; readonly LIMIT: number },
  ): Promise<Response> {
    const outside = await fetch('http://outside.test/');
    return Response.json({
      greeting: env.GREETING,
      limit: env.LIMIT,
      compiled: ortWasm instanceof WebAssembly.Module,
      outside: outside.status,
    });
  },
};
