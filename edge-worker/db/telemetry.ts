// Owns the telemetry tables: counts by cohort, metric and value, and the nonces spent. No report is kept, and
// nothing joins a nonce to the cell it counted in.
import { lt, sql } from 'drizzle-orm';
import type { LibSQLDatabase } from 'drizzle-orm/libsql';
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { type Cell, type CollectorStore, METRICS } from 'nearfield/telemetry';

const cells = sqliteTable(
  'telemetry_cells',
  {
    cohort: integer('cohort').notNull(),
    metric: text('metric').notNull(),
    value: text('value').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.cohort, table.metric, table.value] })],
);

const nonces = sqliteTable('telemetry_nonces', {
  nonce: text('nonce').primaryKey(),
  lastDay: integer('last_day').notNull(),
});

/** The collector's store in libSQL. */
export function createTelemetryStore(db: LibSQLDatabase): CollectorStore {
  return {
    async claim(nonce, lastDay) {
      const claimed = await db.insert(nonces).values({ nonce, lastDay }).onConflictDoNothing();
      return claimed.rowsAffected === 1;
    },
    async add(cell) {
      await db
        .insert(cells)
        .values({ ...cell, count: 1 })
        .onConflictDoUpdate({
          target: [cells.cohort, cells.metric, cells.value],
          set: { count: sql`${cells.count} + 1` },
        });
    },
    async cells() {
      const rows = await db.select().from(cells);
      return rows.filter(isCell);
    },
    async prune(day) {
      await db.delete(nonces).where(lt(nonces.lastDay, day));
    },
  };
}

/** Rows of a metric that the schema no longer has are left out. */
function isCell(row: { metric: string }): row is Cell {
  return Object.hasOwn(METRICS, row.metric);
}
