// Owns the one door to the network: the only file that calls the platform's fetch. Exact hosts, https
// (loopback aside), no redirects, no cookies, every byte counted before it goes. Whatever is not plainly
// allowed is `egress-denied`, which never falls back to another tier.
import { NearfieldError } from '../errors.ts';
import type { Egress, EgressPermit, GuardedFetch } from '../types.ts';
import { tierRank } from './decide.ts';

export type PlatformFetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface EgressOptions {
  /** Exact hosts, lower case: `api.example.com` (default port) or `127.0.0.1:8787`. No wildcards. */
  readonly allowHosts: readonly string[];
  /** Default: `globalThis.fetch`, read at each call. */
  readonly fetch?: PlatformFetch | undefined;
  /** Largest body sent, bytes. Default 32 MiB. */
  readonly maxBodyBytes?: number | undefined;
}

export function createEgress(options: EgressOptions): Egress {
  const allowed = new Set(options.allowHosts);
  const maxBodyBytes = options.maxBodyBytes ?? 32 * 2 ** 20;
  return {
    open({ decision, tier, host }): EgressPermit {
      const hosts = new Set<string>();
      let bytesOut = 0;
      const check = (url: URL) => {
        if (tier.kind === 'device') deny('the device tier has no business on the network');
        if (tierRank(tier.kind) > tierRank(decision.farthest)) {
          deny(`policy allows the ${decision.farthest}, not the ${tier.kind}`);
        }
        if (host === undefined || url.host !== host) deny('the tier asked for another host than its own');
        if (!allowed.has(url.host)) deny('the host is not on the egress list');
        if (decision.hosts && !decision.hosts.includes(url.host)) deny('a policy rule leaves this host out');
        checkWire(url);
      };
      return {
        bytesOut: () => bytesOut,
        hosts: () => [...hosts],
        async fetch(input, init) {
          const request = await readRequest(input, init, maxBodyBytes, check);
          hosts.add(request.url.host);
          bytesOut += request.bytes;
          const send = options.fetch ?? globalThis.fetch;
          const response = await send(request.url.href, request.init);
          refuseRedirect(response);
          return response;
        },
      };
    },
  };
}

/**
 * A fetch for public files, such as a model's: GET only, no body, no cookies, no redirects, only these hosts.
 * It carries nothing of a request, so it needs no decision and leaves no receipt. @throws egress-denied
 */
export function createFileFetch(options: {
  readonly allowHosts: readonly string[];
  readonly fetch?: PlatformFetch | undefined;
}): GuardedFetch {
  const allowed = new Set(options.allowHosts);
  return async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (!allowed.has(url.host)) deny('files may not come from this host');
    // An app's own scheme (an extension, a shell) crosses no network; what does is not read on the way.
    if (url.protocol === 'http:') checkWire(url);
    if (request.method !== 'GET') deny('files are fetched by GET alone');
    const range = request.headers.get('range');
    const send = options.fetch ?? globalThis.fetch;
    const response = await send(url.href, {
      signal: request.signal,
      redirect: 'manual',
      ...(range !== null && { headers: { range } }),
      ...('credentials' in Request.prototype && { credentials: 'omit', referrerPolicy: 'no-referrer' }),
    });
    refuseRedirect(response);
    return response;
  };
}

/**
 * A fetch for the app's own database, such as remote libSQL: that one host, https (loopback aside), no cookies, no
 * redirects. What it carries was let into the database by the policy before. @throws egress-denied, payload-too-large
 */
export function createDatabaseFetch(options: {
  /** `libsql:`, `https:` or `http:`. */
  readonly url: string;
  readonly fetch?: PlatformFetch | undefined;
  /** Largest body sent, bytes. Default 32 MiB. */
  readonly maxBodyBytes?: number | undefined;
}): GuardedFetch {
  const { host } = parseUrl(options.url.replace(/^libsql:/, 'https:'));
  const check = (url: URL): void => {
    if (url.host !== host) deny('the database asked for another host than its own');
    checkWire(url);
  };
  return async (input, init) => {
    const request = await readRequest(input, init, options.maxBodyBytes ?? 32 * 2 ** 20, check);
    const send = options.fetch ?? globalThis.fetch;
    const response = await send(request.url.href, request.init);
    refuseRedirect(response);
    return response;
  };
}

/** What holds of every URL, wherever it leads. */
function checkWire(url: URL): void {
  if (url.username !== '' || url.password !== '') deny('the URL carries credentials');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    deny('only https leaves this device, and http to loopback');
  }
}

function deny(why: string): never {
  throw new NearfieldError('egress-denied', `Nothing was sent: ${why}.`);
}

interface Outgoing {
  readonly url: URL;
  readonly init: RequestInit;
  readonly bytes: number;
}

/** Bodies are read whole first: what leaves is then known to the byte, and can be refused. */
async function readRequest(
  input: Request | URL | string,
  init: RequestInit | undefined,
  maxBodyBytes: number,
  check: (url: URL) => void,
): Promise<Outgoing> {
  const given = input instanceof Request ? input : undefined;
  const url = parseUrl(given?.url ?? String(input));
  check(url);
  // A fragment never leaves in HTTP, but a service worker would see it.
  url.hash = '';
  const method = init?.method ?? given?.method ?? 'GET';
  const headers = new Headers(init?.headers ?? given?.headers);
  const body = await readBody(init?.body === undefined ? given : init.body, headers, maxBodyBytes);
  const signal = init?.signal ?? given?.signal;
  const bytes = utf8Length(url.href) + headerBytes(headers) + (body?.byteLength ?? 0);
  return {
    url,
    bytes,
    init: {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
      redirect: 'manual',
      ...browserOnly(),
    },
  };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) deny('the URL is not absolute');
  return new URL(text);
}

async function readBody(
  source: Request | BodyInit | null | undefined,
  headers: Headers,
  maxBodyBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (source === undefined || source === null) return undefined;
  const wrapped = source instanceof Request ? source : new Response(source);
  if (wrapped.body === null) return undefined;
  const type = wrapped.headers.get('content-type');
  if (type !== null && !headers.has('content-type')) headers.set('content-type', type);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = wrapped.body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.byteLength;
    if (bytes > maxBodyBytes) {
      await reader.cancel();
      throw new NearfieldError('payload-too-large', `A request body may hold ${maxBodyBytes} bytes at most.`);
    }
    chunks.push(next.value);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Options that workerd refuses to be given; it has neither cookies nor referrers. */
function browserOnly(): RequestInit {
  if (!('credentials' in Request.prototype)) return {};
  return { credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store' };
}

/** A redirect could carry the body to a host nobody allowed, so none is followed, not even to the same host. */
function refuseRedirect(response: Response): void {
  const redirected = response.type === 'opaqueredirect' || response.redirected;
  if (redirected || (response.status >= 300 && response.status < 400 && response.status !== 304)) {
    void response.body?.cancel();
    throw new NearfieldError('egress-denied', 'The host answered with a redirect; none is followed.');
  }
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  );
}

const encoder = new TextEncoder();

function utf8Length(text: string): number {
  return encoder.encode(text).byteLength;
}

/** As on the HTTP/1.1 wire: `name: value\r\n`. Headers the platform adds are not ours to see. */
function headerBytes(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += utf8Length(name) + utf8Length(value) + 4;
  return bytes;
}
