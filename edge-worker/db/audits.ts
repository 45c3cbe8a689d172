// Owns the audits table: one row a request, no content. Written once, read newest first, erased by age.
import { desc, lt } from 'drizzle-orm';
import type { LibSQLDatabase } from 'drizzle-orm/libsql';
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import type { AuditLog, AuditRow } from '../audit.ts';

const audits = sqliteTable('audits', {
  id: text('id').primaryKey(),
  atMs: integer('at_ms').notNull(),
  route: text('route').notNull(),
  scopeHash: text('scope_hash').notNull(),
  status: integer('status').notNull(),
  errorCode: text('error_code'),
  tier: text('tier'),
  cache: text('cache'),
  bytesIn: integer('bytes_in').notNull(),
  bytesOut: integer('bytes_out').notNull(),
  egressBytes: integer('egress_bytes').notNull(),
  promptTokens: integer('prompt_tokens').notNull(),
  completionTokens: integer('completion_tokens').notNull(),
  ttftMs: real('ttft_ms'),
  durationMs: real('duration_ms').notNull(),
  receipt: text('receipt'),
});

/** The audit log in libSQL. */
export function createAuditStore(db: LibSQLDatabase): AuditLog {
  return {
    async write(row: AuditRow) {
      await db.insert(audits).values(row);
    },
    recent: async (limit) => await db.select().from(audits).orderBy(desc(audits.atMs)).limit(limit),
    async prune(beforeMs) {
      const erased = await db.delete(audits).where(lt(audits.atMs, beforeMs));
      return erased.rowsAffected;
    },
  };
}
