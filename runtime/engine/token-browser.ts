// Owns a token encoder on a page: files by the app's fetch, kept by its store; the model in a worker of its
// own on one thread, so that neither the page nor the embedder waits for it.
import { createIndexedDbStore } from '../model-files/indexeddb.ts';
import { type FileRole, type LoadedModel, loadModel } from '../models.ts';
import type { TokenEncoder } from '../types.ts';
import type { BrowserEmbedderOptions } from './browser.ts';
import { openWorkerEngine, type WorkerEngine } from './worker-client.ts';

export type BrowserTokenEncoderOptions = Pick<
  BrowserEmbedderOptions,
  'fetch' | 'store' | 'createWorker' | 'signal' | 'onProgress'
> & {
  /** URL of a manifest.json. */
  readonly manifest: string | URL;
};

/** Loads a model and opens it in a worker. A worker that died is started again at the next run. */
export async function createBrowserTokenEncoder(options: BrowserTokenEncoderOptions): Promise<TokenEncoder> {
  const store = options.store === null ? undefined : (options.store ?? createIndexedDbStore());
  const { fetch, signal, onProgress } = options;
  const manifest = new URL(options.manifest, location.href);
  const model = await loadModel({ manifest, fetch, store, signal, onProgress });
  const engines = createEngines(model, options.createWorker ?? defaultWorker);
  await engines.get();
  return {
    model: model.manifest.id,
    weightsHash: model.weightsHash,
    dims: model.manifest.dims,
    maxTokens: model.manifest.maxTokens,
    backend: () => 'kernel',
    file: (role: FileRole) => model.file(role),
    async run(input, call = {}) {
      const engine = await engines.get();
      try {
        return await engine.run(input, call);
      } catch (error) {
        if (!call.signal?.aborted) engines.drop(engine);
        throw error;
      }
    },
    dispose: async () => engines.end(),
  };
}

interface Engines {
  get(): Promise<WorkerEngine>;
  drop(engine: WorkerEngine): void;
  end(): void;
}

/** The model's bytes stay here, a few megabytes, so that a lost worker costs no download. */
function createEngines(model: LoadedModel, createWorker: () => Worker): Engines {
  let opening: Promise<WorkerEngine> | undefined;
  let held: WorkerEngine | undefined;
  return {
    get() {
      opening ??= openWorkerEngine({ createWorker, backend: 'kernel', model, copy: true }).then(
        (engine) => {
          held = engine;
          return engine;
        },
        (error) => {
          opening = undefined;
          throw error;
        },
      );
      return opening;
    },
    drop(engine) {
      engine.terminate();
      if (held === engine) opening = held = undefined;
    },
    end() {
      held?.terminate();
      opening = held = undefined;
    },
  };
}

function defaultWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'nearfield-tagger' });
}
