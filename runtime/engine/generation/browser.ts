// Owns a language model on a page: files by the app's fetch, kept by its store, the model in a dedicated
// worker that ends with it. The page itself computes nothing.
import { abortErrorOf } from '../../errors.ts';
import { createIndexedDbStore } from '../../model-files/indexeddb.ts';
import { createFileSource } from '../../model-files/source.ts';
import { type LoadEvent, loadModel, type Manifest, type ModelStore } from '../../models.ts';
import type { ChatRequest, GuardedFetch, TierContext, TierPart } from '../../types.ts';
import type { DecoderMemory } from './types.ts';
import type { DecoderOptions, PlainOptions } from './wire.ts';
import { openGeneratorWorker, type Question } from './worker-client.ts';

export interface BrowserGeneratorOptions extends PlainOptions, DecoderOptions {
  /** URL of a manifest.json, or a manifest with `baseUrl`. */
  readonly manifest: string | URL | Manifest;
  readonly baseUrl?: string | URL | undefined;
  /** The app's guarded fetch. The worker itself fetches only its own script. */
  readonly fetch: GuardedFetch;
  /** Where verified files stay. Default IndexedDB; null keeps nothing. */
  readonly store?: ModelStore | null | undefined;
  /** Default: the package's own worker entry. */
  readonly createWorker?: (() => Worker) | undefined;
  /** Backends the worker may use. Default: all that the platform has, the fastest that computes rightly. */
  readonly backends?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
}

/** A language model in a worker, as the device tier uses it. */
export interface BrowserGenerator {
  readonly model: string;
  /** Where the last answer was computed; another one after a device was lost. */
  readonly backend: string;
  readonly context: number;
  can(request: ChatRequest): boolean;
  stream(
    request: ChatRequest,
    options: { readonly signal: AbortSignal; readonly step?: TierContext['step'] },
  ): AsyncGenerator<TierPart, void, void>;
  memory(): Promise<DecoderMemory>;
  /** Forgets what a scope said, or everybody. */
  forget(scope?: string): Promise<void>;
  /** Unloads the model: ends the worker, and its memory goes back to the system. */
  dispose(): Promise<void>;
}

/**
 * Loads a model and opens it in a worker. Resolves when the first question can be answered.
 * @throws integrity-mismatch, model-not-found, model-load-failed, backend-unavailable, golden-mismatch, AbortError
 */
export async function createBrowserGenerator(options: BrowserGeneratorOptions): Promise<BrowserGenerator> {
  const { signal, onProgress, backends } = options;
  const store = options.store === null ? undefined : (options.store ?? createIndexedDbStore());
  const told = { fetchedBytes: 0 };
  const model = await loadModel({
    ...place(options),
    fetch: options.fetch,
    store,
    signal,
    roles: TEXTS,
    onProgress: (event) => {
      if (event.type === 'ready') told.fetchedBytes = event.fetchedBytes;
      else onProgress?.(event);
    },
  });
  const { manifest } = model;
  const life = new AbortController();
  const weights = weightsOf(manifest, { ...options, store, signal: life.signal });
  // The worker puts the weights into place as they come; the page holds a few parts.
  const worker = await openGeneratorWorker({
    createWorker: options.createWorker ?? defaultWorker,
    backends,
    model,
    weights,
    options: plain(options),
    signal,
  }).catch((error) => {
    // Where the file did not come, no backend is to blame.
    if (!signal?.aborted) throw weights.failure() ?? error;
    // Ends the download too, and what it had kept.
    life.abort(signal.reason);
    throw abortErrorOf(signal);
  });
  onProgress?.({ type: 'ready', id: manifest.id, fetchedBytes: told.fetchedBytes + weights.fetchedBytes() });
  let open = true;

  async function one(message: Question): Promise<DecoderMemory | undefined> {
    for await (const answer of worker.ask(message)) if (answer.type === 'done') return answer.memory;
    return undefined;
  }

  return {
    model: manifest.id,
    get backend() {
      return worker.backend;
    },
    context: worker.context,
    can: () => open,
    async *stream(request, { signal, step }) {
      if (signal.aborted) throw abortErrorOf(signal);
      for await (const answer of worker.ask({ type: 'ask', request }, signal)) {
        if (answer.type === 'part') yield answer.part;
        else if (answer.type === 'step') step?.(answer.name, answer.durationMs, answer.facts);
      }
    },
    memory: async () => (await one({ type: 'memory' }))!,
    async forget(scope) {
      await one({ type: 'forget', scope });
    },
    async dispose() {
      open = false;
      worker.terminate();
    },
  };
}

const TEXTS = ['tokenizer', 'config', 'golden'] as const;

function weightsOf(
  manifest: Manifest,
  options: BrowserGeneratorOptions & { readonly store: ModelStore | undefined },
): ReturnType<typeof createFileSource> {
  const { fetch, store, signal, onProgress } = options;
  const { baseUrl } = place(options);
  const folder = String(baseUrl).replace(/\/*$/, '/');
  // loadModel refuses a manifest without weights.
  const file = manifest.files.find(({ role }) => role === 'weights')!;
  return createFileSource({ file, url: new URL(file.path, folder), fetch, store, signal, onProgress });
}

/** What can travel to a worker; functions and stores stay. */
function plain({
  manifest: _manifest,
  baseUrl: _baseUrl,
  fetch: _fetch,
  store: _store,
  createWorker: _createWorker,
  backends: _backends,
  signal: _signal,
  onProgress: _onProgress,
  ...rest
}: BrowserGeneratorOptions): PlainOptions & DecoderOptions {
  return rest;
}

function place(options: BrowserGeneratorOptions): Pick<BrowserGeneratorOptions, 'manifest' | 'baseUrl'> {
  const { manifest, baseUrl } = options;
  if (typeof manifest !== 'string' && !(manifest instanceof URL)) return { manifest, baseUrl };
  const url = new URL(manifest, location.href);
  return { manifest: url, baseUrl: baseUrl ?? new URL('.', url) };
}

function defaultWorker(): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'nearfield-generator' });
}
