// Owns API keys: kept as SHA-256 only, compared in constant time, each bound to one tenant. A key says which
// tenant's scope a caller lives in; nothing a caller sends can name another.
import { NearfieldError, type TierKind } from 'nearfield';

export interface ApiKey {
  /** Letters, digits, `.`, `_` and `-`, at most 64: no separator, so scopes of two tenants never meet. */
  readonly tenant: string;
  /** Hex SHA-256 of the key. */
  readonly hash: string;
  /** Farthest tier this key may reach. Default `cloud`, as far as the policy goes. */
  readonly farthest?: TierKind | undefined;
  readonly requestsPerMinute?: number | undefined;
}

export interface Keyring {
  /** The key this token is, if any. Takes as long whichever it is. */
  find(token: string): Promise<ApiKey | undefined>;
}

const TENANT = /^[A-Za-z0-9._-]{1,64}$/;
const HASH = /^[0-9a-f]{64}$/;
const KINDS: readonly string[] = ['device', 'edge', 'cloud'] satisfies TierKind[];

/** Hex SHA-256, the form keys are configured in. Keys must be random and long; this is no password hash. */
export async function hashApiKey(key: string): Promise<string> {
  return toHex(await digest(key));
}

/** A fresh key of 192 random bits, to be shown once. */
export function createApiKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return `nf-${toHex(bytes)}`;
}

export function createKeyring(keys: readonly ApiKey[]): Keyring {
  const known = keys.map((key) => ({ key: checked(key), bytes: fromHex(key.hash) }));
  return {
    async find(token) {
      const asked = await digest(token);
      let found: ApiKey | undefined;
      // Every key is compared to its last byte, so time tells neither how near a guess was nor which key it met.
      for (const { key, bytes } of known) if (equalBytes(asked, bytes)) found = key;
      return found;
    },
  };
}

/**
 * Reads `tenant:sha256[:farthest[:requestsPerMinute]]`, several separated by commas.
 * @throws invalid-request naming the entry's place, never its text.
 */
export function parseApiKeys(text: string): readonly ApiKey[] {
  const entries = text.split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '').map(parseApiKey);
}

function parseApiKey(entry: string, at: number): ApiKey {
  const [tenant = '', hash = '', farthest, perMinute] = entry.split(':');
  const isKind = farthest === undefined || KINDS.includes(farthest);
  const isRate = perMinute === undefined || /^[1-9]\d{0,6}$/.test(perMinute);
  if (!TENANT.test(tenant) || !HASH.test(hash) || !isKind || !isRate) throw malformed(`Entry ${at + 1}`);
  return {
    tenant,
    hash,
    farthest: farthest as TierKind | undefined,
    requestsPerMinute: perMinute === undefined ? undefined : Number(perMinute),
  };
}

function checked(key: ApiKey): ApiKey {
  if (!TENANT.test(key.tenant) || !HASH.test(key.hash)) throw malformed('A key');
  return key;
}

function malformed(which: string): NearfieldError {
  return new NearfieldError(
    'invalid-request',
    `${which} of the API keys is malformed; expected tenant:sha256-in-hex[:farthest[:requestsPerMinute]].`,
    { param: 'NEARFIELD_API_KEYS' },
  );
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i += 1) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
