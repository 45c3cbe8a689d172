import { expect, test } from 'vitest';
import { createMemoryStore } from '../model-files/memory.ts';
import { choicesIn } from './choices.ts';

test('a choice is kept beside the files, under a name that says nothing of the device', async () => {
  const store = createMemoryStore();
  const choices = choicesIn(store);
  expect(await choices.get('Mozilla/5.0|8|gpu/abc')).toBeUndefined();
  await choices.set('Mozilla/5.0|8|gpu/abc', 'kernel');
  expect(await choices.get('Mozilla/5.0|8|gpu/abc')).toBe('kernel');
  expect(await choices.get('Mozilla/5.0|4|gpu/abc')).toBeUndefined();
  expect(await store.keys()).toEqual([expect.stringMatching(/^choice-[0-9a-f]{64}$/)]);
});
