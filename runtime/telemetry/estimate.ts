// Owns the other end of randomised response: from noisy counts back to shares, with error bars.
import type { ResponseOdds } from './randomize.ts';

/** One value's share among all reports of a metric, with the noise taken out. */
export interface ShareEstimate {
  /** Unbiased; may lie a little under 0 or over 1 when the truth is near them. */
  readonly share: number;
  readonly standardError: number;
  /** 95 % interval, normal approximation; good from some hundred reports on. */
  readonly low: number;
  readonly high: number;
}

const Z_95 = 1.959964;

/**
 * Debiased shares from the noisy counts of one metric: f = (c/n - q) / (p - q), with the standard error of
 * c/n (multinomial) carried through.
 * Source: Wang et al., USENIX Security 2017, equation 1 and theorem 2.
 * @param counts Reports a value, in the schema's order.
 */
export function estimateShares(counts: readonly number[], odds: ResponseOdds): readonly ShareEstimate[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const { p, q } = odds;
  return counts.map((count) => {
    const noisy = count / total;
    const share = (noisy - q) / (p - q);
    const standardError = Math.sqrt((noisy * (1 - noisy)) / total) / (p - q);
    return { share, standardError, low: share - Z_95 * standardError, high: share + Z_95 * standardError };
  });
}
