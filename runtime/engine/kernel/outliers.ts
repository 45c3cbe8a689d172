// Owns which channels of an activation get slots (see assembly/quantize.ts): found once, when a model is
// opened, by running a few tokens through it and keeping each channel's largest magnitude. A function of the
// weights alone, so every device finds the same.
import * as at from './layout.ts';
import type { KernelExports } from './module.ts';
import type { MatrixPlan } from './plan.ts';

/** Tokens run to find outliers: 16 find what 64 do (embedding cosine to fp32 0.9987 either way). */
export const PROBE_TOKENS = 16;

/** Token ids spread over the vocabulary by a fixed linear congruential generator. */
export function probeIds(vocab: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length: PROBE_TOKENS }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocab);
  });
}

/**
 * Slots for channels, greedily: each goes to the channel whose share (peak over its slots + 1) is largest.
 * An entry is the channel, with how many slots of the same channel come before it, counting its own code, in
 * the high bits.
 */
export function assignSlots(peaks: Float32Array): {
  readonly slots: Int32Array;
  readonly shares: Float32Array;
} {
  const counts = new Uint8Array(peaks.length).fill(1);
  const slots = new Int32Array(at.SLOTS);
  for (let slot = 0; slot < at.SLOTS; slot += 1) {
    let top = 0;
    for (let channel = 1; channel < peaks.length; channel += 1) {
      if (peaks[channel]! / counts[channel]! > peaks[top]! / counts[top]!) top = channel;
    }
    slots[slot] = top | (counts[top]! << 16);
    counts[top]! += 1;
  }
  return { slots, shares: Float32Array.from(counts, (count) => 1 / count) };
}

/** Turns the peaks a matrix's input showed into slots, and packs the weights they need. */
export function spreadOutliers(
  matrices: readonly MatrixPlan[],
  kernel: KernelExports,
  memory: WebAssembly.Memory,
): void {
  for (const matrix of matrices) {
    const shares = new Float32Array(memory.buffer, matrix.shares, matrix.k);
    const found = assignSlots(shares);
    shares.set(found.shares);
    new Int32Array(memory.buffer, matrix.slots, at.SLOTS).set(found.slots);
    kernel.packSlots(matrix.n, matrix.k, matrix.weights, matrix.counts, matrix.fixes, matrix.slots);
    kernel.foldSums(matrix.n, matrix.counts, matrix.scales, matrix.sums);
  }
}
