// Owns the statistics the error bound rests on. Pure functions of numbers.

/**
 * Is a rate of failures at most `rate`, at this confidence, after `wrong` failures in `total` trials? The
 * exact one-sided binomial test: true when P(Binomial(total, rate) <= wrong) <= 1 - confidence. Counts may
 * be fractions, where a trial counts for less than one.
 * Source: Clopper and Pearson 1934, through the incomplete beta function.
 */
export function rateIsAtMost(wrong: number, total: number, rate: number, confidence: number): boolean {
  if (total <= wrong) return false;
  return incompleteBeta(rate, wrong + 1, total - wrong) >= confidence;
}

/** Does the sample speak against a rate of at most `rate`: P(Binomial(total, rate) >= wrong) <= 1 - confidence? */
export function rateIsAbove(wrong: number, total: number, rate: number, confidence: number): boolean {
  return wrong > 0 && incompleteBeta(rate, wrong, total - wrong + 1) <= 1 - confidence;
}

/** Trials without one failure that it takes to show `rate` at this confidence. 299 for 1 % at 95 %. */
export function leastTrials(rate: number, confidence: number): number {
  return Math.ceil(Math.log(1 - confidence) / Math.log(1 - rate));
}

/** The regularised incomplete beta function I_x(a, b), 0 <= x <= 1, a and b > 0. Error below 1e-10. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return (front * betaFraction(x, a, b)) / a;
}

/** Source: Lentz's method for the continued fraction, Press et al., Numerical Recipes, 6.4. */
function betaFraction(x: number, a: number, b: number): number {
  const keepFromZero = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / keepFromZero(1 - ((a + b) * x) / (a + 1));
  let product = d;
  for (let m = 1; m <= 1_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / keepFromZero(1 + even * d);
    c = keepFromZero(1 + even / c);
    product *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / keepFromZero(1 + odd * d);
    c = keepFromZero(1 + odd / c);
    product *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return product;
}

/** Source: Lanczos approximation, g = 7, n = 9 (P. Godfrey's coefficients). For positive arguments. */
function logGamma(value: number): number {
  const coefficients = [
    676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
    -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  const z = value - 1;
  const base = z + 7.5;
  const series = coefficients.reduce((sum, each, at) => sum + each / (z + at + 1), 0.99999999999980993);
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(base) - base + Math.log(series);
}
