// Owns the usual parts of a runtime in a Node process, put together. Everything here can be handed to
// `createRuntime` by hand instead; nothing here reaches the network unless an edge tier is handed in.
import { createSemanticCache } from './cache/index.ts';
import { openLibsqlCacheStore } from './cache/libsql.ts';
import { createNodeEmbedder, createNodeGuard, type NodeEmbedderOptions } from './engine/node.ts';
import {
  createEgress,
  createPolicy,
  createReceiptBook,
  type PolicyDocument,
  type PresetName,
} from './policy/index.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { type Answerer, createAnswerer } from './tasks/index.ts';
import { createDeviceTier, type LocalGenerator } from './tiers/device.ts';
import type { Embedder, TelemetryRecorder, Tier, TierKind } from './types.ts';

export interface NodeRuntimeOptions {
  /** Passed to the embedder: model id or folder, threads, progress. */
  readonly engine?: NodeEmbedderOptions | undefined;
  /** The cache's guard: another model's id or folder, or `false` for none. Default `nearfield-guard`. */
  readonly guard?: string | false | undefined;
  /** Default `'balanced'`. */
  readonly policy?: PolicyDocument | PresetName | undefined;
  /** libSQL URL of the cache, `file:…` or `:memory:`. Default `:memory:`. */
  readonly cacheUrl?: string | undefined;
  /** Tiers beyond the device; their hosts become the egress list. */
  readonly tiers?: readonly Tier[] | undefined;
  readonly generator?: LocalGenerator | undefined;
  readonly consent?: (() => TierKind | undefined) | undefined;
  readonly telemetry?: TelemetryRecorder | undefined;
}

export interface NodeRuntime extends Runtime {
  readonly embedder: Embedder;
  readonly answerer: Answerer;
}

/** @throws model-not-found, integrity-mismatch, golden-mismatch, storage-failed, invalid-request */
export async function createNodeRuntime(options: NodeRuntimeOptions = {}): Promise<NodeRuntime> {
  const embedder = await createNodeEmbedder(options.engine);
  const answerer = createAnswerer({ embedder });
  const far = options.tiers ?? [];
  const runtime = createRuntime({
    tiers: [createDeviceTier({ answerer, generator: options.generator }), ...far],
    policy: createPolicy(options.policy),
    egress: createEgress({ allowHosts: far.flatMap((tier) => tier.host ?? []) }),
    receipts: createReceiptBook(),
    cache: createSemanticCache({
      store: await openLibsqlCacheStore({ url: options.cacheUrl ?? ':memory:' }),
      embed: async (texts, { signal }) => (await embedder.embed(texts, { signal })).embeddings,
      guard: options.guard === false ? undefined : createNodeGuard({ model: options.guard }),
    }),
    embedder,
    consent: options.consent,
    telemetry: options.telemetry,
  });
  return { ...runtime, embedder, answerer };
}
