// Owns opening the edge's database: Drizzle over whichever libSQL client the platform has (a file in Node, a
// remote one anywhere), brought up to date before first use.
import type { Client } from '@libsql/client';
import { drizzle } from 'drizzle-orm/libsql/web';
import type { ReceiptStore } from 'nearfield/policy';
import type { CollectorStore } from 'nearfield/telemetry';
import type { AuditLog } from '../audit.ts';
import { createAuditStore } from './audits.ts';
import { migrate } from './migrations.ts';
import { createReceiptStore } from './receipts.ts';
import { createTelemetryStore } from './telemetry.ts';

export interface EdgeDatabase {
  readonly audit: AuditLog;
  readonly receipts: ReceiptStore;
  readonly telemetry: CollectorStore;
  close(): void;
}

/** The client is the database's from here on; `close` closes it. */
export async function openDatabase(client: Client): Promise<EdgeDatabase> {
  await migrate(client);
  const db = drizzle({ client });
  return {
    audit: createAuditStore(db),
    receipts: createReceiptStore(db),
    telemetry: createTelemetryStore(db),
    close: () => client.close(),
  };
}
