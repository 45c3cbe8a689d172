// Owns the receipts table: the chain of what each request sent, one row a receipt. The sequence is the key, so
// two writers cannot both add the same link.
import { asc, desc } from 'drizzle-orm';
import type { LibSQLDatabase } from 'drizzle-orm/libsql';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import type { Receipt } from 'nearfield';
import { type ReceiptStore, SequenceTaken } from 'nearfield/policy';

const receipts = sqliteTable('receipts', {
  sequence: integer('sequence').primaryKey(),
  // Whole, as JSON: it is only ever read whole, and its hash covers every field.
  receipt: text('receipt', { mode: 'json' }).$type<Receipt>().notNull(),
});

/** The chain in libSQL, shared by every process that uses the database. */
export function createReceiptStore(db: LibSQLDatabase): ReceiptStore {
  return {
    async last() {
      const [row] = await db.select().from(receipts).orderBy(desc(receipts.sequence)).limit(1);
      return row?.receipt;
    },
    async append(receipt) {
      const row = { sequence: receipt.sequence, receipt };
      const added = await db.insert(receipts).values(row).onConflictDoNothing();
      if (added.rowsAffected === 0) throw new SequenceTaken();
    },
    async all() {
      const rows = await db.select().from(receipts).orderBy(asc(receipts.sequence));
      return rows.map((row) => row.receipt);
    },
  };
}
