// Owns the page's offline copy: everything of this build, kept at install, served from then on. It asks no
// other site for anything, and it never sees a question: those do not cross the network.
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  matchPrecache,
  type PrecacheEntry,
  precache,
} from 'workbox-precaching';

/** What this worker needs of its scope; the DOM library has no name for it. */
interface WorkerScope {
  readonly __WB_MANIFEST: (PrecacheEntry | string)[];
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: WaitEvent) => void): void;
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

precache(self.__WB_MANIFEST);
cleanupOutdatedCaches();
const page = createHandlerBoundToURL('index.html');

self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  // The edge worker's paths and other origins are not this worker's business: the browser goes on by itself.
  if (request.method !== 'GET' || url.origin !== location.origin || url.pathname.startsWith('/v1/')) return;
  if (request.mode === 'navigate') {
    event.respondWith(page({ request, url, event: event as never }));
    return;
  }
  event.respondWith(answer(request));
});

async function answer(request: Request): Promise<Response> {
  return (await matchPrecache(request)) ?? (await fetch(request));
}
