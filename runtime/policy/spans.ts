// Owns span arithmetic: merging what several detectors found into non-overlapping stretches.
import type { Sensitivity, Span } from '../types.ts';

/**
 * Sorted, non-overlapping union of `spans`. Overlapping ones become one stretch that covers them all and
 * takes the type of the most sensitive, then the surest, then the longest.
 */
export function mergeSpans(
  spans: readonly Span[],
  sensitivityOf: (type: Span['type']) => Sensitivity,
): Span[] {
  if (spans.length < 2) return [...spans];
  const sorted = [...spans].sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Span[] = [];
  for (const span of sorted) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) merged.push(span);
    else merged[merged.length - 1] = union(last, span, sensitivityOf);
  }
  return merged;
}

const RANK: Readonly<Record<Sensitivity, number>> = { none: 0, personal: 1, sensitive: 2, secret: 3 };

function union(a: Span, b: Span, sensitivityOf: (type: Span['type']) => Sensitivity): Span {
  const rank = RANK[sensitivityOf(a.type)] - RANK[sensitivityOf(b.type)];
  const order = rank || a.score - b.score || a.end - a.start - (b.end - b.start);
  const winner = order >= 0 ? a : b;
  return { ...winner, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
