// Owns registering the service worker that keeps the page for when there is no network, and taking a newer
// one. Built pages only: in development the module graph must come from the server.
import { type Signal, signal } from '@preact/signals';
import { TAKE_OVER } from './take-over.ts';

const PATIENCE_MS = 8000; // the page's own files come first; on a slow line the model need not wait for ever

/** A newer build is here and waits; it replaces this page when `takeUpdate` is called. */
export const updateReady: Signal<boolean> = signal(false);
let waiting: ServiceWorker | undefined;

/** Resolves when the worker sees what the page fetches, or when there is none to wait for. Never throws. */
export async function registerWorker(): Promise<void> {
  const workers = navigator.serviceWorker;
  if (!import.meta.env.PROD || workers === undefined) return;
  try {
    const registration = await workers.register(new URL('sw.js', document.baseURI));
    watchUpdates(registration);
    if (workers.controller !== null) return;
    await new Promise<void>((resolve) => {
      workers.addEventListener('controllerchange', () => resolve(), { once: true });
      setTimeout(resolve, PATIENCE_MS);
    });
  } catch {
    // A refused worker (private window, insecure origin) costs the offline reload, nothing else.
  }
}

/** Lets the newer worker take over, then shows its page. */
export function takeUpdate(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
  waiting?.postMessage(TAKE_OVER);
}

function watchUpdates(registration: ServiceWorkerRegistration): void {
  const note = (worker: ServiceWorker | null): void => {
    // Without a controller this is the first worker, not a newer one.
    if (worker?.state !== 'installed' || navigator.serviceWorker.controller === null) return;
    waiting = worker;
    updateReady.value = true;
  };
  note(registration.waiting);
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing;
    worker?.addEventListener('statechange', () => note(worker));
  });
}
