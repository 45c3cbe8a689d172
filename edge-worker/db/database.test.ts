import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { createClient as createWebClient } from '@libsql/client/web';
import { createReceiptBook, verifyReceipts } from 'nearfield/policy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startLibsqlEmulator } from '../../scripts/emulators/libsql.ts';
import type { AuditRow } from '../audit.ts';
import { openDatabase } from './database.ts';
import { MIGRATIONS, migrate } from './migrations.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edge-db-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const open = async () => await openDatabase(createClient({ url: `file:${join(folder, 'edge.db')}` }));

function row(id: string, atMs: number): AuditRow {
  return {
    id,
    atMs,
    route: '/v1/embeddings',
    scopeHash: 'f'.repeat(32),
    status: 200,
    errorCode: null,
    tier: 'device',
    cache: null,
    bytesIn: 10,
    bytesOut: 20,
    egressBytes: 0,
    promptTokens: 4,
    completionTokens: 0,
    ttftMs: null,
    durationMs: 1.5,
    receipt: null,
  };
}

describe('the edge database', () => {
  it('keeps audit rows over a restart, newest first, and erases old ones', async () => {
    const first = await open();
    await first.audit.write(row('one', 100));
    await first.audit.write(row('two', 200));
    first.close();
    const second = await open();
    expect(await second.audit.recent(10)).toEqual([row('two', 200), row('one', 100)]);
    expect(await second.audit.prune(150)).toBe(1);
    expect(await second.audit.recent(10)).toEqual([row('two', 200)]);
    second.close();
  });

  it('counts cells and spends each nonce once', async () => {
    const { telemetry, close } = await open();
    const cell = { cohort: 3, metric: 'tier', value: 'edge' } as const;
    const claims = await Promise.all(Array.from({ length: 8 }, () => telemetry.claim('n', 20)));
    expect(claims.filter((won) => won)).toHaveLength(1);
    await Promise.all(Array.from({ length: 8 }, () => telemetry.add(cell)));
    expect(await telemetry.cells()).toEqual([{ ...cell, count: 8 }]);
    await telemetry.prune(21);
    expect(await telemetry.claim('n', 40)).toBe(true);
    close();
  });

  it('is brought up to date once, however many open it at a time', async () => {
    const opened = await Promise.all([open(), open(), open()]);
    await opened[0]?.audit.write(row('one', 1));
    expect(await opened[2]?.audit.recent(1)).toHaveLength(1);
    for (const database of opened) database.close();
  });
});

describe('receipts', () => {
  const draft = (requestId: string, chain?: string) => ({
    ...(chain !== undefined && { chain }),
    requestId,
    atMs: 1,
    tier: { id: 'device', kind: 'device' as const },
    rules: [],
    redactedByType: {},
    bytesOut: 0,
    hosts: [],
  });

  it('of the one chain of before are all kept, beside the new ones of each tenant', async () => {
    const url = `file:${join(folder, 'edge.db')}`;
    const client = createClient({ url });
    await migrate(client, MIGRATIONS.slice(0, 1));
    const before = createReceiptBook();
    for (const id of ['r1', 'r2', 'r3']) {
      const receipt = await before.issue(draft(id));
      const args = [receipt.sequence, JSON.stringify(receipt)];
      await client.execute({ sql: 'INSERT INTO receipts (sequence, receipt) VALUES (?, ?)', args });
    }
    client.close();

    const first = await open();
    const book = createReceiptBook({ store: first.receipts });
    for (const [id, tenant] of [
      ['r4', 'acme'],
      ['r5', 'initech'],
      ['r6', 'acme'],
    ] as const) {
      await book.issue(draft(id, tenant));
    }
    first.close();
    const second = await open();
    const receipts = await second.receipts.all();
    expect(receipts.map(({ chain, sequence }) => [chain, sequence])).toEqual([
      [undefined, 1],
      [undefined, 2],
      [undefined, 3],
      ['acme', 1],
      ['initech', 1],
      ['acme', 2],
    ]);
    expect(receipts.slice(0, 3)).toEqual(await before.all());
    expect(await verifyReceipts(receipts)).toMatchObject({ ok: true, count: 6 });
    // An edge of the version before, still running, goes on with its chain.
    const old = await createReceiptBook({ store: second.receipts }).issue(draft('r7'));
    expect(old.sequence).toBe(4);
    expect(await verifyReceipts(await second.receipts.all())).toMatchObject({ ok: true, count: 7 });
    second.close();
  });

  it('of one tenant are one chain, however many processes write it at once', async () => {
    const opened = [await open(), await open()];
    const books = opened.map(({ receipts: store }) => createReceiptBook({ store }));
    const ids = Array.from({ length: 12 }, (_, at) => at);
    await Promise.all(ids.map((at) => books[at % 2]!.issue(draft(`r${at}`, at % 3 === 0 ? 'a' : 'b'))));
    const all = await opened[0]!.receipts.all();
    expect(await verifyReceipts(all)).toMatchObject({ ok: true, count: 12 });
    expect(all.filter(({ chain }) => chain === 'a').map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(books.map((book) => book.durable())).toEqual([true, true]);
    for (const database of opened) database.close();
  });
});

describe('a remote database', () => {
  it('keeps the same as a file, through the web client, and asks for its token', async () => {
    const server = await startLibsqlEmulator({ token: 'secret-token' });
    const remote = () => openDatabase(createWebClient({ url: server.url, authToken: 'secret-token' }));
    const first = await remote();
    await first.audit.write(row('one', 100));
    const cell = { cohort: 3, metric: 'tier', value: 'edge' } as const;
    expect([await first.telemetry.claim('n', 9), await first.telemetry.claim('n', 9)]).toEqual([true, false]);
    await first.telemetry.add(cell);
    await first.telemetry.add(cell);
    first.close();
    const second = await remote();
    expect(await second.audit.recent(5)).toEqual([row('one', 100)]);
    expect(await second.telemetry.cells()).toEqual([{ ...cell, count: 2 }]);
    second.close();
    await expect(openDatabase(createWebClient({ url: server.url, authToken: 'wrong' }))).rejects.toThrow();
    await server.stop();
  });
});
