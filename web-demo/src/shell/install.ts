// Owns installing the page as an app, where the browser offers it.
import { type Signal, signal } from '@preact/signals';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

export const canInstall: Signal<boolean> = signal(false);
let waiting: InstallPrompt | undefined;

export function watchInstall(): void {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault(); // the browser's own banner would cover the composer
    waiting = event as InstallPrompt;
    canInstall.value = true;
  });
  addEventListener('appinstalled', () => {
    canInstall.value = false;
  });
}

export async function install(): Promise<void> {
  await waiting?.prompt();
  waiting = undefined;
  canInstall.value = false;
}
