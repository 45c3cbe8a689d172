// Owns what an operator or a user may do with what is kept: remove a selection (or only look what it
// would remove), erase a scope, export it. Here a failing store is told, never swallowed.

import { NearfieldError } from '../errors.ts';
import type { Clock } from '../types.ts';
import { decodeAnswer } from './answer-codec.ts';
import type { OpenCache } from './cache.ts';
import { normaliseText } from './keys.ts';
import { WRONG_PREFIX } from './learning.ts';
import type { ControllableCache, ExportedEntry, Selection } from './options.ts';
import { cosine } from './quantise.ts';
import type { EntryHead } from './store.ts';

/** "Everything like this" without a similarity. Unmeasured; a dry run shows what it takes. */
const LIKE_SIMILARITY = 0.8;

/** Removes what is kept for a scope and what its questions taught. */
export async function eraseScope(cache: OpenCache, scopeHash: string): Promise<number> {
  const heads = [...cache.catalogue.heads()].filter((head) => head.scopeHash === scopeHash);
  const ids = heads.map((head) => head.id);
  const learned = [
    ...cache.bound.forget(scopeHash),
    ...cache.freshness.forget(scopeHash),
    ...ids.map((id) => WRONG_PREFIX + id),
  ];
  cache.keyring.forget();
  return await cache.catalogue.remove(ids, learned);
}

export function createControls(
  opened: Promise<OpenCache>,
  clock: Clock,
  embed: (text: string) => Promise<Int8Array | undefined>,
  /** Told before anything is removed: what was begun until now must not be kept. */
  onErase: (scopeHash: string) => void,
): Pick<ControllableCache, 'erase' | 'invalidate' | 'exportScope'> {
  async function select(cache: OpenCache, selection: Selection): Promise<EntryHead[]> {
    const tests = await testsOf(cache, selection);
    if (tests.length === 0) {
      throw new NearfieldError('invalid-request', 'Expected a selection of cache entries, got an empty one.');
    }
    return [...cache.catalogue.heads()].filter((head) => tests.every((test) => test(head)));
  }

  async function testsOf(
    cache: OpenCache,
    { ids, scope, tag, olderThanMs, like }: Selection,
  ): Promise<((head: EntryHead) => boolean)[]> {
    const tests: ((head: EntryHead) => boolean)[] = [];
    if (ids !== undefined) tests.push((head) => ids.includes(head.id));
    if (tag !== undefined) tests.push((head) => head.tags.includes(tag));
    if (olderThanMs !== undefined) {
      const before = clock.now() - olderThanMs;
      tests.push((head) => head.createdAtMs < before);
    }
    if (scope !== undefined) {
      const scopeHash = await cache.keyring.scopeHash(scope);
      tests.push((head) => head.scopeHash === scopeHash);
    }
    if (like !== undefined) {
      if (scope === undefined) {
        throw new NearfieldError('invalid-request', 'Expected `scope` beside `like`, got none.');
      }
      tests.push(await likeTest(cache, like.text, like.similarity ?? LIKE_SIMILARITY));
    }
    return tests;
  }

  async function likeTest(
    cache: OpenCache,
    text: string,
    least: number,
  ): Promise<(head: EntryHead) => boolean> {
    const normalised = normaliseText(text);
    const values = await embed(normalised);
    return (head) => {
      if (head.text === normalised) return true;
      const kept = values === undefined ? undefined : cache.catalogue.vector(head);
      return values !== undefined && kept !== undefined && cosine(values, kept) >= least;
    };
  }

  return {
    async erase(scope) {
      const cache = await opened;
      const scopeHash = await cache.keyring.scopeHash(scope);
      onErase(scopeHash);
      return await eraseScope(cache, scopeHash);
    },
    async invalidate(selection) {
      const cache = await opened;
      const heads = await select(cache, selection);
      const ids = heads.map((head) => head.id);
      const bytes = heads.reduce((sum, head) => sum + head.bytes, 0);
      return { ids, bytes, removed: selection.dryRun ? 0 : await cache.catalogue.remove(ids) };
    },
    async exportScope(scope) {
      const cache = await opened;
      const heads = await select(cache, { scope });
      const entries: ExportedEntry[] = [];
      for (const { id, text, tags, createdAtMs, expiresAtMs, hits } of heads) {
        const answer = decodeAnswer(await cache.store.answer(id));
        if (answer !== undefined) entries.push({ id, text, answer, tags, createdAtMs, expiresAtMs, hits });
      }
      return entries;
    },
  };
}
