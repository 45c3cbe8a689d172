// Owns putting an edge together from its parts, alike in Node and in workerd: the runtime with its tiers,
// the app round it, the database under it. What differs by platform is handed in.
import type { Client } from '@libsql/client';
import type { Context } from 'hono';
import { createRuntime, type Embedder, type Receipt, type Tagger, type Tier } from 'nearfield';
import { type CacheStore, createSemanticCache, type Guard } from 'nearfield/cache';
import {
  createDetectors,
  createEgress,
  createMemoryReceiptStore,
  createPolicy,
  createReceiptBook,
  type PlatformFetch,
} from 'nearfield/policy';
import { createAnswerer, type LabellingParts } from 'nearfield/tasks';
import { createCollector, createMemoryCollectorStore } from 'nearfield/telemetry';
import { createBedrockTier } from 'nearfield/tiers/bedrock';
import { createDeviceTier, type LocalGenerator } from 'nearfield/tiers/device';
import { createApp, type EdgeApp } from './app.ts';
import { type AuditLog, createMemoryAuditLog } from './audit.ts';
import { scopeOf } from './caller.ts';
import { openDatabase } from './db/database.ts';
import type { BedrockSettings, EdgeSettings } from './env.ts';

export interface EdgeParts {
  readonly settings: EdgeSettings;
  readonly embedder: Embedder;
  readonly cacheStore: CacheStore | Promise<CacheStore>;
  /** Checks that a kept question asks the same. Without one the cache relies on similarity and its verifier. */
  readonly guard?: Guard | undefined;
  /** Finds names and places in what would go on to the cloud. Without one the policy has its patterns alone. */
  readonly tagger?: Tagger | undefined;
  /** How soon an answer goes out of date, by a model. Without one the cache goes by its word list. */
  readonly volatility?: LabellingParts['volatility'] | undefined;
  /** Tiers beside Bedrock, which the settings name; the hosts of all become the egress list. */
  readonly tiers?: readonly Tier[] | undefined;
  readonly generator?: LocalGenerator | undefined;
  /** libSQL for audit, receipts and telemetry. Absent: kept in memory. */
  readonly database?: Client | undefined;
  /** Keep the chains of receipts in the database too. Default: in memory, and only its newest. */
  readonly durableReceipts?: boolean | undefined;
  /** The platform's network behind the egress guard. Default: `globalThis.fetch`. */
  readonly fetch?: PlatformFetch | undefined;
  readonly sourceOf?: ((context: Context) => string) | undefined;
  readonly waitUntil?: ((context: Context, work: Promise<void>) => void) | undefined;
}

export interface Edge {
  readonly app: EdgeApp;
  readonly audit: AuditLog;
  /** Oldest first, of all tenants or of one. */
  receipts(tenant?: string): Promise<readonly Receipt[]>;
  /** Erases what is kept for one of a tenant's scopes or users; default: for those it did not name. */
  erase(tenant: string, scope?: string): Promise<number>;
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
/** Kept in memory where no database has them; each answer carries its own to the caller anyway. */
const RECENT_RECEIPTS = 1000;

/** @throws storage-failed when the database cannot be brought up to date */
export async function assembleEdge(parts: EdgeParts): Promise<Edge> {
  const { settings, embedder } = parts;
  const bedrock = settings.bedrock === undefined ? [] : [bedrockTier(settings.bedrock)];
  const tiers = [...bedrock, ...(parts.tiers ?? [])];
  const database = parts.database === undefined ? undefined : await openDatabase(parts.database);
  const audit = database?.audit ?? createMemoryAuditLog();
  const durable = parts.durableReceipts === true ? database?.receipts : undefined;
  const receipts = createReceiptBook({ store: durable ?? createMemoryReceiptStore(RECENT_RECEIPTS) });
  const cache = createSemanticCache({
    store: parts.cacheStore,
    embed: async (texts, { signal }) => (await embedder.embed(texts, { signal })).embeddings,
    guard: parts.guard,
    volatility: parts.volatility,
  });
  // Has what is kept read now; a cache that cannot be read is a miss later, not a failure here.
  await cache.stats().catch(() => {});
  const runtime = createRuntime({
    tiers: [
      createDeviceTier({ answerer: createAnswerer({ embedder }), generator: parts.generator }),
      ...tiers,
    ],
    policy: createPolicy(settings.policy, { detectors: createDetectors(parts.tagger) }),
    egress: createEgress({ allowHosts: tiers.flatMap((tier) => tier.host ?? []), fetch: parts.fetch }),
    receipts,
    cache,
    embedder,
    // Whether a person consented is asked where the person is; what came with the request narrows this.
    consent: () => 'cloud',
  });
  let prunedMs = 0;
  const pending = new Set<Promise<void>>();
  const app = createApp({
    runtime,
    auth: settings.keys.length > 0 ? { mode: 'keys', keys: settings.keys } : { mode: 'loopback' },
    limits: { bodyBytes: settings.bodyBytes, requestsPerMinute: settings.requestsPerMinute },
    origins: settings.origins,
    telemetry: createCollector({ store: database?.telemetry ?? createMemoryCollectorStore() }),
    audit: {
      ...audit,
      async write(row) {
        await audit.write(row);
        if (row.atMs - prunedMs < DAY_MS) return;
        prunedMs = row.atMs;
        await audit.prune(row.atMs - settings.auditDays * DAY_MS);
      },
    },
    auditSecret: settings.auditSecret,
    async health(whenReady) {
      const ready = whenReady ? await warm(embedder) : embedder.backend() !== COLD;
      const ids = ['device', ...tiers.map((tier) => tier.id)];
      return {
        ready,
        model: embedder.model,
        backend: embedder.backend(),
        tiers: ids,
        ...(durable !== undefined && { receiptsDurable: receipts.durable() }),
      };
    },
    sourceOf: parts.sourceOf,
    waitUntil(context, work) {
      pending.add(work);
      void work.finally(() => pending.delete(work));
      parts.waitUntil?.(context, work);
    },
  });
  return {
    app,
    audit,
    async receipts(tenant) {
      const all = await runtime.receipts();
      return tenant === undefined ? all : all.filter(({ chain }) => chain === tenant);
    },
    erase: async (tenant, scope) => await runtime.erase(scopeOf(tenant, { scope })),
    async close() {
      await runtime.close();
      await parts.tagger?.dispose();
      // The last answers' audit rows may still be on their way.
      await Promise.allSettled(pending);
      database?.close();
    },
  };
}

/** What an embedder calls its backend before the first text. */
const COLD = 'none';

/** Loads the model by using it; false when it cannot be. */
async function warm(embedder: Embedder): Promise<boolean> {
  if (embedder.backend() !== COLD) return true;
  return await embedder.embed(['ready']).then(
    () => true,
    () => false,
  );
}

function bedrockTier({ modelId, region, endpoint, ...credentials }: BedrockSettings): Tier {
  return createBedrockTier({
    region,
    model: modelId,
    credentials: async () => credentials,
    ...(endpoint !== undefined && { endpoint }),
  });
}
