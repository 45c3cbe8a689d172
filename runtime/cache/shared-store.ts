// Owns one store among many tabs: the tab that holds the lock opens it, the others ask that tab. When
// it closes, the next takes over and runs what was left unanswered.
import { createDeferred } from '../deferred.ts';
import { toWireError } from '../errors.ts';
import type { CacheStore } from './store.ts';
import {
  answerRequest,
  callStore,
  createStoreClient,
  createStoreLink,
  isRequest,
  type StoreCall,
} from './store-rpc.ts';

export interface SharedStoreOptions {
  /** One store a name and origin. */
  readonly name: string;
  readonly kind: string;
  readonly open: () => Promise<CacheStore>;
  /** A leader that does not answer for so long counts as failed. Default 5 s. */
  readonly timeoutMs?: number;
}

/** Every call is absolute (put this, remove that), so running one twice at a change of leader is harmless. */
export async function openSharedStore(options: SharedStoreOptions): Promise<CacheStore> {
  const { name, kind, open, timeoutMs = 5_000 } = options;
  const lock = `nearfield-cache/${name}`;
  const channel = new BroadcastChannel(lock);
  const link = createStoreLink(channel, crypto.randomUUID(), timeoutMs);
  const closing = createDeferred<void>();
  const stopWaiting = new AbortController();
  let local: Promise<CacheStore> | undefined;

  channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (local === undefined || !isRequest(data)) return;
    void local.then((store) => answerRequest(store, data)).then((reply) => channel.postMessage(reply));
  });

  /** Holds the lock for as long as this tab leads: until it closes, or goes away. */
  async function lead(): Promise<void> {
    const opening = open();
    local = opening;
    // Asked of a leader that is gone: no longer of one that may be too slow, but of this tab, which may open slowly.
    const left = link.takePending();
    try {
      const store = await opening;
      for (const { request, settle } of left) void answerRequest(store, request).then(settle);
      await closing.promise;
      await store.close();
    } catch (error) {
      for (const { request, settle } of left)
        settle({ type: 'store-reply', to: request.from, id: request.id, error: toWireError(error) });
      throw error;
    } finally {
      local = undefined;
    }
  }

  // Leads at once when nobody does; else waits in the background to.
  const started = createDeferred<'leads' | 'follows'>();
  let leading: Promise<unknown> = navigator.locks.request(lock, { ifAvailable: true }, async (granted) => {
    started.resolve(granted === null ? 'follows' : 'leads');
    if (granted !== null) await lead();
  });
  leading.catch(started.reject);

  async function call(what: StoreCall, argument: unknown): Promise<unknown> {
    if (what === 'close') return await close();
    if (local === undefined) return await link.call(what, argument);
    return await callStore(await local, what, argument);
  }

  async function close(): Promise<void> {
    stopWaiting.abort();
    closing.resolve();
    await leading.catch(() => undefined);
    channel.close();
  }

  if ((await started.promise) === 'follows') {
    leading = navigator.locks.request(lock, { signal: stopWaiting.signal }, lead);
    leading.catch(() => undefined);
  }
  // Opens, or finds that it cannot be opened, before anyone relies on it.
  await call('kind', undefined).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return createStoreClient(kind, call);
}
