// The shared battery over the stores Node can hold; the browser's are in *.chromium.test.ts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'fake-indexeddb/auto';
import { createClient } from '@libsql/client';
import { afterAll, describe, expect, it } from 'vitest';
import { openIndexedDbCacheStore } from './indexeddb.ts';
import { openLibsqlCacheStore } from './libsql.ts';
import { createClientPort } from './libsql-client-port.ts';
import { openLibsqlStore } from './libsql-store.ts';
import { createMemoryCacheStore } from './memory.ts';
import { STORE_CHECKS, sampleEntry } from './store.contract.ts';
import type { CacheStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'nearfield-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const SURVIVES_CLOSING = new Set(['gives back what was put, after reopening', 'lets one claim win']);

/** Each place is fresh; opening it twice opens the same one. */
const PLACES: Readonly<Record<string, (place: number) => () => Promise<CacheStore>>> = {
  memory: () => async () => createMemoryCacheStore(),
  indexeddb: (place) => () => openIndexedDbCacheStore({ name: `place-${place}` }),
  'libsql file': (place) => () => openLibsqlCacheStore({ url: `file:${join(folder, `${place}.db`)}` }),
  'libsql memory': () => () => openLibsqlCacheStore({ url: ':memory:' }),
};

let place = 0;
for (const [name, at] of Object.entries(PLACES)) {
  describe(`${name} cache store`, () => {
    const checks = STORE_CHECKS.filter(
      (check) => !name.includes('memory') || !SURVIVES_CLOSING.has(check.name),
    );
    it.each(checks)('$name', async (check) => {
      await check.run(at(place++));
    });
  });
}

describe('a full store', () => {
  it('says quota-exceeded and keeps what it had', async () => {
    const store = createMemoryCacheStore({ quotaBytes: 250 });
    await store.apply({ put: [sampleEntry(1), sampleEntry(2)] });
    await expect(store.apply({ put: [sampleEntry(3)] })).rejects.toMatchObject({ code: 'quota-exceeded' });
    expect(await store.answer(sampleEntry(1).id)).toBe(sampleEntry(1).answer);
    await store.apply({ put: [sampleEntry(3)], remove: [sampleEntry(1).id] });
  });

  it('says quota-exceeded when SQLite is at its page limit', async () => {
    const client = createClient({ url: ':memory:' });
    await client.execute('PRAGMA max_page_count = 20');
    const store = await openLibsqlStore(createClientPort(client), 'test');
    const big = sampleEntry(1, { answer: 'x'.repeat(200_000) });
    await expect(store.apply({ put: [big] })).rejects.toMatchObject({ code: 'quota-exceeded' });
    await store.apply({ put: [sampleEntry(2)] });
    expect(await store.answer(sampleEntry(2).id)).toBe(sampleEntry(2).answer);
  });
});
