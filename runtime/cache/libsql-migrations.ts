// Owns how the libSQL tables came to be. Inline, so that a browser or workerd needs no file system; a
// migration once shipped never changes.

/** One transaction a version; the table `cache_migrations` says which have run. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE cache_entries (
      id TEXT PRIMARY KEY NOT NULL, scope_hash TEXT NOT NULL, context_hash TEXT NOT NULL, text TEXT NOT NULL,
      vector BLOB, scale REAL, tags TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL, used_at_ms INTEGER NOT NULL, hits INTEGER NOT NULL,
      cost_ms REAL NOT NULL, bytes INTEGER NOT NULL, answer TEXT NOT NULL)`,
    'CREATE TABLE cache_meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)',
  ],
];
