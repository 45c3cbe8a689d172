// Owns what every model store must do. An adapter's test calls this with a way to make an empty store.
import { expect, test } from 'vitest';
import type { ModelStore } from './store.ts';

export function testModelStore(make: () => Promise<ModelStore>): void {
  const key = 'a'.repeat(64);
  const bytes = Uint8Array.of(1, 2, 3, 250);

  test('what was put comes back, byte for byte', async () => {
    const store = await make();
    await store.put(key, bytes);
    expect(await store.get(key)).toEqual(bytes);
    expect(await store.keys()).toEqual([key]);
  });

  test('an unknown key is undefined and deleting it is no error', async () => {
    const store = await make();
    expect(await store.get(key)).toBeUndefined();
    await store.delete(key);
    expect(await store.keys()).toEqual([]);
  });

  test('a second put replaces the first, a delete removes it, parts are keys of their own', async () => {
    const store = await make();
    await store.put(key, bytes);
    await store.put(key, Uint8Array.of(9));
    await store.put(`${key}.part0`, bytes);
    expect(await store.get(key)).toEqual(Uint8Array.of(9));
    await store.delete(key);
    expect(await store.keys()).toEqual([`${key}.part0`]);
  });

  test('the caller may change its buffer and the answer afterwards', async () => {
    const store = await make();
    const given = bytes.slice();
    await store.put(key, given);
    given.fill(0);
    (await store.get(key))?.fill(0);
    expect(await store.get(key)).toEqual(bytes);
  });

  test('parts join into one file that is read piece by piece and goes as one', async () => {
    const store = await make();
    const parts = [`${key}.part0`, `${key}.part1`];
    await store.put(parts[0]!, bytes);
    await store.put(parts[1]!, Uint8Array.of(7, 8));
    await store.join!(key, parts);
    const whole = Uint8Array.of(...bytes, 7, 8);
    expect(await store.keys()).toEqual([key]);
    expect(await store.get(key)).toEqual(whole);
    const read: number[] = [];
    for await (const piece of (await store.read!(key))!) read.push(...piece);
    expect(read).toEqual([...whole]);
    await store.delete(key);
    expect(await store.keys()).toEqual([]);
    expect(await store.read!(key)).toBeUndefined();
  });

  test('a file that lacks a part is not joined, one put over a joined one replaces it whole', async () => {
    const store = await make();
    await store.put(`${key}.part0`, bytes);
    await expect(store.join!(key, [`${key}.part0`, `${key}.part1`])).rejects.toMatchObject({
      code: 'storage-failed',
    });
    expect(await store.get(key)).toBeUndefined();
    await store.join!(key, [`${key}.part0`]);
    // As a second tab does that brought the same file.
    await store.put(`${key}.part0`, bytes);
    await store.join!(key, [`${key}.part0`]);
    expect(await store.get(key)).toEqual(bytes);
    await store.put(key, Uint8Array.of(5));
    expect(await store.keys()).toEqual([key]);
    expect(await store.get(key)).toEqual(Uint8Array.of(5));
  });
}
