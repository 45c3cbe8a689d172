// The shared battery over a Durable Object's SQLite, in a real workerd.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningWorkerd, startWorkerd } from '../../scripts/testing/workerd.ts';
import { STORE_CHECKS } from './store.contract.ts';

let workerd: RunningWorkerd;
beforeAll(async () => {
  workerd = await startWorkerd({
    entry: new URL('./durable-object.fixture.ts', import.meta.url),
    bindings: { durableObjects: { CACHE: { className: 'CacheObject', useSQLite: true } } },
  });
});
afterAll(async () => await workerd?.stop());

describe('durable object cache store', () => {
  it.each(STORE_CHECKS.map((check) => check.name))('%s', async (name) => {
    const response = await workerd.fetch(`/?check=${encodeURIComponent(name)}`);
    expect(await response.text()).toBe('passed');
  });
});
