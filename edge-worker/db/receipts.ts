// Owns the receipts tables: the chains of what each request sent, one row a receipt. Chain and sequence are the key, so
// two writers cannot both add the same link.
import { asc, desc, eq, sql } from 'drizzle-orm';
import type { LibSQLDatabase } from 'drizzle-orm/libsql';
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import type { Receipt } from 'nearfield';
import { type ReceiptStore, SequenceTaken } from 'nearfield/policy';

// Whole, as JSON: it is only ever read whole, and its hash covers every field.
const receipt = text('receipt', { mode: 'json' }).$type<Receipt>().notNull();

/** The one chain that all tenants shared until each got its own. Its links can not be told apart, so it stays as it is. */
const shared = sqliteTable('receipts', { sequence: integer('sequence').primaryKey(), receipt });

const chains = sqliteTable(
  'receipt_chains',
  { chain: text('chain').notNull(), sequence: integer('sequence').notNull(), receipt },
  (table) => [primaryKey({ columns: [table.chain, table.sequence] })],
);

/** The chains in libSQL, shared by every process that uses the database. */
export function createReceiptStore(db: LibSQLDatabase): ReceiptStore {
  return {
    async last(chain) {
      const [row] =
        chain === undefined
          ? await db.select().from(shared).orderBy(desc(shared.sequence)).limit(1)
          : await db
              .select()
              .from(chains)
              .where(eq(chains.chain, chain))
              .orderBy(desc(chains.sequence))
              .limit(1);
      return row?.receipt;
    },
    async append(added) {
      const { chain, sequence } = added;
      const { rowsAffected } =
        chain === undefined
          ? await db.insert(shared).values({ sequence, receipt: added }).onConflictDoNothing()
          : await db.insert(chains).values({ chain, sequence, receipt: added }).onConflictDoNothing();
      if (rowsAffected === 0) throw new SequenceTaken();
    },
    async all() {
      const before = await db.select().from(shared).orderBy(asc(shared.sequence));
      // In the order they were added, which is each chain's own.
      const since = await db.select().from(chains).orderBy(sql`rowid`);
      return [...before, ...since].map((row) => row.receipt);
    },
  };
}
