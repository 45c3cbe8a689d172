// What `bench -- decode` runs inside the page: contenders in workers of their own, and wllama, which brings its own.
import type { DecodeAsk, DecodeTask, DecodeTiming } from './decode-worker.ts';

export type PageTask =
  | DecodeTask
  | { readonly kind: 'wllama'; readonly url: string; readonly threads: number };

export interface DecodePage {
  /** Says `opened`, or why this contender can not be measured here. */
  open(name: string, task: PageTask): Promise<string>;
  run(name: string, prompt: readonly number[], text: string, steps: number): Promise<DecodeTiming>;
  close(name: string): Promise<void>;
}

interface Contender {
  run(prompt: readonly number[], text: string, steps: number): Promise<DecodeTiming>;
  close(): Promise<void>;
}

/** The part used here; the package's declarations do not resolve under this project's module rules. */
interface Wllama {
  loadModel(blobs: readonly Blob[], options: Readonly<Record<string, number>>): Promise<void>;
  createCompletion(options: Readonly<Record<string, unknown>>): Promise<{
    readonly timings?: {
      readonly prompt_n: number;
      readonly prompt_ms: number;
      readonly predicted_n: number;
      readonly predicted_ms: number;
    };
  }>;
  exit(): Promise<void>;
}
interface WllamaModule {
  readonly Wllama: new (
    paths: { readonly default: string },
    config: { readonly suppressNativeLog: boolean },
  ) => Wllama;
}
const WLLAMA = '/node_modules/@wllama/wllama/esm';

const contenders = new Map<string, Contender>();

const bench: DecodePage = {
  async open(name, task) {
    try {
      contenders.set(name, task.kind === 'wllama' ? await openWllama(task) : await openWorker(task));
      return 'opened';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  },
  run: (name, prompt, text, steps) => contenders.get(name)!.run(prompt, text, steps),
  async close(name) {
    await contenders.get(name)?.close();
    contenders.delete(name);
  },
};
globalThis.nearfieldDecode = bench;

async function openWorker(task: DecodeTask): Promise<Contender> {
  const worker = new Worker(new URL('./decode-worker.ts', import.meta.url), { type: 'module' });
  const ask = <T>(question: DecodeAsk): Promise<T> =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) =>
        'failed' in data ? reject(new Error(data.failed)) : resolve(data.ok as T);
      worker.onerror = (event) => reject(new Error(event.message || 'the worker failed'));
      worker.postMessage(question);
    });
  await ask({ ask: 'open', task });
  return {
    run: (prompt, _, steps) => ask<DecodeTiming>({ ask: 'run', prompt, steps }),
    close: async () => worker.terminate(),
  };
}

async function openWllama({ url, threads }: PageTask & { readonly kind: 'wllama' }): Promise<Contender> {
  const { Wllama } = (await import(/* @vite-ignore */ `${WLLAMA}/index.js`)) as WllamaModule;
  const wllama = new Wllama({ default: `${WLLAMA}/wasm/wllama.wasm` }, { suppressNativeLog: true });
  const blob = await (await fetch(url)).blob();
  await wllama.loadModel([blob], { n_ctx: 2048, n_threads: threads, n_gpu_layers: 0, n_parallel: 1 });
  return {
    async run(_, text, steps) {
      // llama.cpp's own clock: what its wrapper takes is left out, in its favour.
      const { timings } = await wllama.createCompletion({
        prompt: text,
        max_tokens: steps,
        temperature: 0,
        cache_prompt: false,
        ignore_eos: true,
      });
      if (timings === undefined) throw new Error('wllama gave no timings.');
      const step = timings.predicted_ms / timings.predicted_n;
      return {
        prefillMs: timings.prompt_ms,
        stepMs: new Array<number>(steps).fill(step),
        ids: [timings.prompt_n],
      };
    },
    close: () => wllama.exit(),
  };
}
