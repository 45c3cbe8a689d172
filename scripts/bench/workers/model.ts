// The model as the cold-start workers carry it, and their one way of answering.
import golden from '../../../models/all-minilm-l6-v2/golden.json' with { type: 'json' };
import manifest from '../../../models/all-minilm-l6-v2/manifest.json' with { type: 'json' };
import weights from '../../../models/all-minilm-l6-v2/onnx/model.onnx';
import tokenizer from '../../../models/all-minilm-l6-v2/tokenizer.json' with { type: 'json' };
import type { WorkerdEmbedderOptions } from '../../../runtime/engine/workerd.ts';
import type { Embedder } from '../../../runtime/types.ts';

export const model: Omit<WorkerdEmbedderOptions, 'ortWasm'> = {
  manifest,
  weights,
  tokenizerJson: JSON.stringify(tokenizer),
  golden: JSON.stringify(golden),
};

/** A worker that opens its embedder at the first request and says who answered. */
export function createAnswer(open: () => Promise<Embedder>): { fetch(request: Request): Promise<Response> } {
  let embedder: Promise<Embedder> | undefined;
  return {
    async fetch(request) {
      embedder ??= open();
      const ready = await embedder;
      const { embeddings } = await ready.embed([await request.text()]);
      return Response.json({ backend: ready.backend(), dims: embeddings[0]?.length });
    },
  };
}
