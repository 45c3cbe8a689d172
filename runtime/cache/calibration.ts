// Owns what is known before a scope has shown anything itself: how similarity and guard weigh together, and how
// sure a match must then be. Learned from no restricted data.

/**
 * Cosine of all-MiniLM-L6-v2. Measured behind the verifier: on STS-B in English, Spanish and Portuguese (open data)
 * 0 of 49 pairs at or above it were rated below 3 of 5, which allows up to 6 % at 95 %; on Quora pairs 27 of
 * 285 carry the label "not the same", many of them wrongly. So this is a start, not a proof: the target is shown
 * only by a scope's own observations, which take over. See docs/cache.md.
 */
export const SHIPPED_THRESHOLD: number = 0.94;

/**
 * As {@link SHIPPED_THRESHOLD}, for confidences of {@link confidenceOf}: similarity 0.926 where the guard has nothing
 * against it. It does not apply where the guard refuses: there the scope's own outcomes decide alone. Of nearest
 * neighbours among banking77's and clinc150's questions (open data) 1 of 301 so served asked for another thing.
 */
export const SHIPPED_GUARDED_THRESHOLD: number = 0.6857;

/** What the guard's logit weighs against nearness, the logarithm of how many times nearer than cosine 0 a match is. */
const GUARD_WEIGHT = 0.5;
/**
 * The guard speaks against a match, it does not vouch for one: letting it do so gained no hits at equal wrong ones
 * (docs/decisions/0090-guard.md).
 */
const GUARD_LOGITS: readonly [number, number] = [-8, 0];
/** Sums from 0 to here are spread over confidences 0.5 to 1. */
const MOST = 7;

/** How sure a match is, 0.5…1 and rising in both; the similarity itself where no guard was asked. */
export function confidenceOf(similarity: number, guard: number | undefined): number {
  if (guard === undefined) return similarity;
  const nearness = -Math.log(Math.max(1 - similarity, 1e-3));
  const logit = Math.log(Math.max(guard, 1e-6) / Math.max(1 - guard, 1e-6));
  const [low, high] = GUARD_LOGITS;
  const sum = nearness + GUARD_WEIGHT * Math.min(high, Math.max(low, logit));
  return 0.5 + 0.5 * Math.min(1, Math.max(0, sum / MOST));
}
