// Owns the page's offline copy: the page's files kept at install, the engine's large ones as they are first
// used, so that nobody stores an engine their browser cannot run. It asks no other site for anything, and
// it never sees a question: those do not cross the network.
import { matchPrecache, type PrecacheEntry, precache } from 'workbox-precaching';
import { TAKE_OVER } from './shell/take-over.ts';

/** What this worker needs of its scope; the DOM library has no name for it. */
interface WorkerScope {
  readonly __WB_MANIFEST: PrecacheEntry[];
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'activate', listener: (event: WaitEvent) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}

interface WaitEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

declare const self: WorkerScope & typeof globalThis;

const ENGINE_FILES = 'nearfield-engine-files';
const files: readonly PrecacheEntry[] = self.__WB_MANIFEST;
const isEngineFile = ({ url }: PrecacheEntry): boolean => url.endsWith('.wasm');
const engineFiles: ReadonlySet<string> = new Set(
  files.filter(isEngineFile).map(({ url }) => new URL(url, self.registration.scope).href),
);

precache(files.filter((file) => !isEngineFile(file)));

// A first worker takes over at once; a newer one waits until the page says so, because it drops the files
// that an open page of the older build may still ask for.
self.addEventListener('message', ({ data }) => {
  if (data === TAKE_OVER) void self.skipWaiting();
});
self.addEventListener('activate', (event) =>
  event.waitUntil(Promise.all([dropOldEngineFiles(), self.clients.claim()])),
);

self.addEventListener('fetch', (event) => {
  const { request } = event;
  // Other origins and the edge worker's paths are not this worker's business: the browser goes on by itself.
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return;
  if (engineFiles.has(request.url)) event.respondWith(fromEngineFiles(request));
  else if (isPage(request) || isKept(request)) event.respondWith(fromPrecache(request));
});

function isPage(request: Request): boolean {
  const path = request.url.slice(self.registration.scope.length).replace(/[?#].*$/, '');
  return request.mode === 'navigate' && (path === '' || path === 'index.html');
}

function isKept(request: Request): boolean {
  return files.some(({ url }) => new URL(url, self.registration.scope).href === request.url);
}

async function fromPrecache(request: Request): Promise<Response> {
  const kept = await matchPrecache(isPage(request) ? 'index.html' : request);
  return isolated(kept ?? (await fetch(request)));
}

async function fromEngineFiles(request: Request): Promise<Response> {
  const cache = await caches.open(ENGINE_FILES);
  const kept = await cache.match(request.url);
  if (kept !== undefined) return isolated(kept);
  const fresh = await fetch(request);
  if (fresh.ok) await cache.put(request.url, fresh.clone()).catch(() => {}); // a full disk only costs offline use
  return isolated(fresh);
}

/** Headers that give the page threads, for hosts that cannot send them; holds from the second visit on. */
function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

async function dropOldEngineFiles(): Promise<void> {
  const cache = await caches.open(ENGINE_FILES);
  const kept = await cache.keys();
  await Promise.all(kept.filter(({ url }) => !engineFiles.has(url)).map((request) => cache.delete(request)));
}
