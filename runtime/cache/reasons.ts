// Owns the closed set of reasons a lookup gives.

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
  | 'guard-failed' // miss: the guard model could not be asked
  | `differs-${Refusal}` // miss: the verifier refused the nearest neighbour
  | 'store-failed' // bypass
  | 'embed-failed' // bypass
  | 'closed'; // bypass
