// Owns the embedder on a page: files by the app's fetch, kept by its store; the model in a dedicated
// worker, one for each backend tried, ended when left. The page itself computes nothing.
import { createIndexedDbStore } from '../model-files/indexeddb.ts';
import { type LoadEvent, type LoadedModel, loadModel, type Manifest, type ModelStore } from '../models.ts';
import type { BackendId, Embedder, GuardedFetch } from '../types.ts';
import { BACKEND_ORDER } from './backend.ts';
import { choicesIn } from './choices.ts';
import type { AskGuard } from './guard/ask.ts';
import { openGuardInWorker } from './guard/in-worker.ts';
import type { MemoryBudget } from './memory.ts';
import { type ChoiceStore, createLadder, type OpenRung, type Rung } from './session.ts';
import { openWorkerEngine, type WorkerEngine } from './worker-client.ts';

export { createIndexedDbStore } from '../model-files/indexeddb.ts';
export { createMemoryStore } from '../model-files/memory.ts';

export interface BrowserEmbedderOptions {
  /** URL of a manifest.json, or a manifest with `baseUrl`. */
  readonly manifest: string | URL | Manifest;
  readonly baseUrl?: string | URL | undefined;
  /** The app's guarded fetch. The worker itself fetches only its own script and ONNX Runtime's files. */
  readonly fetch: GuardedFetch;
  /** Where verified files stay. Default IndexedDB; null keeps nothing. */
  readonly store?: ModelStore | null | undefined;
  /** Default: the package's own worker entry. */
  readonly createWorker?: (() => Worker) | undefined;
  /** Backends that may be used. Default: all that the platform has. */
  readonly backends?: readonly BackendId[] | undefined;
  readonly threads?: number | undefined;
  /** Where the choice of backend is remembered. Default: in the store. */
  readonly choices?: ChoiceStore | undefined;
  /** Front runners timed against each other at the first start. Default 2; 1 takes the best listed. */
  readonly contenders?: number | undefined;
  readonly memoryBudget?: MemoryBudget | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
  /** Let WebGPU run on a software adapter: right, and many times slower than WASM. Default false. */
  readonly softwareGpu?: boolean | undefined;
  /** A backend not open by then is left for the next. Default 60 s. */
  readonly openTimeoutMs?: number | undefined;
  /** Told of each backend left and why. */
  readonly onFall?: ((from: string, error: unknown) => void) | undefined;
}

/**
 * Loads a model and opens it in a worker. Resolves when the first text can be answered.
 * @throws integrity-mismatch, model-not-found, model-load-failed, backend-unavailable, golden-mismatch, AbortError
 */
export async function createBrowserEmbedder(options: BrowserEmbedderOptions): Promise<Embedder> {
  const store = options.store === null ? undefined : (options.store ?? createIndexedDbStore());
  const source = await createModelSource(options, store);
  const { manifest, weightsHash } = source;
  const ladder = createLadder<WorkerEngine>({
    rungs: browserRungs(options, source),
    choiceKey: `${await describeDevice()}/${weightsHash}`,
    choices: options.choices ?? (store && choicesIn(store)),
    contenders: options.contenders,
    onFall: options.onFall,
    openTimeoutMs: options.openTimeoutMs,
    memory: options.memoryBudget && { budget: options.memoryBudget, bytes: source.bytes },
  });
  try {
    await ladder.warm(options.signal);
  } catch (error) {
    await ladder.dispose();
    throw error;
  }
  return {
    model: manifest.id,
    weightsHash,
    dims: manifest.dims,
    maxTokens: manifest.maxTokens,
    backend: () => ladder.backend() ?? 'none',
    async embed(texts, { signal, scope } = {}) {
      const answer = await ladder.use((engine) => engine.embed(texts, { scope, signal }), signal);
      const { dims } = manifest;
      const embeddings = texts.map((_, at) => answer.values.slice(at * dims, (at + 1) * dims));
      return { embeddings, tokens: answer.tokens };
    },
    dispose: () => ladder.dispose(),
  };
}

/**
 * The guard of a cache: does a kept question ask the same as a new one? In a worker of its own; opens at the first
 * question. A model that cannot be loaded, and a worker that cannot be had, hangs or is lost, fail questions, never
 * the start. The cache it is handed to disposes of it when that is closed, as the runtime's close does.
 */
export function createBrowserGuard(
  options: Pick<
    BrowserEmbedderOptions,
    'manifest' | 'baseUrl' | 'fetch' | 'store' | 'onProgress' | 'createWorker'
  > & {
    /** A question that waits longer fails. Default 5 s. */
    readonly waitMs?: number | undefined;
  },
): AskGuard {
  const store = options.store === null ? undefined : (options.store ?? createIndexedDbStore());
  const { fetch, onProgress, createWorker = guardWorker, waitMs } = options;
  const load = (signal: AbortSignal) => loadModel({ ...pick(options), fetch, store, signal, onProgress });
  return openGuardInWorker({ load, createWorker, waitMs });
}

/** What each backend asks of the platform; the page asks, so that no worker is started for nothing. */
const PLATFORM: Readonly<Record<BackendId, (options: BrowserEmbedderOptions) => boolean | Promise<boolean>>> =
  Object.freeze({
    'ort-webgpu': async (options) => {
      if (!('Suspending' in WebAssembly)) return false;
      const adapter = await findAdapter();
      return adapter !== null && (options.softwareGpu === true || !adapter.info.isFallbackAdapter);
    },
    'kernel-threads': () => crossOriginIsolated && navigator.hardwareConcurrency > 1,
    kernel: () => true,
    'ort-wasm': () => true,
  });

async function findAdapter(): Promise<GPUAdapter | null> {
  return 'gpu' in navigator ? await navigator.gpu.requestAdapter().catch(() => null) : null;
}

function browserRungs(options: BrowserEmbedderOptions, source: ModelSource): readonly Rung<WorkerEngine>[] {
  const createWorker = options.createWorker ?? defaultWorker;
  return (options.backends ?? BACKEND_ORDER).map((id) => ({
    id,
    available: () => PLATFORM[id](options),
    async open(): Promise<OpenRung<WorkerEngine>> {
      const { model, copy } = await source.take();
      const { threads } = options;
      const engine = await openWorkerEngine({ createWorker, backend: id, model, threads, copy });
      return { value: engine, time: () => engine.time(), dispose: async () => engine.terminate() };
    },
  }));
}

function defaultWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'nearfield-engine' });
}

function guardWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'nearfield-guard' });
}

interface ModelSource {
  readonly manifest: Manifest;
  readonly weightsHash: string;
  /** Size of the weights. */
  readonly bytes: number;
  /** The model for one worker; `copy` says the page needs it again. */
  take(): Promise<{ readonly model: LoadedModel; readonly copy: boolean }>;
}

/**
 * The page holds a model's bytes only until a worker has them; the next worker's come from the store. Where
 * nothing could be kept the page holds on to them, or a lost device would mean another download.
 */
async function createModelSource(
  options: BrowserEmbedderOptions,
  store: ModelStore | undefined,
): Promise<ModelSource> {
  let keptAll = store !== undefined;
  const onProgress = (event: LoadEvent) => {
    if (event.type === 'not-kept') keptAll = false;
    options.onProgress?.(event);
  };
  const { fetch, signal } = options;
  const first = await loadModel({ ...pick(options), fetch, store, signal, onProgress });
  const { manifest, weightsHash } = first;
  const bytes = first.file('weights').byteLength;
  let held: LoadedModel | undefined = first;
  const again = () => loadModel({ ...pick(options), manifest, fetch, store, onProgress });
  return {
    manifest,
    weightsHash,
    bytes,
    async take() {
      const model = held ?? (await again());
      held = keptAll ? undefined : model;
      return { model, copy: !keptAll };
    },
  };
}

function pick(
  options: Pick<BrowserEmbedderOptions, 'manifest' | 'baseUrl'>,
): Pick<BrowserEmbedderOptions, 'manifest' | 'baseUrl'> {
  const { manifest, baseUrl } = options;
  if (typeof manifest !== 'string' && !(manifest instanceof URL)) return { manifest, baseUrl };
  const url = new URL(manifest, location.href);
  return { manifest: url, baseUrl: baseUrl ?? new URL('.', url) };
}

/** Names this device to itself, so that a choice made on one GPU is not used on another. Stays here. */
async function describeDevice(): Promise<string> {
  const adapter = await findAdapter();
  const gpu = adapter === null ? 'none' : `${adapter.info.vendor}-${adapter.info.architecture}`;
  return [navigator.userAgent, navigator.hardwareConcurrency, crossOriginIsolated, gpu].join('|');
}
