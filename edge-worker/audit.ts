// Owns the audit row: who (a keyed hash), what route, which tier, how many bytes, how long. No content, no
// address, no key. Where rows are kept is handed in.
import type { Outcome } from './caller.ts';

export interface AuditRow {
  /** The edge's own id, also in the x-request-id header. */
  readonly id: string;
  /** Unix epoch, milliseconds. */
  readonly atMs: number;
  readonly route: string;
  /** Keyed hash of the caller's scope, 32 hex characters; the same scope hashes alike under one secret. */
  readonly scopeHash: string;
  readonly status: number;
  readonly errorCode: string | null;
  readonly tier: string | null;
  readonly cache: string | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What this edge sent on to the cloud. */
  readonly egressBytes: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly ttftMs: number | null;
  readonly durationMs: number;
  /** Hash of the runtime's receipt, to join the two. */
  readonly receipt: string | null;
}

export interface AuditLog {
  write(row: AuditRow): Promise<void>;
  /** Newest first. */
  recent(limit: number): Promise<readonly AuditRow[]>;
  /** Erases rows older than this; returns how many. */
  prune(beforeMs: number): Promise<number>;
}

/** The facts of the exchange that the outcome does not hold. */
export interface Exchange {
  readonly id: string;
  readonly atMs: number;
  readonly route: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
}

export async function auditRowOf(
  exchange: Exchange,
  outcome: Outcome,
  hasher: ScopeHasher,
): Promise<AuditRow> {
  return {
    ...exchange,
    scopeHash: await hasher(outcome.scope),
    errorCode: outcome.errorCode ?? null,
    tier: outcome.tier ?? null,
    cache: outcome.cache ?? null,
    egressBytes: outcome.egressBytes,
    promptTokens: outcome.promptTokens,
    completionTokens: outcome.completionTokens,
    ttftMs: outcome.ttftMs ?? null,
    receipt: outcome.receipt ?? null,
  };
}

export type ScopeHasher = (scope: string) => Promise<string>;

/**
 * HMAC-SHA-256 under the operator's secret: scopes are short and guessable, so a plain hash would name them.
 * Without a secret a random one is used, and rows join only within one process.
 */
export function createScopeHasher(secret: string | undefined): ScopeHasher {
  const raw =
    secret === undefined ? crypto.getRandomValues(new Uint8Array(32)) : new TextEncoder().encode(secret);
  const imported = crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return async (scope) => {
    const signed = await crypto.subtle.sign('HMAC', await imported, new TextEncoder().encode(scope));
    return [...new Uint8Array(signed, 0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  };
}

/** Keeps the newest rows in memory: for tests and for an edge without a database. */
export function createMemoryAuditLog(capacity = 1000): AuditLog {
  let rows: AuditRow[] = [];
  return {
    async write(row) {
      rows = [row, ...rows].slice(0, capacity);
    },
    recent: async (limit) => rows.slice(0, limit),
    async prune(beforeMs) {
      const before = rows.length;
      rows = rows.filter((row) => row.atMs >= beforeMs);
      return before - rows.length;
    },
  };
}
