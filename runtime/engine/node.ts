// Owns the embedder in a Node process: files from disk, verified like any download, no network.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type FileRole, type LoadEvent, type LoadedModel, loadModel, type Manifest } from '../models.ts';
import type { Embedder, GuardedFetch } from '../types.ts';
import type { BackendFactory } from './backend.ts';
import { createLocalEmbedder } from './embedder.ts';
import { type AskGuard, openGuardOnce } from './guard/index.ts';
import { kernel, kernelThreads } from './kernel-rows.ts';
import type { MemoryBudget } from './memory.ts';
import { ortWasmNode } from './ort-node.ts';
import type { ChoiceStore } from './session.ts';

export { createNodeFileStore } from '../model-files/node-files.ts';

export const DEFAULT_MODEL = 'all-minilm-l6-v2';
export const DEFAULT_GUARD = 'nearfield-guard';

/** Rows tried in Node, best first. */
export const nodeBackends: readonly BackendFactory[] = Object.freeze([kernelThreads, kernel, ortWasmNode]);

export interface NodeEmbedderOptions {
  /**
   * An id under `modelsFolder`, a model's folder, or a manifest with `folder`.
   * Default `all-minilm-l6-v2`, which comes with the package.
   */
  readonly model?: string | URL | { readonly manifest: Manifest; readonly folder: string | URL } | undefined;
  /** Default: the package's own `models/`. */
  readonly modelsFolder?: string | URL | undefined;
  readonly backends?: readonly BackendFactory[] | undefined;
  readonly threads?: number | undefined;
  readonly choices?: ChoiceStore | undefined;
  /** Front runners timed against each other at the first use. Default 2; 1 takes the best listed. */
  readonly contenders?: number | undefined;
  readonly memoryBudget?: MemoryBudget | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
  readonly onFall?: ((from: string, error: unknown) => void) | undefined;
}

/**
 * An embedder in this process, on threads of its own where the backend has them.
 * @throws model-not-found, integrity-mismatch, model-unsupported, golden-mismatch
 */
export async function createNodeEmbedder(options: NodeEmbedderOptions = {}): Promise<Embedder> {
  const model = await loadNodeModel(options);
  const { backends = nodeBackends, threads, choices, contenders, memoryBudget, onFall } = options;
  const device = `node-${process.arch}-${cpus().length}-${cpus()[0]?.model ?? 'cpu'}`;
  return createLocalEmbedder({ model, backends, threads, choices, contenders, memoryBudget, onFall, device });
}

/**
 * The guard of a cache: does a kept question ask the same as a new one? Opens at the first question; a model that
 * cannot be loaded fails questions, never the start.
 */
export function createNodeGuard(options: Pick<NodeEmbedderOptions, 'model' | 'modelsFolder'> = {}): AskGuard {
  return openGuardOnce(() => loadNodeModel({ ...options, model: options.model ?? DEFAULT_GUARD }));
}

/** The model's files from disk, verified. @throws as {@link createNodeEmbedder} */
export async function loadNodeModel(
  options: Pick<NodeEmbedderOptions, 'model' | 'modelsFolder' | 'signal' | 'onProgress'> & {
    /** Files wanted; none reads the manifest alone. */
    readonly roles?: readonly FileRole[] | undefined;
  } = {},
): Promise<LoadedModel> {
  const { model = DEFAULT_MODEL, roles, signal, onProgress } = options;
  const given = typeof model === 'object' && 'manifest' in model ? model : undefined;
  const folder = given?.folder ?? modelFolder(model as string | URL, options.modelsFolder);
  const baseUrl = folderUrl(folder);
  const manifest = given?.manifest ?? new URL('manifest.json', baseUrl);
  return await loadModel({ manifest, baseUrl, fetch: fetchFile, roles, signal, onProgress });
}

function modelFolder(model: string | URL, modelsFolder: string | URL | undefined): string | URL {
  if (model instanceof URL || isAbsolute(model) || model.startsWith('.')) return model;
  if (model.startsWith('file:')) return new URL(model);
  return join(toPath(modelsFolder ?? packageModels()), model);
}

/** By the package's own name, so that it holds in the source tree and in a build. */
function packageModels(): string {
  return join(createRequire(import.meta.url).resolve('nearfield/package.json'), '..', 'models');
}

function toPath(place: string | URL): string {
  return place instanceof URL || place.startsWith('file:') ? fileURLToPath(place) : resolve(place);
}

function folderUrl(folder: string | URL): URL {
  return pathToFileURL(`${toPath(folder)}/`);
}

/** `file:` URLs only, as a fetch, so that disk and network share one loader. */
const fetchFile: GuardedFetch = async (input) => {
  const url = new URL(input instanceof Request ? input.url : input);
  try {
    return new Response(await readFile(fileURLToPath(url)));
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return new Response(null, { status: missing ? 404 : 403 });
  }
};
