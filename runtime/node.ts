// Owns the usual parts of a runtime in a Node process, put together. Everything here can be handed to
// `createRuntime` by hand instead; nothing here reaches the network unless an edge tier is handed in.
import { createSemanticCache } from './cache/index.ts';
import { openLibsqlCacheStore } from './cache/libsql.ts';
import {
  createNodeEmbedder,
  createNodeGuard,
  loadNodeModel,
  type NodeEmbedderOptions,
} from './engine/node.ts';
import {
  createDetectors,
  createEgress,
  createPolicy,
  createReceiptBook,
  type PolicyDocument,
  type PresetName,
  readPolicyDocument,
} from './policy/index.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import {
  type Answerer,
  createAnswerer,
  createLabelling,
  DEFAULT_INTENT,
  type Labelling,
} from './tasks/index.ts';
import type { TaggingOptions } from './tasks/tagger.ts';
import { findNodeTagger } from './tasks/tagger-node.ts';
import { createDeviceTier, type LocalGenerator } from './tiers/device.ts';
import type { Embedder, Tagger, TelemetryRecorder, Tier, TierKind } from './types.ts';

export { createNodeTagger, findNodeTagger, type NodeTaggerOptions } from './tasks/tagger-node.ts';

export interface NodeRuntimeOptions {
  /** Passed to the embedder: model id or folder, threads, progress. */
  readonly engine?: NodeEmbedderOptions | undefined;
  /** The cache's guard: another model's id or folder, or `false` for none. Default `nearfield-guard`. */
  readonly guard?: string | false | undefined;
  /** Default `'balanced'`. */
  readonly policy?: PolicyDocument | PresetName | undefined;
  /**
   * The policy's tagger of names and places: its options, or `false` for patterns alone. Default: on where the
   * model `nearfield-pii` is. One that is there and fails keeps requests on the device.
   */
  readonly tagger?: TaggingOptions | false | undefined;
  /** libSQL URL of the cache, `file:…` or `:memory:`. Default `:memory:`. */
  readonly cacheUrl?: string | undefined;
  /** Tiers beyond the device; their hosts become the egress list. */
  readonly tiers?: readonly Tier[] | undefined;
  readonly generator?: LocalGenerator | undefined;
  readonly consent?: (() => TierKind | undefined) | undefined;
  readonly telemetry?: TelemetryRecorder | undefined;
}

export interface NodeRuntime extends Runtime, Labelling {
  readonly embedder: Embedder;
  readonly answerer: Answerer;
}

/** @throws model-not-found, integrity-mismatch, golden-mismatch, storage-failed, invalid-request */
export async function createNodeRuntime(options: NodeRuntimeOptions = {}): Promise<NodeRuntime> {
  // Said first: models loaded before would stay.
  readPolicyDocument(options.policy ?? 'balanced');
  const embedder = await createNodeEmbedder(options.engine);
  const answerer = createAnswerer({ embedder });
  const { labelling, volatility } = createLabelling({
    embedder,
    loadHeads: () => loadNodeModel({ model: DEFAULT_INTENT, modelsFolder: options.engine?.modelsFolder }),
  });
  const tagging = options.tagger === false ? {} : (options.tagger ?? {});
  const tagger: Tagger | undefined =
    options.tagger === false
      ? undefined
      : await findNodeTagger({ ...tagging, modelsFolder: options.engine?.modelsFolder });
  const far = options.tiers ?? [];
  const runtime = createRuntime({
    tiers: [createDeviceTier({ answerer, generator: options.generator }), ...far],
    policy: createPolicy(options.policy, { detectors: createDetectors(tagger, tagging) }),
    egress: createEgress({ allowHosts: far.flatMap((tier) => tier.host ?? []) }),
    receipts: createReceiptBook(),
    cache: createSemanticCache({
      store: await openLibsqlCacheStore({ url: options.cacheUrl ?? ':memory:' }),
      embed: async (texts, { signal }) => (await embedder.embed(texts, { signal })).embeddings,
      guard:
        options.guard === false
          ? undefined
          : createNodeGuard({ model: options.guard, modelsFolder: options.engine?.modelsFolder }),
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
    answerer,
    async close() {
      await runtime.close();
      await tagger?.dispose();
    },
  };
}
