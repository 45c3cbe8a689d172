// Owns the rows among which a browser's worker chooses its decoder: a GPU through ONNX Runtime, and the kernel.
import { NearfieldError } from '../../errors.ts';
import { shapeOf } from '../kernel/decoder-weights.ts';
import { openOrtGpu, ortWebGpuBrowser } from '../ort-browser.ts';
import type { DecoderRow } from './decoder-choice.ts';
import { kernelDecoder, kernelThreadsDecoder } from './decoder-rows.ts';
import { createOrtDecoder } from './ort-decoder.ts';
import { readOrtWeights } from './ort-weights.ts';

/** Buffers of keys and values are made whole on the GPU: 94 MB a conversation for SmolLM2-135M at this length. */
const GPU_CONTEXT = 2048;

export const ortWebGpuDecoder: DecoderRow = {
  id: 'ort-webgpu',
  available: ortWebGpuBrowser.available,
  async create(model, { context = GPU_CONTEXT, cacheBytes, signal }) {
    const shape = shapeOf(model.manifest, context);
    const { ort, device } = await openOrtGpu();
    const lost = device.lost.then((info) => {
      throw new NearfieldError('device-lost', `The GPU device was lost (${info.reason}).`);
    });
    // Only raced against; nobody else would hear of it.
    lost.catch(() => undefined);
    const tensors = await readOrtWeights(await model.weights(), shape, shape.context);
    signal?.throwIfAborted();
    return await createOrtDecoder(ort, shape, tensors, { device, lost, context: shape.context, cacheBytes });
  },
};

/** Best first, before anything was timed. */
export const browserDecoders: readonly DecoderRow[] = Object.freeze([
  ortWebGpuDecoder,
  kernelThreadsDecoder,
  kernelDecoder,
]);
