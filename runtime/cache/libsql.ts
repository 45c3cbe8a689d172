// Owns opening the cache in libSQL in Node: a file, `:memory:`, or a remote database.
import { createClient } from '@libsql/client';
import { createClientPort } from './libsql-client-port.ts';
import { openLibsqlStore } from './libsql-store.ts';
import type { CacheStore } from './store.ts';
import { guardStore } from './store-errors.ts';

export interface LibsqlCacheStoreOptions {
  /** `file:path.db`, `:memory:`, or `libsql://…`, `https://…`, `http://…`. */
  readonly url: string;
  readonly authToken?: string;
  /** Handed to the remote client, so that remote traffic passes the app's own guard. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * `secure_delete` because an erased scope must be gone from the file too. `synchronous = FULL` because
 * in WAL mode NORMAL may lose the last commits when power fails; the difference is one fsync a write.
 */
const FILE_PRAGMAS: readonly string[] = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA busy_timeout = 5000',
  'PRAGMA synchronous = FULL',
  'PRAGMA secure_delete = ON',
];

/** A cache store in libSQL. @throws storage-failed when it cannot be opened */
export async function openLibsqlCacheStore(options: LibsqlCacheStoreOptions): Promise<CacheStore> {
  const { url, authToken, fetch } = options;
  const isRemote = /^(libsql|https?|wss?):/.test(url);
  return await guardStore('open', async () => {
    const client = createClient({
      url,
      // One connection to a file: pragmas hold per connection, and one writer is the rule.
      concurrency: isRemote ? 20 : 1,
      ...(authToken !== undefined && { authToken }),
      ...(fetch !== undefined && { fetch }),
    });
    if (!isRemote) for (const pragma of FILE_PRAGMAS) await client.execute(pragma);
    const kind = isRemote ? 'libsql-remote' : url.includes(':memory:') ? 'libsql-memory' : 'libsql-file';
    return await openLibsqlStore(createClientPort(client, isRemote), kind);
  });
}
