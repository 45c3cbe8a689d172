// Owns registering the service worker that keeps the page for when there is no network. Built pages only:
// in development the module graph must come from the server.
export function registerWorker(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  navigator.serviceWorker.register(new URL('sw.js', document.baseURI)).catch(() => {
    // A refused worker (private window, insecure origin) costs the offline reload, nothing else.
  });
}
