// Owns the edge's HTTP surface: who may call, how much, how often; the OpenAI handler behind it; telemetry
// intake; health. The answers are the runtime's. Nothing here logs, and nothing reads a prompt.
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { type Clock, createOpenAiHandler, errorResponse, isNearfieldError } from 'nearfield';
import type { Collector, Verdict } from 'nearfield/telemetry';
import { refuse } from './api-error.ts';
import { type AuditLog, auditRowOf, createScopeHasher } from './audit.ts';
import { bindCaller, type Caller, isTierKind, nearer, type Outcome, type ServedRuntime } from './caller.ts';
import { type ApiKey, createKeyring } from './keys.ts';
import { createOpenCounter, createRateLimiter, rateHeaders } from './limits.ts';
import { trackBody } from './track-body.ts';

export interface EdgeLimits {
  /** Largest body of /v1. Default 4 MiB. */
  readonly bodyBytes: number;
  /** A key's requests a minute, where the key does not say. Default 120. */
  readonly requestsPerMinute: number;
  /** A key's answers open at once. Default 16. */
  readonly openAnswers: number;
}

/** What this edge can do right now, for /healthz. */
export interface Health {
  readonly ready: boolean;
  readonly model?: string | undefined;
  readonly backend?: string | undefined;
  readonly tiers: readonly string[];
  /** False once the database failed a chain of receipts, whose later ones are in memory. Absent where all are. */
  readonly receiptsDurable?: boolean | undefined;
}

export interface EdgeDeps {
  readonly runtime: ServedRuntime;
  /** `loopback` serves this machine only, as tenant `local`; everything else needs keys. */
  readonly auth: { readonly mode: 'keys'; readonly keys: readonly ApiKey[] } | { readonly mode: 'loopback' };
  readonly limits?: Partial<EdgeLimits> | undefined;
  /** Pages of other origins that may call. Default none. */
  readonly origins?: readonly string[] | undefined;
  readonly telemetry?: Collector | undefined;
  readonly audit?: AuditLog | undefined;
  /** Keys the hash that stands for a scope in the audit. Default: random, for this process. */
  readonly auditSecret?: string | undefined;
  /** Asked for `?ready`, it may load what is missing first. */
  readonly health?: ((whenReady: boolean) => Health | Promise<Health>) | undefined;
  /** Tells senders of telemetry apart for the daily cap; never stored. Default: all are one. */
  readonly sourceOf?: ((context: Context) => string) | undefined;
  /** Keeps the process alive for work after the response, where the platform wants to be told. */
  readonly waitUntil?: ((context: Context, work: Promise<void>) => void) | undefined;
  /** Told of a failed audit write. Default: counted in /healthz only. */
  readonly onAuditFailure?: ((error: unknown) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export interface EdgeEnv {
  Variables: { requestId: string; caller: Caller; key: ApiKey; outcome: Outcome };
}

export type EdgeApp = Hono<EdgeEnv>;

const LOCAL_KEY: ApiKey = { tenant: 'local', hash: '0'.repeat(64) };
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
const REPORT_BODY_BYTES = 1024;
const MiB = 1024 * 1024;

/** The edge as a Hono app, for any platform Hono runs on. */
export function createApp(deps: EdgeDeps): EdgeApp {
  const limits: EdgeLimits = { bodyBytes: 4 * MiB, requestsPerMinute: 120, openAnswers: 16, ...deps.limits };
  const clock = deps.clock ?? { now: () => Date.now(), monotonic: () => performance.now() };
  const app = new Hono<EdgeEnv>();
  const accounting = createAccounting(deps, limits, clock);

  // Ids are always our own: a caller's text must not get into the audit.
  app.use(requestId({ headerName: '' }));
  app.use(async (c, next) => {
    await next();
    c.header('x-request-id', c.get('requestId'));
    if (c.res.headers.get('cache-control') === null) c.header('cache-control', 'no-store');
  });
  app.use(secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'none'"] } }));
  app.use(cors({ origin: [...(deps.origins ?? [])], exposeHeaders: EXPOSED, maxAge: 600 }));

  app.get('/healthz', async (c) => await healthResponse(c, deps, accounting.auditFailures()));

  app.post(
    '/v1/telemetry',
    bodyLimit({ maxSize: REPORT_BODY_BYTES, onError: () => refuse('too-large') }),
    (c) => takeReport(c, deps),
  );

  app.use('/v1/*', deps.auth.mode === 'keys' ? keyAuth(deps.auth.keys) : loopbackAuth(deps.origins ?? []));
  app.use('/v1/*', async (c, next) => {
    const asked = c.req.header('nearfield-privacy') ?? 'cloud';
    if (!isTierKind(asked)) return refuse('bad-privacy');
    const { tenant, farthest = 'cloud' } = c.get('key');
    c.set('caller', { tenant, farthest: nearer(asked, farthest) });
    return await next();
  });
  app.use('/v1/*', accounting.middleware);
  // Within the accounting: it puts another response in the place of one that nobody reads then.
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (_c, allowed) => wrongMethod(allowed) }));
  app.use('/v1/*', bodyLimit({ maxSize: limits.bodyBytes, onError: () => refuse('too-large') }));

  app.get('/v1/telemetry/report', async (c) =>
    deps.telemetry === undefined ? refuse('not-found') : c.json(await deps.telemetry.published()),
  );
  const serve = (c: Context<EdgeEnv>): Promise<Response> => serveOpenAi(c, deps.runtime, limits);
  app.get('/v1/models', serve);
  app.get('/v1/models/:id', serve);
  app.post('/v1/chat/completions', jsonOnly, serve);
  app.post('/v1/embeddings', jsonOnly, serve);

  app.notFound(() => refuse('not-found'));
  app.onError((error) => {
    if (error instanceof HTTPException) return error.getResponse();
    // An unknown error's message could quote the request; it goes nowhere.
    return isNearfieldError(error) ? errorResponse(error) : refuse('internal');
  });
  return app;
}

const EXPOSED = [
  'x-request-id',
  'x-should-retry',
  'retry-after',
  'retry-after-ms',
  'age',
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
  'cache-status',
  'nearfield-tier',
  'nearfield-ignored',
  'nearfield-error',
];

type EdgeMiddleware = MiddlewareHandler<EdgeEnv>;

function keyAuth(keys: readonly ApiKey[]): MiddlewareHandler<EdgeEnv> {
  const keyring = createKeyring(keys);
  // Hono types the middleware for any app; the context it hands over is this app's.
  return bearerAuth<EdgeEnv>({
    noAuthenticationHeader: { message: () => refuse('no-key') },
    invalidAuthenticationHeader: { message: () => refuse('bad-header') },
    invalidToken: { message: () => refuse('bad-key') },
    async verifyToken(token, c) {
      const key = await keyring.find(token);
      if (key !== undefined) c.set('key', key);
      return key !== undefined;
    },
  });
}

/**
 * Without keys: only under a loopback name, so a page cannot reach this edge by rebinding its own name to
 * 127.0.0.1; and only from origins listed, so no other page can either. Any caller can say a name: in a server that
 * listens beyond loopback, as an app's own does, the socket's word counts, and a proxy's that it brings somebody.
 */
function loopbackAuth(origins: readonly string[]): EdgeMiddleware {
  return async (c, next) => {
    const url = new URL(c.req.url);
    if (!LOOPBACK.has(url.hostname) || isFromElsewhere(c)) return refuse('not-loopback');
    const origin = c.req.header('origin');
    if (origin !== undefined && origin !== url.origin && !origins.includes(origin))
      return refuse('bad-origin');
    c.set('key', LOCAL_KEY);
    return await next();
  };
}

const BROUGHT_BY_A_PROXY = ['forwarded', 'x-forwarded-for', 'x-real-ip'];
const LOOPBACK_ADDRESS = /^(?:::ffff:)?127\.|^::1$/i;

/** Node tells the caller's address, other platforms none. */
function isFromElsewhere(c: Context<EdgeEnv>): boolean {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  const address = env?.incoming?.socket?.remoteAddress;
  if (address !== undefined && !LOOPBACK_ADDRESS.test(address)) return true;
  return BROUGHT_BY_A_PROXY.some((name) => c.req.header(name) !== undefined);
}

const jsonOnly: EdgeMiddleware = async (c, next) => {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) return refuse('not-json');
  return await next();
};

function wrongMethod(allowed: readonly string[]): Response {
  return refuse('wrong-method', { headers: { allow: allowed.join(', ') } });
}

async function serveOpenAi(
  c: Context<EdgeEnv>,
  runtime: ServedRuntime,
  limits: EdgeLimits,
): Promise<Response> {
  const bound = bindCaller(runtime, c.get('caller'), c.get('outcome'));
  return await createOpenAiHandler(bound, { maxBodyBytes: limits.bodyBytes, obfuscate: true })(c.req.raw);
}

async function healthResponse(c: Context<EdgeEnv>, deps: EdgeDeps, auditFailures: number): Promise<Response> {
  // Liveness by default; `?ready` asks whether it should get traffic, and has it load what it lacks.
  const whenReady = c.req.query('ready') !== undefined;
  const health: Health = (await deps.health?.(whenReady)) ?? { ready: true, tiers: [] };
  const status = whenReady && !health.ready ? 503 : 200;
  return c.json({ status: 'live', ...health, auditFailures }, status);
}

const REPORT_STATUS: Readonly<Record<Verdict, 202 | 400 | 429>> = {
  accepted: 202,
  // A replay or a late one is dropped without a word: its sender cannot mend it.
  replayed: 202,
  stale: 202,
  malformed: 400,
  capped: 429,
};

async function takeReport(c: Context<EdgeEnv>, deps: EdgeDeps): Promise<Response> {
  if (deps.telemetry === undefined) return refuse('not-found');
  const source = deps.sourceOf?.(c) ?? 'all';
  const status = REPORT_STATUS[await deps.telemetry.accept(await c.req.text(), source)];
  if (status === 202) return c.body(null, 202);
  return refuse(status === 400 ? 'bad-report' : 'rate-limited');
}

interface Accounting {
  readonly middleware: EdgeMiddleware;
  auditFailures(): number;
}

/** Limits before, audit after; a request counts as open until its last byte is out or its reader is gone. */
function createAccounting(deps: EdgeDeps, limits: EdgeLimits, clock: Clock): Accounting {
  const rates = createRateLimiter(clock);
  const open = createOpenCounter();
  const hasher = createScopeHasher(deps.auditSecret);
  let failures = 0;

  const write = async (row: Promise<Parameters<AuditLog['write']>[0]>): Promise<void> => {
    try {
      await deps.audit?.write(await row);
    } catch (error) {
      failures += 1;
      deps.onAuditFailure?.(error);
    }
  };

  return {
    auditFailures: () => failures,
    async middleware(c, next) {
      const key = c.get('key');
      const perMinute = key.requestsPerMinute ?? limits.requestsPerMinute;
      const rate = rates.take(key.tenant, perMinute);
      const headers = rateHeaders(rate, perMinute);
      if (!rate.allowed) return refuse('rate-limited', { headers, retryAfterMs: rate.retryAfterMs });
      if (!open.enter(key.tenant, limits.openAnswers))
        return refuse('too-many-open', { headers, retryAfterMs: 1000 });

      const begunMs = clock.monotonic();
      const atMs = clock.now();
      const outcome: Outcome = {
        scope: `${key.tenant}/`,
        egressBytes: 0,
        promptTokens: 0,
        completionTokens: 0,
      };
      c.set('outcome', outcome);
      try {
        await next();
      } catch (error) {
        open.leave(key.tenant);
        throw error;
      }
      for (const [name, value] of Object.entries(headers)) c.header(name, value);
      const facts = {
        id: c.get('requestId'),
        atMs,
        route: routeOf(c.req.path),
        bytesIn: bytesInOf(c),
        status: c.res.status,
      };
      c.res = trackBody(c.res, c.req.raw, (bytesOut) => {
        open.leave(key.tenant);
        const exchange = { ...facts, bytesOut, durationMs: clock.monotonic() - begunMs };
        const written = write(auditRowOf(exchange, outcome, hasher));
        deps.waitUntil?.(c, written);
      });
    },
  };
}

const ROUTES = new Set(['/v1/chat/completions', '/v1/embeddings', '/v1/models', '/v1/telemetry/report']);

/** One of a closed list: a path is the caller's own text, and the audit keeps none. */
function routeOf(path: string): string {
  return ROUTES.has(path) ? path : 'other';
}

function bytesInOf(c: Context<EdgeEnv>): number {
  return Number(c.req.header('content-length') ?? 0);
}
