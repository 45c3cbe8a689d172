// Owns registering the service worker that keeps the page for when there is no network. Built pages only:
// in development the module graph must come from the server.

const PATIENCE_MS = 8000; // the page's own files come first; on a slow line the model need not wait for ever

/** Resolves when the worker sees what the page fetches, or when there is none to wait for. Never throws. */
export async function registerWorker(): Promise<void> {
  const workers = navigator.serviceWorker;
  if (!import.meta.env.PROD || workers === undefined) return;
  try {
    await workers.register(new URL('sw.js', document.baseURI));
    if (workers.controller !== null) return;
    await new Promise<void>((resolve) => {
      workers.addEventListener('controllerchange', () => resolve(), { once: true });
      setTimeout(resolve, PATIENCE_MS);
    });
  } catch {
    // A refused worker (private window, insecure origin) costs the offline reload, nothing else.
  }
}
