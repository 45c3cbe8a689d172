import 'fake-indexeddb/auto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createIndexedDbStore } from './indexeddb.ts';
import { createMemoryStore } from './memory.ts';
import { createNodeFileStore } from './node-files.ts';
import { testModelStore } from './store.contract.ts';

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'nearfield-store-'));
  folders.push(made);
  return made;
}
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))));

describe('memory', () => {
  testModelStore(async () => createMemoryStore());
  test('says quota-exceeded and keeps what it had', async () => {
    const store = createMemoryStore({ quotaBytes: 4 });
    await store.put('a', new Uint8Array(3));
    await expect(store.put('b', new Uint8Array(2))).rejects.toMatchObject({ code: 'quota-exceeded' });
    expect(await store.keys()).toEqual(['a']);
  });
});

describe('node files', () => {
  testModelStore(async () => createNodeFileStore(join(await folder(), 'models')));
  test('leaves no temporary file and refuses keys that climb', async () => {
    const path = await folder();
    const store = createNodeFileStore(path);
    await store.put('a', new Uint8Array(3));
    expect(await readdir(path)).toEqual(['a']);
    await expect(store.put('../b', new Uint8Array(3))).rejects.toMatchObject({ code: 'storage-failed' });
  });
});

describe('indexeddb', () => {
  let databases = 0;
  testModelStore(async () => {
    databases += 1;
    return createIndexedDbStore({ name: `test-${databases}` });
  });
});
