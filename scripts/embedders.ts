// Owns which embedders the evaluations measure: the shipping engine, and the fp32 teacher beside it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env, pipeline } from '@huggingface/transformers';
import type { Embedder } from 'nearfield';
import { createNodeEmbedder } from 'nearfield/engine/node';
import { type EvalReport, printEval } from './report.ts';

/** Texts to unit vectors, each text computed once. */
export interface TextEmbedder {
  readonly model: string;
  embed(texts: readonly string[]): Promise<readonly Float32Array[]>;
  dispose(): Promise<void>;
}

const PEERS = fileURLToPath(new URL('../.nearfield/models/', import.meta.url));
const TEACHER = 'all-minilm-l6-v2-fp32';
const TEACHER_HINT = 'The fp32 teacher is not built. Run: npm run models -- build all-minilm-l6-v2-peers';
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

function hasTeacher(): boolean {
  return existsSync(join(PEERS, TEACHER, 'onnx', 'model.onnx'));
}

/** all-MiniLM-L6-v2 in fp32 on transformers.js. @throws Error saying how to build it, where it is missing */
export async function openTeacher(): Promise<TextEmbedder> {
  if (!hasTeacher()) throw new Error(TEACHER_HINT);
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

/** As the product's own parts want it. */
export function asEmbedder(embedder: TextEmbedder): Embedder {
  return {
    model: embedder.model,
    weightsHash: '0'.repeat(64),
    dims: 384,
    maxTokens: 256,
    backend: () => 'evaluation',
    embed: async (texts) => ({ embeddings: await embedder.embed(texts), tokens: 0 }),
    dispose: () => embedder.dispose(),
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

/**
 * Measures the engine's embedder, and the teacher's beside it where it is built, and prints one report: the
 * teacher's metrics under `teacher_…`, ours over the teacher's under `of_teacher_…`.
 */
export async function evaluateEmbedders(
  options: { readonly model?: string; readonly teacher?: boolean; readonly json?: boolean },
  measure: (embedder: TextEmbedder) => Promise<EvalReport>,
): Promise<void> {
  const ours = await measureOne(() => openEngine(options.model), measure);
  const wanted = options.teacher ?? hasTeacher();
  if (!wanted && options.teacher === undefined) console.log(TEACHER_HINT);
  const teacher = wanted ? await measureOne(openTeacher, measure) : undefined;
  printEval(teacher === undefined ? ours : beside(ours, teacher), options.json ?? false);
}

async function measureOne(
  open: () => Promise<TextEmbedder>,
  measure: (embedder: TextEmbedder) => Promise<EvalReport>,
): Promise<EvalReport> {
  const embedder = await open();
  try {
    return await measure(embedder);
  } finally {
    await embedder.dispose();
  }
}

function beside(ours: EvalReport, teacher: EvalReport): EvalReport {
  const rename = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`teacher_${name}`, value]));
  const shares = Object.entries(ours.metrics).map(([name, value]) => [
    `of_teacher_${name}`,
    value / teacher.metrics[name]!,
  ]);
  return {
    ...ours,
    metrics: { ...ours.metrics, ...rename(teacher.metrics), ...Object.fromEntries(shares) },
    ci95: { ...ours.ci95, ...rename(teacher.ci95) },
  };
}
