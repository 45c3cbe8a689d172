// Owns the usual parts of a runtime in a page, put together: the model in a worker, the cache in libSQL on
// OPFS, receipts in IndexedDB. Everything here can be handed to `createRuntime` by hand instead.
import { openBrowserCacheStore } from './cache/browser.ts';
import { createSemanticCache } from './cache/index.ts';
import { createBrowserEmbedder, createBrowserGuard, createIndexedDbStore } from './engine/browser.ts';
import { type LoadEvent, loadModel } from './models.ts';
import {
  createDetectors,
  createEgress,
  createFileFetch,
  createPolicy,
  createReceiptBook,
  type PolicyDocument,
  type PresetName,
  readPolicyDocument,
} from './policy/index.ts';
import { createIndexedDbReceiptStore } from './policy/receipts-indexeddb.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { createAnswerer, createLabelling, DEFAULT_INTENT, type Labelling } from './tasks/index.ts';
import { DEFAULT_TAGGER, type TaggingOptions } from './tasks/tagger.ts';
import { findBrowserTagger } from './tasks/tagger-browser.ts';
import { createDeviceTier, type LocalGenerator } from './tiers/device.ts';
import { createEdgeTier, type EdgeTierOptions } from './tiers/edge.ts';
import type { Embedder, Tagger, TelemetryRecorder, TierKind } from './types.ts';

export {
  type BrowserTaggerOptions,
  createBrowserTagger,
  findBrowserTagger,
} from './tasks/tagger-browser.ts';

export interface PageRuntimeOptions {
  /** Folder that holds `<model>/manifest.json`; relative URLs are the page's. */
  readonly models: string | URL;
  /** Default `all-minilm-l6-v2`. */
  readonly model?: string | undefined;
  /** The cache's guard: another folder under `models`, or `false` for none. Default `nearfield-guard`. */
  readonly guard?: string | false | undefined;
  /** Default `'balanced'`. */
  readonly policy?: PolicyDocument | PresetName | undefined;
  /**
   * The policy's tagger of names and places: its options, or `false` for patterns alone. Default: on where
   * `nearfield-pii` lies beside the model; until it has loaded, and where it fails, requests stay on the device.
   */
  readonly tagger?: TaggingOptions | false | undefined;
  /** Your edge worker. Without one the page reaches nobody but the models' host. */
  readonly edge?: EdgeTierOptions | undefined;
  /** How far the person agreed to go, asked at each request. Default: no further than the device. */
  readonly consent?: (() => TierKind | undefined) | undefined;
  /** Name of this app's databases. Default `'nearfield'`. */
  readonly name?: string | undefined;
  readonly generator?: LocalGenerator | undefined;
  readonly telemetry?: TelemetryRecorder | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
}

export interface PageRuntime extends Runtime, Labelling {
  readonly embedder: Embedder;
}

/**
 * Loads and verifies the model, then resolves.
 * @throws invalid-request before anything is loaded; integrity-mismatch, model-not-found, model-load-failed, backend-unavailable, AbortError
 */
export async function createPageRuntime(options: PageRuntimeOptions): Promise<PageRuntime> {
  const { model = 'all-minilm-l6-v2', name = 'nearfield', edge, signal, onProgress } = options;
  // What these refuse is said first: workers opened before would go on without anybody to end them.
  readPolicyDocument(options.policy ?? 'balanced');
  const far = edge === undefined ? [] : [createEdgeTier(edge)];
  const models = new URL(options.models, document.baseURI);
  const manifest = new URL(`${model}/manifest.json`, models.href.replace(/\/*$/, '/'));
  const embedder = await createBrowserEmbedder({
    manifest,
    fetch: createFileFetch({ allowHosts: [manifest.host] }),
    signal,
    onProgress,
  });
  const guardId = options.guard ?? 'nearfield-guard';
  const guard = guardId === false ? undefined : openGuard(models, guardId);
  // Now, while the network is there; a near match tries again.
  void guard?.warm().catch(() => undefined);
  const tagging = options.tagger === false ? {} : (options.tagger ?? {});
  const tagger = options.tagger === false ? undefined : await openPageTagger(models, tagging);
  const { labelling, volatility, warm } = createLabelling({ embedder, loadHeads: () => loadHeads(models) });
  void warm().catch(() => undefined);
  const runtime = createRuntime({
    tiers: [
      createDeviceTier({ answerer: createAnswerer({ embedder }), generator: options.generator }),
      ...far,
    ],
    policy: createPolicy(options.policy, { detectors: createDetectors(tagger, tagging) }),
    egress: createEgress({ allowHosts: far.flatMap((tier) => tier.host ?? []) }),
    receipts: createReceiptBook({ store: createIndexedDbReceiptStore(`${name}-receipts`) }),
    cache: createSemanticCache({
      store: openBrowserCacheStore({ name }),
      embed: async (texts, call) => (await embedder.embed(texts, call)).embeddings,
      guard,
      volatility,
    }),
    embedder,
    consent: options.consent,
    telemetry: options.telemetry,
  });
  return {
    ...runtime,
    ...labelling,
    embedder,
    async close() {
      await runtime.close();
      await tagger?.dispose();
    },
  };
}

function openGuard(models: URL, id: string): ReturnType<typeof createBrowserGuard> {
  const manifest = new URL(`${id}/manifest.json`, models.href.replace(/\/*$/, '/'));
  return createBrowserGuard({ manifest, fetch: createFileFetch({ allowHosts: [manifest.host] }) });
}

function openPageTagger(
  models: URL,
  { model = DEFAULT_TAGGER, bias }: TaggingOptions,
): Promise<Tagger | undefined> {
  const manifest = new URL(`${model}/manifest.json`, models.href.replace(/\/*$/, '/'));
  return findBrowserTagger({ manifest, fetch: createFileFetch({ allowHosts: [manifest.host] }), bias });
}

function loadHeads(models: URL): ReturnType<typeof loadModel> {
  const manifest = new URL(`${DEFAULT_INTENT}/manifest.json`, models.href.replace(/\/*$/, '/'));
  const fetch = createFileFetch({ allowHosts: [manifest.host] });
  return loadModel({ manifest, fetch, store: createIndexedDbStore() });
}
