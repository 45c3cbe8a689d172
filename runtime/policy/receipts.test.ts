// Receipts: the chain, its export, what verification notices, two books over one store.
import 'fake-indexeddb/auto';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../hash.ts';
import type { Receipt } from '../types.ts';
import {
  createMemoryReceiptStore,
  createReceiptBook,
  exportReceipts,
  parseReceipts,
  type ReceiptStore,
  verifyReceipts,
} from './index.ts';
import { createIndexedDbReceiptStore, type IndexedDbReceiptStore } from './receipts-indexeddb.ts';

const draft = (id: string): Omit<Receipt, 'sequence' | 'previous' | 'hash'> => ({
  requestId: id,
  atMs: 1_700_000_000_000,
  tier: { id: 'edge', kind: 'edge' },
  rules: ['personal-redacted'],
  redactedByType: { email: 1, person: 2 },
  bytesOut: 1234,
  hosts: ['edge.example'],
});

async function chainOf(length: number): Promise<readonly Receipt[]> {
  const book = createReceiptBook();
  await Promise.all(Array.from({ length }, (_, at) => book.issue(draft(`r${at}`))));
  return book.all();
}

describe('the chain', () => {
  it('numbers and links receipts issued at once', async () => {
    const receipts = await chainOf(20);
    expect(receipts.map((one) => one.sequence)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(receipts[0]?.previous).toBe('0'.repeat(64));
    expect(await verifyReceipts(receipts)).toEqual({
      ok: true,
      count: 20,
      first: 1,
      head: receipts[19]?.hash,
    });
  });

  it('hashes canonical JSON: a known value', async () => {
    expect(canonicalJson({ b: [1, 'x'], a: { d: null, c: true } })).toBe(
      '{"a":{"c":true,"d":null},"b":[1,"x"]}',
    );
    const [receipt] = await chainOf(1);
    const { hash, ...body } = receipt!;
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(canonicalJson(body)));
    expect(hash).toBe(Buffer.from(digest).toString('hex'));
  });

  it('survives export and import, key order included', async () => {
    const receipts = await chainOf(5);
    const back = parseReceipts(exportReceipts(receipts));
    expect(back).toEqual(receipts);
    expect((await verifyReceipts(back)).ok).toBe(true);
  });

  it('notices every single change, removal and swap', async () => {
    const receipts = await chainOf(6);
    const edits: ((one: Receipt) => Receipt)[] = [
      (one) => ({ ...one, bytesOut: 0 }),
      (one) => ({ ...one, hosts: [] }),
      (one) => ({ ...one, atMs: one.atMs + 1 }),
      (one) => ({ ...one, rules: [...one.rules, 'x'] }),
      (one) => ({ ...one, tier: { id: 'device', kind: 'device' } }),
      (one) => ({ ...one, redactedByType: { email: 2, person: 2 } }),
      (one) => ({ ...one, hash: one.hash.replace(/.$/, (c) => (c === '0' ? '1' : '0')) }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.nat(5), fc.nat(edits.length - 1), async (at, edit) => {
        const forged = receipts.with(at, edits[edit]!(receipts[at]!));
        expect((await verifyReceipts(forged)).ok).toBe(false);
      }),
    );
    for (let at = 1; at < 5; at += 1) {
      expect((await verifyReceipts(receipts.toSpliced(at, 1))).ok).toBe(false);
    }
    expect((await verifyReceipts(receipts.toReversed())).ok).toBe(false);
  });

  it('notices a cut end only when told the head', async () => {
    const receipts = await chainOf(4);
    const cut = receipts.slice(0, 3);
    expect((await verifyReceipts(cut)).ok).toBe(true);
    expect(await verifyReceipts(cut, { head: receipts[3]!.hash })).toEqual({
      ok: false,
      index: 3,
      reason: 'head',
    });
    expect(await verifyReceipts(receipts.slice(2))).toMatchObject({ ok: true, first: 3 });
  });

  it.each(['{}', 'nonsense', '{"sequence":1}'])('refuses to read %s as a receipt', (line) => {
    expect(() => parseReceipts(line)).toThrowError(/Line 1 is not a receipt/);
  });
});

describe('several chains', () => {
  const of = (chain: string, id: string) => ({ ...draft(id), chain });

  async function mixed(): Promise<readonly Receipt[]> {
    const book = createReceiptBook();
    const chains = ['a', 'b', 'a', undefined, 'a', 'b'];
    await Promise.all(
      chains.map((chain, at) => book.issue(chain === undefined ? draft(`r${at}`) : of(chain, `r${at}`))),
    );
    return await book.all();
  }

  it('count and link their own receipts alone, and are verified each by itself', async () => {
    const receipts = await mixed();
    const numbers = (chain?: string) =>
      receipts.flatMap((one) => (one.chain === chain ? [one.sequence] : []));
    expect([numbers('a'), numbers('b'), numbers()]).toEqual([[1, 2, 3], [1, 2], [1]]);
    const headOf = (chain?: string) => receipts.findLast((one) => one.chain === chain)!.hash;
    const result = await verifyReceipts(parseReceipts(exportReceipts(receipts)));
    expect(result).toMatchObject({ ok: true, count: 6 });
    expect(result.ok && result.chains).toHaveLength(3);
    expect(result.ok && result.chains).toEqual(
      expect.arrayContaining([
        { chain: 'a', count: 3, first: 1, head: headOf('a') },
        { chain: 'b', count: 2, first: 1, head: headOf('b') },
        { count: 1, first: 1, head: headOf() },
      ]),
    );
    expect(await verifyReceipts(receipts.filter(({ chain }) => chain === 'b'))).toMatchObject({
      ok: true,
      count: 2,
      head: headOf('b'),
    });
  });

  it('show every receipt that was moved to another, left out or cut off', async () => {
    const receipts = await mixed();
    for (const at of receipts.keys()) {
      const { chain, ...plain } = receipts[at]!;
      const moved: Receipt = chain === 'a' ? { ...plain, chain: 'b' } : { ...plain, chain: 'a' };
      expect((await verifyReceipts(receipts.with(at, moved))).ok).toBe(false);
    }
    const middle = receipts.findIndex((one) => one.chain === 'a' && one.sequence === 2);
    expect(await verifyReceipts(receipts.toSpliced(middle, 1))).toMatchObject({ ok: false });
    const heads = ['a', 'b'].map((chain) => receipts.findLast((one) => one.chain === chain)!.hash);
    expect(await verifyReceipts(receipts, { head: heads })).toMatchObject({ ok: true });
    const cut = receipts.filter(({ hash }) => hash !== heads[0]);
    expect(await verifyReceipts(cut, { head: heads })).toMatchObject({ ok: false, reason: 'head' });
  });

  it('do not wait for one another', async () => {
    const memory = createMemoryReceiptStore();
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow: ReceiptStore = {
      ...memory,
      async append(receipt) {
        if (receipt.chain === 'a') await promise;
        await memory.append(receipt);
      },
    };
    const book = createReceiptBook({ store: slow });
    const waiting = book.issue(of('a', 'r1'));
    expect((await book.issue(of('b', 'r2'))).sequence).toBe(1);
    resolve();
    expect((await waiting).sequence).toBe(1);
  });

  it('go on where they were though their receipts are no longer kept', async () => {
    const book = createReceiptBook({ store: createMemoryReceiptStore(2) });
    await book.issue(of('quiet', 'r0'));
    for (let at = 1; at <= 5; at += 1) await book.issue(of('busy', `r${at}`));
    const next = await book.issue(of('quiet', 'r6'));
    expect(next.sequence).toBe(2);
    expect((await book.all()).map(({ requestId }) => requestId)).toEqual(['r5', 'r6']);
    expect(await verifyReceipts(await book.all())).toMatchObject({ ok: true });
  });
});

describe('stores', () => {
  const opened: IndexedDbReceiptStore[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });
  const stores: readonly [string, () => [ReceiptStore, ReceiptStore]][] = [
    [
      'memory',
      () => {
        const store = createMemoryReceiptStore();
        return [store, store];
      },
    ],
    [
      'indexeddb',
      () => {
        const name = `receipts-${crypto.randomUUID()}`;
        const two: [IndexedDbReceiptStore, IndexedDbReceiptStore] = [
          createIndexedDbReceiptStore(name),
          createIndexedDbReceiptStore(name),
        ];
        opened.push(...two);
        return two;
      },
    ],
  ];

  it.each(stores)('%s: two books over one store keep one chain', async (_name, make) => {
    const [a, b] = make();
    const books = [createReceiptBook({ store: a }), createReceiptBook({ store: b })];
    await Promise.all(Array.from({ length: 12 }, (_, at) => books[at % 2]!.issue(draft(`r${at}`))));
    const all = await books[0]!.all();
    expect(all).toHaveLength(12);
    expect(await verifyReceipts(all)).toMatchObject({ ok: true, first: 1 });
    expect(books.map((book) => book.durable())).toEqual([true, true]);
  });

  it('a failing store costs durability, never the receipt', async () => {
    const broken: ReceiptStore = {
      last: () => Promise.reject(new Error('gone')),
      append: () => Promise.reject(new Error('gone')),
      all: () => Promise.reject(new Error('gone')),
    };
    const book = createReceiptBook({ store: broken });
    const first = await book.issue(draft('a'));
    const second = await book.issue(draft('b'));
    expect(book.durable()).toBe(false);
    expect(second.previous).toBe(first.hash);
    expect(await verifyReceipts(await book.all())).toMatchObject({ ok: true, count: 2 });
  });

  it('goes on where a kept chain stands when the store fails after it was read, and keeps other chains in it', async () => {
    const store = createMemoryReceiptStore();
    const before = createReceiptBook({ store });
    for (const chain of ['a', 'a', 'b']) await before.issue({ ...draft('before'), chain });
    let full = true;
    const failing: ReceiptStore = {
      ...store,
      async append(receipt) {
        if (full) throw new Error('the disk is full');
        await store.append(receipt);
      },
    };
    const book = createReceiptBook({ store: failing });
    expect(await book.issue({ ...draft('in memory'), chain: 'a' })).toMatchObject({ sequence: 3 });
    full = false;
    await book.issue({ ...draft('kept'), chain: 'b' });
    expect(book.durable()).toBe(false);
    expect((await store.all()).map(({ requestId }) => requestId)).toContain('kept');
    expect(await verifyReceipts(await book.all())).toMatchObject({
      ok: true,
      chains: [
        { chain: 'a', count: 3 },
        { chain: 'b', count: 2 },
      ],
    });
  });

  it('of a page goes on where it was when somebody names another, which is kept in memory', async () => {
    const store = createIndexedDbReceiptStore(`receipts-${crypto.randomUUID()}`);
    opened.push(store);
    const book = createReceiptBook({ store });
    await book.issue(draft('a'));
    expect(await book.issue({ ...draft('b'), chain: 'x' })).toMatchObject({ sequence: 1 });
    await book.issue(draft('c'));
    expect((await store.all()).map(({ requestId }) => requestId)).toEqual(['a', 'c']);
    expect(await verifyReceipts(await book.all())).toMatchObject({ ok: true, count: 3 });
  });
});
