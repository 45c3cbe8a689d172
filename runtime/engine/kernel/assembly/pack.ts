// Owns the layout of weights: panels of 8 columns, k innermost in fours, so that the product reads them
// once, in order. Also proves, group by group, that int16 sums of paired products cannot overflow; where
// they could, the excess of a weight is moved to the panel's list of fixes and the product stays exact.
import { MODE_PAIRED, PANEL, SLOTS } from './layout';
import { panelBytes } from './tile';

/** 258 * 127 = 32766: the most that four weights of one sign may sum to in an int16 lane. */
const SAFE_SUM: i32 = 258;
/** Stored in place of a count: too many fixes, the panel takes the wide product. */
export const NOT_PAIRED: u32 = 0xffffffff;

/** Bytes of a matrix's list of fixes: a count and at most k/8 entries a panel. */
export function fixesBytes(n: i32, k: i32): i32 {
  return (n / PANEL) * fixStride(k);
}

@inline
export function fixStride(k: i32): i32 {
  return 4 + ((k >> 3) << 2);
}

/**
 * Packs uint8 [n, k] (zero point 128, rows first) at `source`; slots' columns are left zero. Writes int32
 * column sums [n] at `sums`. Returns how many fixes were needed.
 */
export function packMatrix(
  source: usize,
  n: i32,
  k: i32,
  target: usize,
  sums: usize,
  fixes: usize,
  mode: i32,
): i32 {
  let total = 0;
  for (let panel = 0; panel < n; panel += PANEL) {
    packPanel(source + panel * k, k, target);
    sumPanel(target, k, sums);
    store<u32>(fixes, mode == MODE_PAIRED ? 0 : NOT_PAIRED);
    if (mode == MODE_PAIRED) {
      if (provePanel(target, k, fixes)) total += load<i32>(fixes);
      else packPanel(source + panel * k, k, target);
    }
    target += panelBytes(k);
    sums += PANEL * 4;
    fixes += fixStride(k);
  }
  return total;
}

function packPanel(source: usize, k: i32, target: usize): void {
  for (let column = 0; column < PANEL; column++) {
    let from = source + column * k;
    let to = target + (column << 2);
    const end = from + k;
    while (from < end) {
      store<u32>(to, load<u32>(from) ^ 0x80808080);
      store<u32>(to, load<u32>(from, 4) ^ 0x80808080, 32);
      from += 8;
      to += 64;
    }
  }
  memory.fill(target + k * PANEL, 0, SLOTS * PANEL);
}

/** Column sums of a packed panel. */
function sumPanel(target: usize, k: i32, sums: usize): void {
  let low = i32x4.splat(0), high = i32x4.splat(0);
  const end = target + k * PANEL;
  while (target < end) {
    const a = i16x8.add(
      i16x8.extadd_pairwise_i8x16_s(v128.load(target)),
      i16x8.extadd_pairwise_i8x16_s(v128.load(target, 32)),
    );
    const b = i16x8.add(
      i16x8.extadd_pairwise_i8x16_s(v128.load(target, 16)),
      i16x8.extadd_pairwise_i8x16_s(v128.load(target, 48)),
    );
    low = i32x4.add(low, i32x4.extadd_pairwise_i16x8_s(a));
    high = i32x4.add(high, i32x4.extadd_pairwise_i16x8_s(b));
    target += 64;
  }
  v128.store(sums, low);
  v128.store(sums, high, 16);
}

@inline
function signedSums(a: v128, b: v128): v128 {
  const zero = i8x16.splat(0);
  const up = i16x8.add(
    i16x8.extadd_pairwise_i8x16_u(i8x16.max_s(a, zero)),
    i16x8.extadd_pairwise_i8x16_u(i8x16.max_s(b, zero)),
  );
  const down = i16x8.add(
    i16x8.extadd_pairwise_i8x16_u(i8x16.neg(i8x16.min_s(a, zero))),
    i16x8.extadd_pairwise_i8x16_u(i8x16.neg(i8x16.min_s(b, zero))),
  );
  return i16x8.max_s(up, down);
}

/** Lists every excess of a panel. False when there are too many: the list then says NOT_PAIRED. */
function provePanel(target: usize, k: i32, fixes: usize): bool {
  const safe = i16x8.splat(<i16>SAFE_SUM);
  const most = k >> 3;
  let count = 0;
  for (let group = 0; group < k; group += 8) {
    for (let half: usize = 0; half < 32; half += 16) {
      const at = target + half;
      const over = i16x8.gt_s(signedSums(v128.load(at), v128.load(at, 32)), safe);
      if (!v128.any_true(over)) continue;
      for (let lane = 0; lane < 8; lane++) {
        for (let sign = -1; sign <= 1; sign += 2) {
          count = trim(at + (lane << 1), sign, fixes, count, most, group + ((lane & 1) << 1), (half >> 2) + (lane >> 1));
          if (count < 0) {
            store<u32>(fixes, NOT_PAIRED);
            return false;
          }
        }
      }
    }
    target += 64;
  }
  store<u32>(fixes, count);
  return true;
}

/** Lowers the largest of a lane's four weights of one sign until they are safe. Count, or -1 when full. */
function trim(at: usize, sign: i32, fixes: usize, count: i32, most: i32, k: i32, column: i32): i32 {
  let excess = 1;
  while (excess > 0) {
    let sum = 0, top = 0;
    let where: usize = 0, offset = 0;
    for (let i = 0; i < 4; i++) {
      const step = (i & 1) + ((i >> 1) << 5);
      const weight = <i32>load<i8>(at + step) * sign;
      if (weight <= 0) continue;
      sum += weight;
      if (weight > top) {
        top = weight;
        where = at + step;
        offset = (i & 1) + ((i >> 1) << 2);
      }
    }
    excess = sum - SAFE_SUM;
    if (excess <= 0) break;
    if (count == most) return -1;
    const moved = min(top, min(excess, 127));
    store<i8>(where, <i8>((top - moved) * sign));
    store<u32>(fixes + 4 + (count << 2), (k + offset) | (column << 16) | ((<u32><u8>(moved * sign)) << 24));
    count++;
  }
  return count;
}

/**
 * Copies the columns of k named by slots (int32[8], channel in the low 16 bits, -1 for none) behind k, and
 * takes them into the column sums.
 */
export function packSlots(n: i32, k: i32, target: usize, sums: usize, fixes: usize, slots: usize): void {
  for (let panel = 0; panel < n; panel += PANEL) {
    for (let slot = 0; slot < SLOTS; slot++) {
      const channel = load<i32>(slots + (slot << 2));
      if (channel < 0) continue;
      for (let column = 0; column < PANEL; column++) {
        const weight = weightAt(target, fixes, channel & 0xffff, column);
        store<i8>(target + panelOffset(k + slot, column), <i8>weight);
        store<i32>(sums + (column << 2), load<i32>(sums + (column << 2)) + weight);
      }
    }
    target += panelBytes(k);
    sums += PANEL * 4;
    fixes += fixStride(k);
  }
}

@inline
function panelOffset(k: i32, column: i32): usize {
  return ((k >> 2) << 5) + (column << 2) + (k & 3);
}

/** A weight as it was before fixes. */
function weightAt(target: usize, fixes: usize, k: i32, column: i32): i32 {
  let weight = <i32>load<i8>(target + panelOffset(k, column));
  const count = load<u32>(fixes);
  if (count == NOT_PAIRED) return weight;
  for (let i: u32 = 0; i < count; i++) {
    const fix = load<u32>(fixes + 4 + (i << 2));
    if (<i32>(fix & 0xffff) == k && <i32>((fix >> 16) & 0xff) == column) weight += <i32>(<i8>(fix >> 24));
  }
  return weight;
}
