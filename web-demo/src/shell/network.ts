// Owns whether the browser believes it has a network, and whether the page is kept for when it has none.
// Asks nobody: it listens only.
import { type Signal, signal } from '@preact/signals';

export const online: Signal<boolean> = signal(true);
/** The service worker holds the page, so a reload works with the network off. */
export const offlineReady: Signal<boolean> = signal(false);

export function watchNetwork(): void {
  online.value = navigator.onLine;
  addEventListener('online', () => {
    online.value = true;
  });
  addEventListener('offline', () => {
    online.value = false;
  });
  // Resolves once a worker is active, which is after everything it precaches was stored.
  void navigator.serviceWorker?.ready.then(() => {
    offlineReady.value = true;
  });
}
