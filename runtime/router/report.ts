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

/**
 * A single failure of ours is rethrown as it came; of several, the last code stands: its tier reached farthest. But
 * where a tier said what it can not do and no other said more, its refusal stands, which names what to change; unless
 * a tier that was not asked may be able to later.
 */
export function allFailed(
  attempts: readonly Attempt[],
  errors: readonly unknown[],
  left: readonly LeftOut[],
  decision: PolicyDecision,
): unknown {
  const refusal = errors.find(isForElsewhere);
  if (refusal !== undefined && errors.every(saysNoMore)) {
    return left.some(({ why }) => why === 'breaker') ? nobody(left, decision) : withTried(refusal, attempts);
  }
  const last = errors.at(-1);
  if (errors.length === 1 && isNearfieldError(last)) return last;
  const listed = listOf(attempts);
  const retryAfterMs = retryAfterOf(last);
  return new NearfieldError(
    isNearfieldError(last) ? last.code : 'internal',
    `Every tier that policy allows was tried and failed: ${listed}.`,
    { cause: last, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  );
}

/** Said of the request by a tier to which others are unlike: another may be able to. */
export function isForElsewhere(error: unknown): error is NearfieldError {
  return isNearfieldError(error) && error.elsewhere;
}

const MAY_NOT_LEAVE: ReadonlySet<string> = new Set(['egress-denied', 'redaction-failed']);

/** Farther tiers are not this request's. */
export function mayNotLeave(error: unknown): boolean {
  return MAY_NOT_LEAVE.has(codeOf(error));
}

/** An upstream that refuses tells nobody why. */
function saysNoMore(error: unknown): boolean {
  return isForElsewhere(error) || mayNotLeave(error) || codeOf(error) === 'upstream-rejected';
}

function withTried(refusal: NearfieldError, attempts: readonly Attempt[]): NearfieldError {
  if (attempts.length === 1) return refusal;
  const { code, message, param } = refusal;
  return new NearfieldError(code, `${message} Tried and failed: ${listOf(attempts)}.`, {
    cause: refusal,
    elsewhere: true,
    ...(param !== undefined && { param }),
  });
}

function listOf(attempts: readonly Attempt[]): string {
  return attempts.map(({ tier, code }) => `${tier.id} (${code})`).join(', ');
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
