// Owns how this page gets its embedder: the model's files from the page's own site, verified and kept in
// this browser, run in a worker.
import type { Embedder } from 'nearfield';
import { createBrowserTagger } from 'nearfield/browser';
import { loadModel } from 'nearfield/engine';
import { createBrowserEmbedder, createBrowserGuard, createIndexedDbStore } from 'nearfield/engine/browser';
import { createBrowserGenerator } from 'nearfield/generation/browser';
import { createFileFetch } from 'nearfield/policy';
import { createLabelling, type LabellingParts } from 'nearfield/tasks';
import type { OpenGenerator, OpenLanguageModel } from './language-model.ts';

/** The model's manifest beside the page, whatever folder the page is served from. */
export function manifestUrl(modelId: string): URL {
  return new URL(`models/${modelId}/manifest.json`, document.baseURI);
}

/** `onBytes` gets the bytes of each file that are here. @throws as createBrowserEmbedder */
export async function openEmbedder(
  modelId: string,
  onBytes: (path: string, bytes: number) => void,
): Promise<Embedder> {
  return await createBrowserEmbedder({
    manifest: manifestUrl(modelId),
    fetch: createFileFetch({ allowHosts: [location.host] }),
    onProgress: (event) => {
      if (event.type === 'download') onBytes(event.path, event.loadedBytes);
      if (event.type === 'kept-copy') onBytes(event.path, event.bytes);
    },
  });
}

/** The cache's check that a kept question asks the same; comes with `warm`, or at the first near match. */
export function openGuard(): ReturnType<typeof createBrowserGuard> {
  return createBrowserGuard({
    manifest: manifestUrl('nearfield-guard'),
    fetch: createFileFetch({ allowHosts: [location.host] }),
  });
}

/** How soon answers go out of date, read off the embedder's vector. */
export function openLabelling(embedder: Embedder): LabellingParts {
  const loadHeads = () =>
    loadModel({
      manifest: manifestUrl('nearfield-intent'),
      fetch: createFileFetch({ allowHosts: [location.host] }),
      store: createIndexedDbStore(),
    });
  return createLabelling({ embedder, loadHeads });
}

/** The policy's tagger of names and places, opened in a worker of its own at the first look. */
export function openTagger(): ReturnType<typeof createBrowserTagger> {
  const fetch = createFileFetch({ allowHosts: [location.host] });
  return createBrowserTagger({ manifest: manifestUrl('nearfield-pii'), fetch });
}

/** The language model, in a worker of its own. Its files stay in this browser once they came. */
export const openLanguageModel: OpenLanguageModel = async (id, { signal, onBytes }): Promise<OpenGenerator> =>
  await createBrowserGenerator({
    manifest: manifestUrl(id),
    fetch: createFileFetch({ allowHosts: [location.host] }),
    overflow: 'drop-oldest',
    defaultMaxTokens: 512,
    signal,
    onProgress: (event) => {
      if (event.type === 'download') onBytes(event.path, event.loadedBytes);
      if (event.type === 'kept-copy') onBytes(event.path, event.bytes);
    },
  });
