// Owns remembering the chosen backend beside the model files it was chosen for.
import { sha256Hex } from '../hash.ts';
import type { ModelStore } from '../models.ts';
import type { ChoiceStore } from './session.ts';

/** Keeps choices as small entries of a model store, under a hash of device and model. */
export function choicesIn(store: ModelStore): ChoiceStore {
  const keyOf = async (key: string) => `choice-${await sha256Hex(new TextEncoder().encode(key))}`;
  return {
    async get(key) {
      const bytes = await store.get(await keyOf(key));
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
    },
    async set(key, value) {
      await store.put(await keyOf(key), new TextEncoder().encode(value));
    },
  };
}
