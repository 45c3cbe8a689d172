// Owns which page shows, in the address's fragment, so links, back and reload work on any static host.
import { type Signal, signal } from '@preact/signals';

export const PAGES = ['ask', 'activity', 'cache', 'telemetry', 'models', 'about'] as const;
export type Page = (typeof PAGES)[number];

/** `#/cache` is the cache page; anything unknown is the first page. */
export function pageOf(hash: string): Page {
  return PAGES.find((page) => hash === `#/${page}`) ?? 'ask';
}

export function createRoute(): Signal<Page> {
  const route: Signal<Page> = signal(pageOf(location.hash));
  addEventListener('hashchange', () => {
    route.value = pageOf(location.hash);
  });
  return route;
}
