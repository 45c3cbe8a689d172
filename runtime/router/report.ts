// Owns what the router says when nobody answered. Names tiers, codes and remedies, never the request.
import { isAbortError, isNearfieldError, NearfieldError } from '../errors.ts';
import type { PolicyDecision, Tier, TierRef } from '../types.ts';
import type { Breaker } from './breaker.ts';

/** A tier that was tried and left, with the code of its failure. */
export interface Attempt {
  readonly tier: TierRef;
  readonly code: string;
}

export interface Candidate {
  readonly tier: Tier;
  readonly breaker: Breaker;
}

/** A tier that was not even tried, and why. */
export interface LeftOut extends Candidate {
  readonly why: 'policy' | 'cannot' | 'breaker';
}

const WHY: Record<LeftOut['why'], string> = {
  policy: 'policy keeps this request nearer',
  cannot: 'cannot answer this request',
  breaker: 'failed lately and is resting',
};

/** Nothing could even be tried: egress-denied where policy alone left out the tiers that could answer. */
export function nobody(left: readonly LeftOut[], decision: PolicyDecision): NearfieldError {
  if (left.length === 0) {
    return new NearfieldError('no-tier', 'No tier is configured. Hand createRuntime at least one tier.');
  }
  const listed = left.map(({ tier, why }) => `${tier.id} (${tier.kind}) ${WHY[why]}`).join('; ');
  const waits = left.flatMap(({ why, breaker }) => (why === 'breaker' ? [breaker.waitMs()] : []));
  if (waits.length > 0) {
    const message = `No tier may answer now: ${listed}. Try again later.`;
    return new NearfieldError('no-tier', message, { retryAfterMs: Math.ceil(Math.min(...waits)) });
  }
  if (left.some(({ why }) => why === 'policy')) {
    return new NearfieldError(
      'egress-denied',
      `Policy lets this request go no farther than ${decision.farthest}, where no tier can answer it: ${listed}. ` +
        'Add a tier that near, or ask with a farther privacy if the policy permits it.',
    );
  }
  const remedy = 'Add a tier that can answer such requests, or change the request.';
  return new NearfieldError('no-tier', `No tier may answer: ${listed}. ${remedy}`);
}

/** A single failure of ours is rethrown as it came; of several, the last code stands: its tier reached farthest. */
export function allFailed(attempts: readonly Attempt[], errors: readonly unknown[]): unknown {
  const last = errors.at(-1);
  if (errors.length === 1 && isNearfieldError(last)) return last;
  const listed = attempts.map(({ tier, code }) => `${tier.id} (${code})`).join(', ');
  const retryAfterMs = retryAfterOf(last);
  return new NearfieldError(
    isNearfieldError(last) ? last.code : 'internal',
    `Every tier that policy allows was tried and failed: ${listed}.`,
    { cause: last, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

export function codeOf(error: unknown): string {
  if (isAbortError(error)) return 'aborted';
  return isNearfieldError(error) ? error.code : 'unknown';
}

export function retryAfterOf(error: unknown): number | undefined {
  return isNearfieldError(error) ? error.retryAfterMs : undefined;
}

export function refOf(tier: Tier): TierRef {
  return { id: tier.id, kind: tier.kind };
}
