// Owns what makes two requests the same to the cache, and that nothing is found across scopes: every key
// is keyed by a secret of the store and by the scope. Plain scopes and contexts never reach a store.
import { sha256Hex, toHex } from '../hash.ts';
import type { CacheQuery } from '../types.ts';

export interface QueryKeys {
  readonly scopeHash: string;
  readonly contextHash: string;
  /** 32 hex digits, the entry's id. */
  readonly id: string;
  /** The question as compared: {@link normaliseText}. */
  readonly text: string;
}

export interface Keyring {
  scopeHash(scope: string): Promise<string>;
  keysOf(query: CacheQuery): Promise<QueryKeys>;
  /** Drops the plain scopes and contexts it remembers hashes of. */
  forget(): void;
}

/** Hashes remembered, so that a conversation's context is hashed once, not at lookup and write. */
const REMEMBERED = 64;

/** @param secretHex 64 hex digits, as {@link createScopeSecret} makes them. */
export async function createKeyring(secretHex: string): Promise<Keyring> {
  const key = await crypto.subtle.importKey(
    'raw',
    fromHex(secretHex),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  );
  const known = new Map<string, Promise<string>>();

  /** JSON of the parts, so that no two lists of strings give the same bytes. */
  function hash(...parts: readonly string[]): Promise<string> {
    const message = JSON.stringify(parts);
    const kept = known.get(message);
    if (kept !== undefined) return kept;
    const made = crypto.subtle
      .sign('HMAC', key, new TextEncoder().encode(message))
      .then((bytes) => toHex(new Uint8Array(bytes)));
    known.set(message, made);
    if (known.size > REMEMBERED) known.delete(known.keys().next().value ?? '');
    return made;
  }

  return {
    scopeHash: (scope) => hash('scope', scope),
    forget: () => known.clear(),
    async keysOf(query) {
      const text = normaliseText(query.text);
      const scopeHash = await hash('scope', query.scope);
      const contextHash = await hash('context', query.scope, query.context);
      const exact = await sha256Hex(JSON.stringify([scopeHash, contextHash, text]));
      return { scopeHash, contextHash, id: exact.slice(0, 32), text };
    },
  };
}

/** 32 random bytes in hex; made once a store and kept in its meta row. */
export function createScopeSecret(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(32)));
}

/**
 * What may differ between two texts that are exactly the same question: Unicode composition, line ends,
 * blanks around it and, where it is one line, runs of blanks. Indentation of many lines may be code, so
 * it stays; so does case.
 */
export function normaliseText(text: string): string {
  const composed = text.normalize('NFC').replaceAll(/\r\n?/g, '\n').trim();
  return composed.includes('\n') ? composed : composed.replaceAll(/\s+/g, ' ');
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
