// Owns the page's side of the browser's libSQL store: starts the worker, speaks its messages. Refuses to
// open on a platform without workers or OPFS; the caller falls back.
import { fromWireError, NearfieldError, type WireError } from '../errors.ts';
import type { CacheStore } from './store.ts';
import { createStoreClient, createStoreLink } from './store-rpc.ts';

export interface LibsqlWasmCacheStoreOptions {
  /** One database a name and origin. Letters, digits and hyphens. Default `default`. */
  readonly name?: string;
  /** Where the worker's script is served, same origin. Default: beside this module, as bundlers see it. */
  readonly workerUrl?: string | URL;
  /** Opening, or a reply, slower than this fails. Default 20 s. */
  readonly timeoutMs?: number;
}

type OpenReply = { readonly type: 'opened' } | { readonly type: 'failed'; readonly error: WireError };

/** A cache store in libSQL WASM on OPFS. @throws storage-failed, invalid-request */
export async function openLibsqlWasmCacheStore(
  options: LibsqlWasmCacheStoreOptions = {},
): Promise<CacheStore> {
  const { name = 'default', workerUrl, timeoutMs = 20_000 } = options;
  if (!/^[\w-]{1,64}$/.test(name)) {
    throw new NearfieldError('invalid-request', 'Expected a cache name of 1 to 64 letters, digits, - or _.', {
      param: 'name',
    });
  }
  const worker = startWorker(workerUrl);
  try {
    await waitUntilOpen(worker, name, timeoutMs);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  const link = createStoreLink(worker, 'page', timeoutMs);
  let isClosed = false;
  return createStoreClient('libsql-opfs', async (call, argument) => {
    if (isClosed) throw new NearfieldError('storage-failed', 'The cache store is closed.');
    if (call !== 'close') return await link.call(call, argument);
    isClosed = true;
    // The reply says the file is closed; only then may the handles go with the worker.
    await link.call('close', undefined).finally(() => worker.terminate());
  });
}

function startWorker(workerUrl: string | URL | undefined): Worker {
  try {
    return workerUrl === undefined
      ? new Worker(new URL('./libsql-worker.js', import.meta.url), { type: 'module' })
      : new Worker(workerUrl, { type: 'module' });
  } catch (error) {
    throw new NearfieldError('storage-failed', 'No worker for the cache store could be started.', {
      cause: error,
    });
  }
}

function waitUntilOpen(worker: Worker, name: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new NearfieldError('storage-failed', `The cache's worker ${why}.`));
    const timer = setTimeout(() => fail(`did not open in ${timeoutMs} ms`), timeoutMs);
    const listener = ({ data }: MessageEvent<OpenReply>): void => {
      if (data.type !== 'opened' && data.type !== 'failed') return;
      clearTimeout(timer);
      worker.removeEventListener('message', listener);
      if (data.type === 'opened') resolve();
      else reject(fromWireError(data.error));
    };
    worker.addEventListener('message', listener);
    worker.addEventListener('error', () => fail('could not be loaded'));
    worker.postMessage({ type: 'open', name });
  });
}
