// Owns what HTTP says of the cache, both ways: a request's `Cache-Control` as wishes, and a report as
// `Cache-Status` and `Age`. Sources: RFC 9111, 5.2.1 and 5.4; RFC 9211.
import type { CacheControl, CacheMode, CacheReport } from '../types.ts';

export interface CacheWishes {
  readonly mode: CacheMode;
  readonly control?: CacheControl | undefined;
}

const STRICTER: readonly CacheMode[] = ['use', 'refresh', 'bypass'];
/** What a number too large to hold stands for. Source: RFC 9111, 1.2.2. */
const MOST_SECONDS = 2 ** 31;

/** The wishes of a request's headers; `asked` is what its body said, and the stricter of both holds. */
export function cacheWishesOf(headers: Headers, asked: CacheMode = 'use'): CacheWishes {
  const field = headers.get('cache-control');
  const directives = directivesOf(field ?? (headers.get('pragma') ?? '').replace(/[^,]*=[^,]*/g, ''));
  const seconds = (name: string): number | undefined => secondsOf(directives, name);
  const maxAge = seconds('max-age');
  const control: CacheControl = defined({
    maxAgeMs: milliseconds(maxAge),
    maxStaleMs:
      directives.get('max-stale') === '' ? Number.MAX_SAFE_INTEGER : milliseconds(seconds('max-stale')),
    minFreshMs: milliseconds(seconds('min-fresh')),
    onlyIfCached: directives.has('only-if-cached') ? true : undefined,
  });
  const mode = directives.has('no-store')
    ? 'bypass'
    : directives.has('no-cache') || maxAge === 0
      ? 'refresh'
      : 'use';
  const strictest = STRICTER[Math.max(STRICTER.indexOf(mode), STRICTER.indexOf(asked))] ?? mode;
  return Object.keys(control).length === 0 ? { mode: strictest } : { mode: strictest, control };
}

/** Directives by name, lower case; without an argument, the empty string. The first of a name counts. */
function directivesOf(field: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const each of field.match(/(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g) ?? []) {
    const [name = '', value = ''] = each.split(/=(.*)/s);
    const key = name.trim().toLowerCase();
    const plain = value.trim().replace(/^"(.*)"$/s, '$1');
    if (key !== '' && !found.has(key)) found.set(key, plain);
  }
  return found;
}

/** What cannot be read as seconds counts as none at all: the strictest reading. */
function secondsOf(directives: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Math.min(Number(value), MOST_SECONDS) : 0;
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function defined(control: CacheControl): CacheControl {
  return Object.fromEntries(Object.entries(control).filter(([, value]) => value !== undefined));
}

/** Why the request went on, in the RFC's words; `miss` is its word for no matter which. */
const FORWARDED: Readonly<Record<string, string>> = {
  'asked-refresh': 'request',
  'asked-bypass': 'request',
  'asked-logprobs': 'request',
  expired: 'stale',
  'too-old': 'stale',
};

/**
 * The report as a `Cache-Status` field value: `hit` with the seconds of freshness left (below 0 when stale),
 * or `fwd` with why; `detail` is our own reason. The entry's id is not told.
 */
export function cacheStatusHeader(report: CacheReport, name = 'Nearfield'): string {
  const parts = [name];
  if (report.collapsed === true) parts.push('fwd=miss', 'collapsed');
  else if (report.status === 'hit' || report.status === 'stale') parts.push('hit');
  else parts.push(`fwd=${FORWARDED[report.reason] ?? report.status}`);
  if (report.ttlMs !== undefined) parts.push(`ttl=${Math.floor(report.ttlMs / 1000)}`);
  // A token needs no quotes; every reason is one.
  if (/^[a-z][a-z-]*$/.test(report.reason)) parts.push(`detail=${report.reason}`);
  return parts.join('; ');
}

/** `Cache-Status`, and for a kept answer its `Age` in seconds. */
export function cacheHeadersOf(report: CacheReport): Record<string, string> {
  const status = { 'cache-status': cacheStatusHeader(report) };
  if (report.ageMs === undefined) return status;
  return { ...status, age: String(Math.max(0, Math.floor(report.ageMs / 1000))) };
}
