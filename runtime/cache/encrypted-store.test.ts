// Encryption over the memory store: the shared battery, nothing in the clear, lost and turned keys.
import { describe, expect, it, vi } from 'vitest';
import { type CacheKeys, encryptStore } from './encrypted-store.ts';
import { createSemanticCache } from './index.ts';
import { createMemoryCacheStore } from './memory.ts';
import { allHeads, STORE_CHECKS, same, sampleEntry, toHead } from './store.contract.ts';
import { allPages, type CacheStore, type StoreChange } from './store.ts';
import { answerOf, ask, embedWords } from './testing.fixture.ts';

interface Keys extends CacheKeys {
  readonly records: { readonly epoch: number; readonly key: CryptoKey }[];
}

async function createKeys(): Promise<Keys> {
  const records: Keys['records'] = [];
  const make = async (): Promise<void> => {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]);
    records.push({ epoch: crypto.getRandomValues(new Uint32Array(1))[0]!, key });
  };
  await make();
  return {
    records,
    current: () => records.at(-1)!,
    find: async (epoch) => records.find((record) => record.epoch === epoch)?.key,
    rotate: make,
    async retire() {
      records.splice(0, records.length - 1);
    },
    async shred() {
      records.splice(0);
      await make();
    },
  };
}

/** A memory store that a second opening finds as it was left. */
function createPlace(): CacheStore {
  return { ...createMemoryCacheStore(), close: async () => undefined };
}

/** All that lies in the store, as text; vectors as the characters of their bytes. */
async function rawOf(store: CacheStore): Promise<string> {
  const rows: unknown[] = [...(await store.meta(''))];
  for await (const page of allPages(store)) {
    for (const head of page) {
      const vector = String.fromCharCode(...new Uint8Array(head.vector?.values ?? []));
      rows.push({ ...head, vector }, await store.answer(head.id));
    }
  }
  return JSON.stringify(rows);
}

describe('encrypted store', () => {
  it.each(STORE_CHECKS.filter(({ name }) => !name.startsWith('rejects')))('$name', async (check) => {
    const keys = await createKeys();
    const place = createPlace();
    await check.run(async () => encryptStore(place, keys));
  });

  it('holds no word, tag, vector, answer or meta value in the clear', async () => {
    const write = async (store: CacheStore): Promise<void> => {
      const cache = createSemanticCache({ store, embed: embedWords });
      await cache.write(ask('my CANARY question'), answerOf('a CANARY answer'), { tags: ['CANARY'] });
      await store.apply({ meta: { note: 'CANARY' }, put: [sampleEntry(7)] });
    };
    const plain = createPlace();
    await write(plain);
    expect((await rawOf(plain)).match(/CANARY/g)).toHaveLength(4);
    const place = createPlace();
    await write(encryptStore(place, await createKeys()));
    const raw = await rawOf(place);
    expect(raw).not.toMatch(/CANARY|Q0FOQVJZ|question/);
    const vector = String.fromCharCode(...new Uint8Array(sampleEntry(7).vector!.values));
    expect(raw).not.toContain(JSON.stringify(vector).slice(1, -1));
  });

  it('drops what another key wrote, and works on', async () => {
    const place = createPlace();
    const before = encryptStore(place, await createKeys());
    await before.apply({ put: [sampleEntry(1), sampleEntry(2)], meta: { m: 'x' } });
    const secret = await before.claim('scope-secret', 'a');
    const after = encryptStore(place, await createKeys());
    expect(await allHeads(after)).toEqual([]);
    expect((await after.meta('m')).size).toBe(0);
    expect(await after.answer(sampleEntry(1).id)).toBeUndefined();
    expect([secret, await after.claim('scope-secret', 'b')]).toEqual(['a', 'b']);
    expect(await allHeads(place)).toEqual([]);
    await after.apply({ put: [sampleEntry(3)] });
    same(await allHeads(after), [toHead(sampleEntry(3))]);
  });

  it('drops what was damaged or put in another place, and keeps the rest', async () => {
    const place = createPlace();
    const store = encryptStore(place, await createKeys());
    await store.apply({ put: [sampleEntry(1), sampleEntry(2), sampleEntry(3)] });
    const [one, two] = await allHeads(place);
    const values = one!.vector!.values.slice();
    values[30]! ^= 1;
    const swapped = { ...one!, id: two!.id, answer: (await place.answer(one!.id))! };
    await place.apply({ put: [{ ...one!, vector: { values, scale: 0 }, answer: 'not base64!' }, swapped] });
    expect(await store.answer(one!.id)).toBeUndefined();
    expect(await store.answer(two!.id)).toBeUndefined();
    same(await allHeads(store), [toHead(sampleEntry(3))]);
  });

  it('turns the key: everything is read under the new one alone', async () => {
    const place = createPlace();
    const keys = await createKeys();
    const store = encryptStore(place, keys);
    await store.apply({ put: [sampleEntry(1), sampleEntry(2)], meta: { m: 'x' } });
    const raw = await rawOf(place);
    const old = keys.records[0]!;
    expect(await store.rotate()).toBe(2);
    expect(keys.records).toHaveLength(1);
    expect(keys.records[0]).not.toBe(old);
    same(await allHeads(store), [toHead(sampleEntry(1)), toHead(sampleEntry(2))]);
    expect(await store.answer(sampleEntry(2).id)).toBe(sampleEntry(2).answer);
    expect([...(await store.meta(''))]).toEqual([['m', 'x']]);
    expect(await rawOf(place)).not.toBe(raw);
  });

  it('makes changes in the order asked for, even where the first takes longest to encrypt', async () => {
    const place = createPlace();
    const store = encryptStore(place, await createKeys());
    const encrypt = crypto.subtle.encrypt.bind(crypto.subtle);
    const slow = vi.spyOn(crypto.subtle, 'encrypt').mockImplementationOnce(async (...given) => {
      await new Promise((done) => setTimeout(done, 30));
      return await encrypt(...given);
    });
    await Promise.all([
      store.apply({ put: [sampleEntry(1)], meta: { m: 'first' } }),
      store.apply({ remove: [sampleEntry(1).id], meta: { m: 'second' } }),
    ]);
    slow.mockRestore();
    expect(await allHeads(store)).toEqual([]);
    expect([...(await store.meta(''))]).toEqual([['m', 'second']]);
  });

  it('loses and brings back nothing that changes while the key turns', async () => {
    const place = createPlace();
    const keys = await createKeys();
    const store = encryptStore(place, keys);
    const kept = Array.from({ length: 20 }, (_, at) => sampleEntry(at));
    await store.apply({ put: kept, meta: { m: 'before' } });
    const [rewritten, , , heads] = await Promise.all([
      store.rotate(),
      store.apply({ remove: [kept[0]!.id], put: [sampleEntry(30)] }),
      store.apply({ meta: { m: 'after' } }),
      allHeads(store),
      store.meta(''),
    ]);
    expect(rewritten).toBe(20);
    expect(heads.length).toBeGreaterThanOrEqual(20);
    const wanted = [...kept.slice(1), sampleEntry(30)].map(toHead).sort((a, b) => (a.id < b.id ? -1 : 1));
    same(await allHeads(store), wanted);
    expect([...(await store.meta(''))]).toEqual([['m', 'after']]);
    expect(await allHeads(encryptStore(place, keys))).toHaveLength(20);
  });

  it('shreds: the key goes, so a copy taken before opens for nobody', async () => {
    const place = createPlace();
    const keys = await createKeys();
    const store = encryptStore(place, keys);
    await store.apply({ put: [sampleEntry(1)], meta: { m: 'x' } });
    const copy = createPlace();
    const [head] = await allHeads(place);
    await copy.apply({ put: [{ ...head!, answer: (await place.answer(head!.id))! }] });
    await store.shred();
    expect(await rawOf(place)).toBe('[]');
    expect(await allHeads(encryptStore(copy, keys))).toEqual([]);
  });

  it('shreds in the midst of a turn: nothing that was read before is written again', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const inner = createPlace();
    const written: StoreChange[] = [];
    const place: CacheStore = {
      ...inner,
      async answer(id) {
        const stored = await inner.answer(id);
        reach();
        await gate;
        return stored;
      },
      async apply(change) {
        written.push(change);
        await inner.apply(change);
      },
    };
    const store = encryptStore(place, await createKeys());
    await store.apply({ put: [sampleEntry(1)], meta: { m: 'x' } });
    const turning = store.rotate();
    await reached;
    const shredding = store.shred();
    written.splice(0);
    open();
    expect(await turning).toBe(0);
    await shredding;
    expect(written.flatMap(({ put = [] }) => put)).toEqual([]);
    expect(written.flatMap(({ meta = {} }) => Object.values(meta)).filter((value) => value !== null)).toEqual(
      [],
    );
    expect(await rawOf(inner)).toBe('[]');
  });

  it('does not wait for a key that turns to say that nothing is kept, nor to read what is', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const keys = await createKeys();
    const turn = async (): Promise<void> => {
      await gate;
      await keys.rotate();
    };
    const store = encryptStore(createPlace(), { ...keys, rotate: turn });
    await store.apply({ put: [sampleEntry(1)] });
    const turning = store.rotate();
    expect(await store.answer('absent')).toBeUndefined();
    expect(await store.answer(sampleEntry(1).id)).toBe(sampleEntry(1).answer);
    open();
    expect(await turning).toBe(1);
  });
});
