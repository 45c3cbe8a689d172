// One contender of `bench -- decode` in a worker of its own: our kernel, or transformers.js. Timed here, so that
// driving the browser costs nobody. Both are driven step by step, with the likeliest token as the next.
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import type { Decoder } from '../../../runtime/engine/generation/types.ts';
import { createKernelDecoder } from '../../../runtime/engine/kernel/decoder.ts';
import { instantiateDecoder } from '../../../runtime/engine/kernel/decoder-module.ts';
import { compileKernel } from '../../../runtime/engine/kernel/module.ts';
import type { Manifest } from '../../../runtime/models.ts';

export type DecodeTask =
  | { readonly kind: 'ours'; readonly folder: string; readonly threads: number; readonly context: number }
  | {
      readonly kind: 'transformers';
      readonly folder: string;
      readonly id: string;
      readonly dtype: 'fp32' | 'q8' | 'q4';
      readonly threads: number;
    }
  | { readonly kind: 'sweep'; readonly bytes: number };

export interface DecodeTiming {
  /** All of the prompt, to its last row's logits. */
  readonly prefillMs: number;
  readonly stepMs: readonly number[];
  /** What was decoded: contenders with the same weights mostly agree. */
  readonly ids: readonly number[];
}

export type DecodeAsk =
  | { readonly ask: 'open'; readonly task: DecodeTask }
  | { readonly ask: 'run'; readonly prompt: readonly number[]; readonly steps: number };

type Run = (prompt: readonly number[], steps: number) => Promise<DecodeTiming>;

/** Appends ids, answers with the last row's logits. */
type Step = (ids: readonly number[]) => Promise<ArrayLike<number>>;

let run: Run | undefined;

self.addEventListener('message', async ({ data }: MessageEvent<DecodeAsk>) => {
  try {
    if (data.ask === 'open') {
      run = await open(data.task);
      self.postMessage({ ok: 'opened' });
    } else {
      self.postMessage({ ok: await run?.(data.prompt, data.steps) });
    }
  } catch (error) {
    self.postMessage({ failed: error instanceof Error ? error.message : String(error) });
  }
});

async function open(task: DecodeTask): Promise<Run> {
  if (task.kind === 'sweep') return await openSweep(task.bytes);
  if (task.kind === 'ours') return await openOurs(task);
  return await openTransformers(task);
}

async function timed(step: Step, prompt: readonly number[], steps: number): Promise<DecodeTiming> {
  const begun = performance.now();
  let logits = await step(prompt);
  const prefillMs = performance.now() - begun;
  const stepMs: number[] = [];
  const ids: number[] = [];
  for (let at = 0; at < steps; at += 1) {
    const id = likeliest(logits);
    ids.push(id);
    const from = performance.now();
    logits = await step([id]);
    stepMs.push(performance.now() - from);
  }
  return { prefillMs, stepMs, ids };
}

function likeliest(logits: ArrayLike<number>): number {
  let best = 0;
  for (let id = 1; id < logits.length; id += 1) if (logits[id]! > logits[best]!) best = id;
  return best;
}

async function openOurs({ folder, threads, context }: DecodeTask & { readonly kind: 'ours' }): Promise<Run> {
  const manifest: Manifest = await (await fetch(`${folder}/manifest.json`)).json();
  const { body } = await fetch(`${folder}/model.safetensors`);
  const decoder: Decoder = await createKernelDecoder(partsOf(body!), manifest, { threads, context });
  return async (prompt, steps) => {
    const sequence = decoder.open();
    try {
      const step: Step = async (tokens) =>
        (await decoder.forward([{ sequence, tokens, logits: 'last' }]))[0]!;
      return await timed(step, prompt, steps);
    } finally {
      sequence.close();
    }
  };
}

async function* partsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

async function openTransformers(task: DecodeTask & { readonly kind: 'transformers' }): Promise<Run> {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.localModelPath = task.folder;
  const { wasm } = env.backends.onnx;
  if (wasm === undefined) throw new Error('transformers.js has no WASM backend here.');
  // The build without WebGPU: the default one's asyncify slows the CPU.
  const build = new URL('/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded', location.href).href;
  wasm.wasmPaths = { mjs: `${build}.mjs`, wasm: `${build}.wasm` };
  wasm.numThreads = task.threads;
  const { id, dtype } = task;
  const model = await AutoModelForCausalLM.from_pretrained(id, { dtype, device: 'wasm' });
  return async (prompt, steps) => {
    let past: unknown = null;
    let length = 0;
    const step: Step = async (tokens) => {
      length += tokens.length;
      const output = await model.forward({
        input_ids: integers(tokens),
        attention_mask: integers(new Array<number>(length).fill(1)),
        past_key_values: past,
      });
      past = Object.fromEntries(
        Object.entries(output)
          .filter(([name]) => name.startsWith('present'))
          .map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
      );
      return (output as { logits: { data: Float32Array } }).logits.data;
    };
    return await timed(step, prompt, steps);
  };
}

const integers = (values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);

/** Reads so many bytes once a step. */
async function openSweep(bytes: number): Promise<Run> {
  const pages = Math.ceil(bytes / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  new Uint8Array(memory.buffer).fill(1);
  const kernel = instantiateDecoder(await compileKernel(false, undefined, 'decoder'), memory);
  return async (_, steps) => {
    const stepMs = Array.from({ length: steps }, () => {
      const from = performance.now();
      kernel.sweep(65536, bytes);
      return performance.now() - from;
    });
    return { prefillMs: 0, stepMs, ids: [] };
  };
}
