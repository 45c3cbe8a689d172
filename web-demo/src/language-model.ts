// Owns the page's language model: brought when the person says so, with how far that is, stopped or unloaded
// when they say so. Once it was here its next load needs no network. A failed load is told.
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { isAbortError } from 'nearfield';
import type { LocalGenerator } from 'nearfield/tiers/device';
import type { LanguageModelState } from './app-runtime.ts';

/** What brings one to a site that serves none. */
export const BUILD_COMMAND = 'npm run models -- build smollm2-135m-instruct';

/** What the build knows of the model's manifest (vite.config.ts). */
export interface LanguageModelFacts {
  readonly id: string;
  readonly licence: string;
  /** Of all files. */
  readonly bytes: number;
}

/** A generator that is open. */
export interface OpenGenerator extends LocalGenerator {
  readonly backend: string;
  dispose(): Promise<void>;
}

export type OpenLanguageModel = (
  id: string,
  options: {
    readonly signal: AbortSignal;
    /** Bytes of each file that are here. */
    readonly onBytes: (path: string, bytes: number) => void;
  },
) => Promise<OpenGenerator>;

export interface LanguageModel {
  readonly state: ReadonlySignal<LanguageModelState>;
  /** Never throws; the state says how it went. */
  load(): Promise<void>;
  cancel(): void;
  unload(): Promise<void>;
  /** Answers once it is loaded; until then no request is the device's. */
  readonly generator: LocalGenerator;
}

/** Where the page notes that a model was here. */
export type Memory = Pick<Storage, 'getItem' | 'setItem'>;
const WAS_HERE = 'nearfield.language-model';

/** `facts` is absent where the site serves no language model. */
export function createLanguageModel(
  facts: LanguageModelFacts | undefined,
  open: OpenLanguageModel,
  memory?: Memory,
): LanguageModel {
  const { id = '', licence = '', bytes: totalBytes = 0 } = facts ?? {};
  const state: Signal<LanguageModelState> = signal({
    phase: facts === undefined ? 'absent' : 'idle',
    kept: facts !== undefined && memory?.getItem(WAS_HERE) === id,
    id,
    licence,
    totalBytes,
    loadedBytes: 0,
    backend: '',
  });
  const change = (next: Partial<LanguageModelState>): void => {
    state.value = { ...state.value, ...next };
  };
  let opened: OpenGenerator | undefined;
  let opening: AbortController | undefined;

  async function load(): Promise<void> {
    if (facts === undefined || opened !== undefined || opening !== undefined) return;
    const mine = new AbortController();
    opening = mine;
    const begun = performance.now();
    const here = new Map<string, number>();
    change({ phase: 'loading', loadedBytes: 0, error: undefined });
    try {
      opened = await open(id, {
        signal: mine.signal,
        onBytes(path, bytes) {
          here.set(path, bytes);
          change({ loadedBytes: [...here.values()].reduce((sum, part) => sum + part, 0) });
        },
      });
      const loadMs = performance.now() - begun;
      memory?.setItem(WAS_HERE, id);
      change({ phase: 'ready', kept: true, loadedBytes: totalBytes, backend: opened.backend, loadMs });
    } catch (error) {
      if (isAbortError(error)) change({ phase: 'idle', loadedBytes: 0 });
      else change({ phase: 'failed', error: error instanceof Error ? error.message : String(error) });
    } finally {
      opening = undefined;
    }
  }

  return {
    state,
    load,
    cancel: () => opening?.abort(),
    async unload() {
      const open = opened;
      opened = undefined;
      change({ phase: 'idle', loadedBytes: 0, backend: '' });
      await open?.dispose();
    },
    generator: {
      can: () => opened !== undefined,
      stream: (request, options) => opened!.stream(request, options),
    },
  };
}
