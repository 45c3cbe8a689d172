// Owns what was measured before shipping: matches by confidence, right and wrong, on open data. Made by
// `npm run eval -- pairs --calibrate`; see docs/cache.md for the data.

export interface CalibrationBins {
  /** Matches counted right, a bin of confidence each; see BINS of error-bound.ts. */
  readonly right: readonly number[];
  readonly wrong: readonly number[];
}

/** Provisional, not measured: opens the top twelfth. */
export const SHIPPED_CALIBRATION: CalibrationBins = {
  right: Array.from({ length: 100 }, (_, bin) => (bin >= 92 ? 60 : 0)),
  wrong: [],
};
