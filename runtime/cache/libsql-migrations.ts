// Owns how the libSQL tables came to be. Inline, so that a browser or workerd needs no file system; a
// migration once shipped never changes.

/** Rows of the entries' table that one block copies. Part of a migration: it never changes. */
export const BLOCK_ROWS = 512;

const SEALED = (row: 'NEW' | 'OLD'): string =>
  `EXISTS (SELECT 1 FROM cache_blocks WHERE block = (${row}.rowid - 1) / 512 AND token IS NOT NULL)`;

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
  // Copies of 512 rows each, to open fast, and what changed since they were made: see libsql-blocks.ts.
  [
    // A row without `data` stands for a block that is to be sealed. `data` last: what is before is read without it.
    `CREATE TABLE cache_blocks (block INTEGER PRIMARY KEY, token TEXT, first_id TEXT, first_place INTEGER,
      last_id TEXT, last_place INTEGER, data BLOB)`,
    'CREATE TABLE cache_amended (place INTEGER PRIMARY KEY, used_at_ms INTEGER, hits INTEGER)',
    `INSERT INTO cache_blocks (block) SELECT DISTINCT (rowid - 1) / 512 FROM cache_entries
      WHERE rowid <= (SELECT max(rowid) FROM cache_entries) / 512 * 512`,
    `CREATE TRIGGER cache_entry_added AFTER INSERT ON cache_entries BEGIN
      INSERT INTO cache_amended (place) SELECT NEW.rowid WHERE ${SEALED('NEW')}
        ON CONFLICT (place) DO UPDATE SET used_at_ms = NULL, hits = NULL;
      INSERT INTO cache_blocks (block) SELECT NEW.rowid / 512 - 1 WHERE NEW.rowid % 512 = 0
        AND NOT EXISTS (SELECT 1 FROM cache_blocks WHERE block = NEW.rowid / 512 - 1);
    END`,
    `CREATE TRIGGER cache_entry_changed AFTER UPDATE OF id, scope_hash, context_hash, text, vector, scale, tags,
      created_at_ms, expires_at_ms, cost_ms, bytes ON cache_entries BEGIN
      INSERT INTO cache_amended (place) SELECT NEW.rowid WHERE ${SEALED('NEW')}
        ON CONFLICT (place) DO UPDATE SET used_at_ms = NULL, hits = NULL;
    END`,
    `CREATE TRIGGER cache_entry_touched AFTER UPDATE OF used_at_ms, hits ON cache_entries BEGIN
      INSERT INTO cache_amended (place, used_at_ms, hits) SELECT NEW.rowid, NEW.used_at_ms, NEW.hits
        WHERE ${SEALED('NEW')}
        ON CONFLICT (place) DO UPDATE SET used_at_ms = excluded.used_at_ms, hits = excluded.hits
        WHERE hits IS NOT NULL;
    END`,
    // What is erased must be in no copy either.
    `CREATE TRIGGER cache_entry_removed AFTER DELETE ON cache_entries BEGIN
      UPDATE cache_blocks SET token = NULL, data = NULL, first_id = NULL, last_id = NULL
        WHERE block = (OLD.rowid - 1) / 512 AND token IS NOT NULL;
    END`,
  ],
];
