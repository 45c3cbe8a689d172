// A worker that embeds what it is posted, for the workerd test: { texts } in, { backend, embeddings, ms } out.
import ortWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm';
import golden from '../../models/all-minilm-l6-v2/golden.json' with { type: 'json' };
import manifest from '../../models/all-minilm-l6-v2/manifest.json' with { type: 'json' };
import weights from '../../models/all-minilm-l6-v2/onnx/model.onnx';
import tokenizer from '../../models/all-minilm-l6-v2/tokenizer.json' with { type: 'json' };
import { isNearfieldError } from '../errors.ts';
import type { Embedder } from '../types.ts';
import { createWorkerdEmbedder } from './workerd.ts';

const good = {
  manifest,
  weights,
  tokenizerJson: JSON.stringify(tokenizer),
  golden: JSON.stringify(golden),
  ortWasm,
};

let embedder: Promise<Embedder> | undefined;

export default {
  async fetch(request: Request): Promise<Response> {
    const { texts, broken } = (await request.json()) as { texts: string[]; broken?: boolean };
    try {
      if (broken) {
        const failing = await createWorkerdEmbedder({ ...good, weights: new Uint8Array(1000).fill(7) });
        await failing.embed(texts);
      }
      embedder ??= createWorkerdEmbedder(good);
      const ready = await embedder;
      const { embeddings, tokens } = await ready.embed(texts);
      return Response.json({
        backend: ready.backend(),
        tokens,
        embeddings: embeddings.map((row) => [...row]),
      });
    } catch (error) {
      return Response.json({ code: isNearfieldError(error) ? error.code : String(error) }, { status: 500 });
    }
  },
};
