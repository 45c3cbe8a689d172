// Owns the page's one model: loads it once, says how far that is, hands out an embedder that waits for it.
// A failed load is told and the next use tries again.
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Embedder } from 'nearfield';
import type { ModelState } from './app-runtime.ts';

/** What the build knows of the model's manifest (vite.config.ts). */
export interface ModelFacts {
  readonly id: string;
  readonly dims: number;
  readonly maxTokens: number;
  readonly licence: string;
  readonly weightsHash: string;
  /** Of all files. */
  readonly bytes: number;
}

/** Opens the real embedder; `onBytes` gets the bytes of each file that are here, verified or on their way. */
export type OpenEmbedder = (
  modelId: string,
  onBytes: (path: string, bytes: number) => void,
) => Promise<Embedder>;

export interface PageModel {
  readonly state: ReadonlySignal<ModelState>;
  readonly embedder: Embedder;
  /** Loads now instead of at the first text. Never throws; the state says how it went. */
  load(): Promise<void>;
}

export function createPageModel(facts: ModelFacts, openEmbedder: OpenEmbedder): PageModel {
  const { id, dims, licence, bytes: totalBytes } = facts;
  const state: Signal<ModelState> = signal({
    phase: 'idle',
    id,
    dims,
    licence,
    totalBytes,
    loadedBytes: 0,
    weightsHash: '',
    backend: '',
  });
  const change = (next: Partial<ModelState>): void => {
    state.value = { ...state.value, ...next };
  };
  let opening: Promise<Embedder> | undefined;

  async function open(): Promise<Embedder> {
    const begun = performance.now();
    const loaded = new Map<string, number>();
    change({ phase: 'loading', loadedBytes: 0, error: undefined });
    try {
      const embedder = await openEmbedder(id, (path, bytes) => {
        loaded.set(path, bytes);
        change({ loadedBytes: [...loaded.values()].reduce((sum, part) => sum + part, 0) });
      });
      await embedder.embed(['warm up']); // opens the backend, so its name is known and the first question is fast
      const { weightsHash } = embedder;
      const loadMs = performance.now() - begun;
      change({ phase: 'ready', loadedBytes: totalBytes, weightsHash, backend: embedder.backend(), loadMs });
      return embedder;
    } catch (error) {
      opening = undefined;
      change({ phase: 'failed', error: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }

  const get = (): Promise<Embedder> => {
    opening ??= open();
    return opening;
  };

  return {
    state,
    load: () =>
      get().then(
        () => {},
        () => {},
      ),
    embedder: {
      model: id,
      weightsHash: facts.weightsHash,
      dims,
      maxTokens: facts.maxTokens,
      backend: () => state.value.backend,
      async embed(texts, options) {
        const embedder = await get();
        options?.signal?.throwIfAborted();
        return await embedder.embed(texts, options);
      },
      async dispose() {
        await (await opening)?.dispose();
        opening = undefined;
        change({ phase: 'idle' });
      },
    },
  };
}
