// Owns the closed set of reasons a lookup gives, and how a report reads in an HTTP header.
import type { CacheReport } from '../types.ts';

/** Why a verifier refused a neighbour: the two texts differ in something that changes the answer. */
export type Refusal =
  | 'number'
  | 'unit'
  | 'negation'
  | 'name'
  | 'date'
  | 'comparison'
  | 'direction'
  | 'question-word'
  | 'order'
  | 'wording';

export type CacheReason =
  | 'exact' // hit or stale: the same question
  | 'similar' // hit or stale: another wording, verified
  | 'coalesced' // hit: read along with the same question in flight
  | 'coalesced-similar' // hit: read along with another wording in flight, verified
  | 'empty' // miss: nothing kept for this scope and context
  | 'far' // miss: no neighbour near enough
  | 'uncertain' // miss: near, but the error bound is not kept at this similarity
  | 'explored' // miss: sure enough, asked again all the same to see whether the bound still holds
  | 'reported-wrong' // miss: this very match was reported wrong
  | 'expired' // miss: found, but past its time and its time to be stale
  | 'too-old' // miss: found, but older or staler than the request allows
  | 'guard' // miss: the guard model says it is another question
  | `differs-${Refusal}` // miss: the verifier refused the nearest neighbour
  | 'store-failed' // bypass
  | 'embed-failed' // bypass
  | 'closed'; // bypass

/**
 * The report as a `Cache-Status` field value. Source: RFC 9211. `stale` is a hit whose time is over, so it
 * carries `detail=stale`; the entry's id is not told.
 */
export function cacheStatusHeader(report: CacheReport, name = 'nearfield'): string {
  const detail = `detail="${report.status === 'stale' ? 'stale-' : ''}${report.reason}"`;
  if (report.status === 'hit' || report.status === 'stale') return `${name}; hit; ${detail}`;
  return `${name}; fwd=${report.status === 'bypass' ? 'bypass' : 'miss'}; ${detail}`;
}
