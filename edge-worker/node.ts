// Owns the edge in a Node process: settings from the environment, files for the databases, an HTTP server.
// Run alone it serves until stopped: node edge-worker/node.ts
import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type HttpBindings, serve } from '@hono/node-server';
import { type Client, createClient } from '@libsql/client';
import { type Embedder, NearfieldError, type Tier } from 'nearfield';
import { openLibsqlCacheStore } from 'nearfield/cache/libsql';
import { createNodeEmbedder, createNodeGuard, loadNodeModel } from 'nearfield/engine/node';
import { createNodeGenerator, DEFAULT_GENERATOR, findModel } from 'nearfield/generation/node';
import { findNodeTagger } from 'nearfield/node';
import { createDatabaseFetch } from 'nearfield/policy';
import { createLabelling, DEFAULT_INTENT } from 'nearfield/tasks';
import type { LocalGenerator } from 'nearfield/tiers/device';
import { assembleEdge, type Edge } from './assemble.ts';
import { type EdgeSettings, type Env, readSettings } from './env.ts';
import { withPages } from './pages.ts';

export interface StartEdgeOptions {
  /** Default 8787; 0 takes any free port. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. Another one needs NEARFIELD_API_KEYS. */
  readonly host?: string | undefined;
  /** Default `process.env`. Names: README.md. */
  readonly env?: Env | undefined;
  /** Where databases lie when no URL is set. Default: nowhere, they are kept in memory. */
  readonly dataFolder?: string | undefined;
  /** Default: the package's own model, loaded here and closed with the edge. */
  readonly embedder?: Embedder | undefined;
  readonly generator?: LocalGenerator | undefined;
  /** Tiers beside those the environment names. */
  readonly tiers?: readonly Tier[] | undefined;
  /** A folder with a built page, served at every path that is not the API's. */
  readonly pages?: string | undefined;
}

export interface RunningEdge {
  /** Without a slash at its end. */
  readonly url: string;
  readonly edge: Edge;
  /** Lets open answers finish for up to a second, then closes everything. */
  stop(): Promise<void>;
}

/** Longer than proxies and load balancers keep an idle connection (60 s is usual); Node's own is 5 s. */
const KEEP_ALIVE_MS = 75_000;

/** @throws invalid-request on a setting, model-not-found, integrity-mismatch, golden-mismatch, storage-failed */
export async function startEdge(options: StartEdgeOptions = {}): Promise<RunningEdge> {
  const { host = '127.0.0.1', port = 8787 } = options;
  const settings = readSettings(options.env ?? process.env);
  refuseOpenDoor(settings, host);
  const embedder = options.embedder === undefined ? await createNodeEmbedder() : lent(options.embedder);
  const { volatility } = createLabelling({
    embedder,
    loadHeads: () => loadNodeModel({ model: DEFAULT_INTENT }),
  });
  const edge = await assembleEdge({
    settings,
    embedder,
    volatility,
    guard: createNodeGuard(),
    tagger: await findNodeTagger(),
    cacheStore: openLibsqlCacheStore(await cacheDatabase(settings, options.dataFolder)),
    database: await edgeDatabase(settings, options.dataFolder),
    durableReceipts: true,
    tiers: options.tiers,
    generator: options.generator,
    sourceOf: (context) => (context.env as HttpBindings).incoming.socket.remoteAddress ?? 'unknown',
  });
  const fetch = options.pages === undefined ? edge.app.fetch : withPages(edge.app, options.pages);
  const server = serve({ fetch, hostname: host, port, serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS } });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    edge,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      const impatient = setTimeout(
        () => 'closeAllConnections' in server && server.closeAllConnections(),
        1000,
      );
      await closed;
      clearTimeout(impatient);
      await edge.close();
    },
  };
}

/** An edge without keys answers anyone who reaches it, so only this machine may. */
function refuseOpenDoor(settings: EdgeSettings, host: string): void {
  if (settings.keys.length > 0 || host === '127.0.0.1' || host === '::1' || host === 'localhost') return;
  throw new NearfieldError(
    'invalid-request',
    'Expected NEARFIELD_API_KEYS, because this edge would listen beyond loopback. Set keys or host 127.0.0.1.',
    { param: 'NEARFIELD_API_KEYS' },
  );
}

async function cacheDatabase(
  { cache }: EdgeSettings,
  folder: string | undefined,
): Promise<Parameters<typeof openLibsqlCacheStore>[0]> {
  if (cache === undefined) return { url: await localUrl(folder, 'cache.db') };
  return guarded(cache);
}

async function edgeDatabase({ database }: EdgeSettings, folder: string | undefined): Promise<Client> {
  if (database !== undefined) {
    return createClient(guarded(database));
  }
  // One connection: pragmas hold per connection, and `:memory:` is another database on each.
  const client = createClient({ url: await localUrl(folder, 'edge.db'), concurrency: 1 });
  for (const pragma of PRAGMAS) await client.execute(pragma);
  return client;
}

/** A remote database's traffic passes the egress guard; a file has none. */
function guarded({ url, authToken }: NonNullable<EdgeSettings['database']>): {
  url: string;
  authToken?: string;
  fetch?: typeof globalThis.fetch;
} {
  const isRemote = /^(libsql|https?):/.test(url);
  return {
    url,
    ...(authToken !== undefined && { authToken }),
    ...(isRemote && { fetch: createDatabaseFetch({ url }) }),
  };
}

const PRAGMAS = ['PRAGMA journal_mode = WAL', 'PRAGMA busy_timeout = 5000', 'PRAGMA synchronous = NORMAL'];

/** An embedder that the caller keeps: closing the edge leaves it open. */
function lent(embedder: Embedder): Embedder {
  return { ...embedder, async dispose() {} };
}

/** Each database its own file: one writer a file is libSQL's rule. */
async function localUrl(folder: string | undefined, name: string): Promise<string> {
  if (folder === undefined) return ':memory:';
  await mkdir(folder, { recursive: true });
  return pathToFileURL(join(folder, name)).href;
}

if (import.meta.main) {
  const { PORT, HOST, NEARFIELD_DATA } = process.env;
  const hasModel = (await findModel()) !== undefined;
  if (!hasModel) {
    console.log(`No language model here; npm run models -- build ${DEFAULT_GENERATOR} adds one.`);
  }
  const running = await startEdge({
    generator: hasModel ? await createNodeGenerator({ maxRunning: 8, overflow: 'drop-oldest' }) : undefined,
    port: PORT === undefined ? undefined : Number(PORT),
    host: HOST,
    dataFolder: NEARFIELD_DATA ?? '.nearfield/edge',
  });
  console.log(`Nearfield edge at ${running.url}`);
  // The first caller need not wait for the model.
  void running.edge.app.request('/healthz?ready');
  const stop = (): void => {
    void running.stop().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}
