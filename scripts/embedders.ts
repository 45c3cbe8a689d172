// Owns which embedders the evaluations measure: the shipping engine, and the fp32 teacher beside it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env, pipeline } from '@huggingface/transformers';
import { createNodeEmbedder } from 'nearfield/engine/node';

/** Texts to unit vectors, each text computed once. */
export interface TextEmbedder {
  readonly model: string;
  embed(texts: readonly string[]): Promise<readonly Float32Array[]>;
  dispose(): Promise<void>;
}

const PEERS = fileURLToPath(new URL('../.nearfield/models/', import.meta.url));
const TEACHER = 'all-minilm-l6-v2-fp32';
const BATCH = 32;

/** The shipping engine on a model id or folder; the package's default when none is named. */
export async function openEngine(model: string | undefined): Promise<TextEmbedder> {
  const embedder = await createNodeEmbedder(model === undefined ? {} : { model });
  return {
    model: embedder.model,
    embed: remember(async (texts) => (await embedder.embed(texts)).embeddings),
    dispose: () => embedder.dispose(),
  };
}

/** all-MiniLM-L6-v2 in fp32 on transformers.js. @throws Error saying how to build it, where it is missing */
export async function openTeacher(): Promise<TextEmbedder> {
  if (!existsSync(join(PEERS, TEACHER, 'onnx', 'model.onnx'))) {
    throw new Error('The fp32 teacher is not built. Run: npm run models -- build all-minilm-l6-v2-peers');
  }
  env.allowRemoteModels = false;
  env.localModelPath = PEERS;
  const extract = await pipeline('feature-extraction', TEACHER, { dtype: 'fp32' });
  return {
    model: TEACHER,
    embed: remember(async (texts) => {
      const output = await extract([...texts], { pooling: 'mean', normalize: true });
      const values = Float32Array.from(output.data as Float32Array);
      const dims = output.dims.at(-1)!;
      return texts.map((_, at) => values.slice(at * dims, (at + 1) * dims));
    }),
    dispose: async () => {
      await extract.dispose();
    },
  };
}

/** Batches of like length, shortest first, each text once; returns vectors in the order asked. */
function remember(
  run: (texts: readonly string[]) => Promise<readonly Float32Array[]>,
): (texts: readonly string[]) => Promise<readonly Float32Array[]> {
  const kept = new Map<string, Float32Array>();
  return async (texts) => {
    const missing = [...new Set(texts)].filter((text) => !kept.has(text)).sort((a, b) => a.length - b.length);
    for (let start = 0; start < missing.length; start += BATCH) {
      const part = missing.slice(start, start + BATCH);
      const vectors = await run(part);
      for (const [at, text] of part.entries()) kept.set(text, vectors[at]!);
    }
    return texts.map((text) => kept.get(text)!);
  };
}

/** The engine's embedder, then the teacher's where asked; each is closed after `use`. */
export async function eachEmbedder(
  options: { readonly model?: string; readonly teacher?: boolean },
  use: (embedder: TextEmbedder) => Promise<void>,
): Promise<void> {
  const openers = [() => openEngine(options.model), ...(options.teacher ? [openTeacher] : [])];
  for (const open of openers) {
    const embedder = await open();
    try {
      await use(embedder);
    } finally {
      await embedder.dispose();
    }
  }
}
