// Owns the arithmetic of the embedding evaluations. Pure functions over numbers.

/** Dot product; the cosine when both are unit vectors. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * b[at]!;
  return sum;
}

/** Ranks from 1; equal values share the mean of their ranks. */
export function ranks(values: readonly number[]): Float64Array {
  const order = values.map((_, at) => at).sort((a, b) => values[a]! - values[b]!);
  const out = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end += 1;
    for (let at = start; at < end; at += 1) out[order[at]!] = (start + 1 + end) / 2;
    start = end;
  }
  return out;
}

/** Pearson's correlation; 0 where a side never varies. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let meanA = 0;
  let meanB = 0;
  for (let at = 0; at < n; at += 1) {
    meanA += a[at]! / n;
    meanB += b[at]! / n;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let at = 0; at < n; at += 1) {
    const [x, y] = [a[at]! - meanA, b[at]! - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

export function spearman(a: readonly number[], b: readonly number[]): number {
  return pearson(ranks(a), ranks(b));
}

/** Area under precision over recall, scores descending. Ties are taken in the order given. */
export function averagePrecision(scores: readonly number[], labels: readonly boolean[]): number {
  const order = scores.map((_, at) => at).sort((a, b) => scores[b]! - scores[a]!);
  let [found, sum] = [0, 0];
  for (const [at, row] of order.entries()) {
    if (!labels[row]) continue;
    found += 1;
    sum += found / (at + 1);
  }
  return found === 0 ? 0 : sum / found;
}

/** Normalised discounted cumulative gain at `k`, relevance 0 or 1. Source: Järvelin and Kekäläinen 2002. */
export function ndcg(ranked: readonly string[], relevant: ReadonlySet<string>, k = 10): number {
  const gain = (at: number): number => 1 / Math.log2(at + 2);
  let [got, best] = [0, 0];
  for (let at = 0; at < k; at += 1) {
    const id = ranked[at];
    if (id !== undefined && relevant.has(id)) got += gain(at);
    if (at < relevant.size) best += gain(at);
  }
  return best === 0 ? 0 : got / best;
}
