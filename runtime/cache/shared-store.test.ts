// Who answers when the tab that leads goes away. Real channels and locks, in one process; the browser's tests have tabs.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMemoryCacheStore } from './memory.ts';
import { openSharedStore } from './shared-store.ts';
import { sampleEntry } from './store.contract.ts';
import type { CacheStore } from './store.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Leads, and answers no write ever. */
const openSilent = async (): Promise<CacheStore> => ({
  ...createMemoryCacheStore(),
  apply: () => new Promise(() => undefined),
});

/** A follower with one write under way when its leader goes; `open` is the follower's own. */
async function follow(name: string, open: () => Promise<CacheStore>) {
  const leader = await openSharedStore({ name, kind: 'leader', open: openSilent });
  const begun = Promise.withResolvers<void>();
  const follower = await openSharedStore({
    name,
    kind: 'follower',
    open() {
      begun.resolve();
      return open();
    },
  });
  const written = follower.apply({ put: [sampleEntry(1)] });
  written.catch(() => undefined);
  await leader.close();
  await begun.promise;
  return { follower, written };
}

it('runs what was left unanswered on the store of the next tab, however long that takes to open', async () => {
  const opening = Promise.withResolvers<CacheStore>();
  const { follower, written } = await follow('slow', () => opening.promise);
  // Far longer than a leader may be silent.
  await vi.advanceTimersByTimeAsync(60_000);
  opening.resolve(createMemoryCacheStore());
  await written;
  expect(await follower.answer(sampleEntry(1).id)).toBe(sampleEntry(1).answer);
  await follower.close();
});

it('fails it at once where the next tab cannot open the store', async () => {
  const { follower, written } = await follow('broken', () => Promise.reject(new Error('no disk')));
  await expect(written).rejects.toThrow();
  await follower.close();
});

it('fails what a leader leaves unanswered for too long', async () => {
  const leader = await openSharedStore({ name: 'silent', kind: 'leader', open: openSilent });
  const follower = await openSharedStore({ name: 'silent', kind: 'follower', open: openSilent });
  const written = expect(follower.apply({ put: [sampleEntry(1)] })).rejects.toMatchObject({
    code: 'storage-failed',
  });
  await vi.advanceTimersByTimeAsync(5_000);
  await written;
  await follower.close();
  await leader.close();
});
