// Owns the edge in workerd: settings and secrets from the bindings, the kernel as a compiled module, the
// weights from a static asset (a script that held them would be over the platform's size limit), verified. One
// isolate puts itself together once, on its first request.
import { createClient } from '@libsql/client';
import { NearfieldError } from 'nearfield';
import { openLibsqlCacheStore } from 'nearfield/cache/libsql';
import { createMemoryCacheStore } from 'nearfield/cache/memory';
import {
  createWorkerdEmbedder,
  createWorkerdGuard,
  createWorkerdTokenEncoder,
} from 'nearfield/engine/workerd';
import { createDatabaseFetch } from 'nearfield/policy';
import { createLabelling, createTagger } from 'nearfield/tasks';
import golden from '../models/all-minilm-l6-v2/golden.json' with { type: 'json' };
import manifest from '../models/all-minilm-l6-v2/manifest.json' with { type: 'json' };
import tokenizer from '../models/all-minilm-l6-v2/tokenizer.json' with { type: 'json' };
import guardGolden from '../models/nearfield-guard/golden.json' with { type: 'json' };
import guardManifest from '../models/nearfield-guard/manifest.json' with { type: 'json' };
import guardTokenizer from '../models/nearfield-guard/tokenizer.json' with { type: 'json' };
import intentHeads from '../models/nearfield-intent/heads.json' with { type: 'json' };
import taggerGolden from '../models/nearfield-pii/golden.json' with { type: 'json' };
import taggerLabels from '../models/nearfield-pii/labels.json' with { type: 'json' };
import taggerManifest from '../models/nearfield-pii/manifest.json' with { type: 'json' };
import taggerPieces from '../models/nearfield-pii/pieces.json' with { type: 'json' };
import kernelWasm from '../runtime/engine/kernel/kernel.wasm';
import { refuse } from './api-error.ts';
import { assembleEdge, type Edge } from './assemble.ts';
import { type EdgeSettings, readSettings } from './env.ts';

/** The part of workerd's ExecutionContext that is used. */
interface Execution {
  waitUntil(work: Promise<unknown>): void;
  passThroughOnException(): void;
  readonly props: unknown;
}

type Bindings = Readonly<Record<string, unknown>>;

let assembled: Promise<Edge> | undefined;

async function assemble(bindings: Bindings): Promise<Edge> {
  const texts = Object.entries(bindings).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const settings = readSettings(Object.fromEntries(texts));
  const embedder = await createWorkerdEmbedder({
    manifest,
    weights: await fetchWeights(bindings, manifest),
    tokenizerJson: JSON.stringify(tokenizer),
    golden: JSON.stringify(golden),
    kernelWasm,
  });
  // Without it nothing is started: what would go on to the cloud must be looked through by all that there is.
  const taggerEncoder = createWorkerdTokenEncoder({
    manifest: taggerManifest,
    weights: await fetchWeights(bindings, taggerManifest),
    kernelWasm,
    files: {
      tokenizer: JSON.stringify(taggerPieces),
      labels: JSON.stringify(taggerLabels),
      golden: JSON.stringify(taggerGolden),
    },
  });
  // Fetched now, for a later request may not wait for this one's I/O; without them the cache finds exact repeats only.
  const guardWeights = await fetchWeights(bindings, guardManifest).catch(toError);
  // Opened within this request: workerd would cancel what outlives it, and every later one would wait for that.
  const store = Promise.resolve(cacheStore(settings));
  await Promise.allSettled([store]);
  // Receipts stay in memory here: a chain in the database would have each request wait for another's I/O,
  // which workerd may cancel. Every answer carries its receipt, and the audit row its hash.
  const { volatility } = createLabelling({ embedder, loadHeads: async () => JSON.stringify(intentHeads) });
  return await assembleEdge({
    settings,
    embedder,
    volatility,
    tagger: createTagger({ encoder: taggerEncoder }),
    guard: createWorkerdGuard(async () => {
      if (guardWeights instanceof Error) throw guardWeights;
      return {
        manifest: guardManifest,
        weights: guardWeights,
        tokenizerJson: JSON.stringify(guardTokenizer),
        golden: JSON.stringify(guardGolden),
      };
    }),
    cacheStore: store,
    database: settings.database === undefined ? undefined : createClient(clientOptions(settings.database)),
    sourceOf: (context) => context.req.header('cf-connecting-ip') ?? 'unknown',
    waitUntil: (context, work) => context.executionCtx.waitUntil(work),
  });
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

interface WeightsManifest {
  readonly id: string;
  readonly files: readonly { readonly role: string; readonly path: string; readonly sha256: string }[];
}

/** The bindings' MODEL serves the folder of models. @throws model-not-found, integrity-mismatch */
async function fetchWeights({ MODEL }: Bindings, { id, files }: WeightsManifest): Promise<ArrayBuffer> {
  const [file] = files.filter(({ role }) => role === 'weights');
  if (!isFetcher(MODEL) || file === undefined) {
    throw new NearfieldError(
      'model-not-found',
      'Expected a MODEL binding that serves the model; see README.md.',
    );
  }
  const response = await MODEL.fetch(`https://model/${id}/${file.path}`);
  const bytes = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (sha256 === file.sha256) return bytes;
  throw new NearfieldError(
    'integrity-mismatch',
    `The MODEL binding gave other bytes for ${file.path} than the manifest names (HTTP ${response.status}).`,
  );
}

interface Fetcher {
  fetch(input: string): Promise<Response>;
}

function isFetcher(value: unknown): value is Fetcher {
  return typeof value === 'object' && value !== null && 'fetch' in value;
}

function cacheStore({
  cache,
}: EdgeSettings): ReturnType<typeof openLibsqlCacheStore> | ReturnType<typeof createMemoryCacheStore> {
  return cache === undefined ? createMemoryCacheStore() : openLibsqlCacheStore(clientOptions(cache));
}

/** The database's traffic passes the egress guard, which lets it reach its own host and no other. */
function clientOptions({ url, authToken }: NonNullable<EdgeSettings['database']>): {
  url: string;
  authToken?: string;
  fetch: typeof globalThis.fetch;
} {
  return { url, ...(authToken !== undefined && { authToken }), fetch: createDatabaseFetch({ url }) };
}

const worker: {
  fetch(request: Request, bindings: Bindings, execution: Execution): Promise<Response>;
} = {
  async fetch(request, bindings, execution) {
    assembled ??= assemble(bindings).catch((error: unknown) => {
      // A database that was away for a moment must not keep this isolate from ever starting.
      assembled = undefined;
      throw error;
    });
    // The first caller may leave; the isolate must be put together all the same. A failure is for the platform's log.
    execution.waitUntil(assembled);
    const edge = await assembled.catch(() => undefined);
    if (edge === undefined) return refuse('not-started', { retryAfterMs: 1000 });
    return await edge.app.fetch(request, bindings, execution);
  },
};
export default worker;
