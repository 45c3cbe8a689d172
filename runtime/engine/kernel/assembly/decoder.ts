// Owns the way of a step through a decoder of the Llama family (pre-norm RMS, rotary, grouped queries, gated
// SiLU): read top to bottom. All threads take each part together, products by columns, rows by rows, attention by
// heads, with a barrier between; the sums are the same whoever makes them.
import { attendRow, rotate, writeCache } from './decoder-attention';
import {
  COLUMNS,
  D_CODES,
  D_EMBEDDING,
  D_EPSILON,
  D_FIRST_LAYER,
  D_HEAD,
  D_HEADS,
  D_HEAD_DIMS,
  D_HIDDEN,
  D_IDS,
  D_INTERMEDIATE,
  D_KV_HEADS,
  D_LAST_LAYER,
  D_LAYER_TABLE,
  D_LOGITS,
  D_MIXED,
  D_NORM,
  D_OWN,
  D_OWN_BYTES,
  D_OWN_PANEL,
  D_OWN_SCORES,
  D_PHASE,
  D_PICKED,
  D_POSITIONS,
  D_ROPE,
  D_ROWS,
  D_SCALES,
  D_STREAM,
  D_SUMS,
  D_TABLES,
  D_WIDE,
  KIND_8,
  PAGE,
  PHASE_HEAD,
  X_K,
  X_KIND,
  X_N,
  Y_BYTES,
  Y_DOWN,
  Y_GATE_UP,
  Y_KEY_NORM,
  Y_MLP_NORM,
  Y_NORM,
  Y_OUTPUT,
  Y_QKV,
  Y_QUERY_NORM,
  cacheBytes,
  field,
  fieldInt,
} from './decoder-layout';
import { multiplyBlocks, readColumn } from './decoder-product';
import { quantizeRow, rmsNormInto } from './decoder-quantize';
import { PLAN } from './layout';
import { exp } from './math';
import { barrier } from './threads';

// A thread's own place in the step under way; every thread has an instance, so these are its own.
let me: i32 = 0;
let all: i32 = 1;
let rows: i32 = 0;

/** One step, this thread's part of it. */
export function step(thread: i32, threads: i32): void {
  me = thread;
  all = threads;
  rows = fieldInt(D_ROWS);
  if (fieldInt(D_PHASE) == PHASE_HEAD) {
    head();
    return;
  }
  const first = fieldInt(D_FIRST_LAYER), last = fieldInt(D_LAST_LAYER);
  if (first == 0) embed();
  for (let layer = first; layer < last; layer++) {
    const at = field(D_LAYER_TABLE) + layer * Y_BYTES;
    normalize(member(at, Y_NORM), member(at, Y_QKV));
    product(member(at, Y_QKV), field(D_WIDE), false);
    remember(at, layer);
    attend(layer);
    requantize(member(at, Y_OUTPUT), field(D_MIXED));
    product(member(at, Y_OUTPUT), field(D_STREAM), true);
    normalize(member(at, Y_MLP_NORM), member(at, Y_GATE_UP));
    product(member(at, Y_GATE_UP), field(D_WIDE), false);
    gate(member(at, Y_DOWN));
    product(member(at, Y_DOWN), field(D_STREAM), true);
  }
}

@inline
function member(at: usize, offset: usize): usize {
  return <usize>load<u32>(at + offset);
}

/** This thread's share of `count` things: share(count, me) up to share(count, me + 1). */
@inline
function share(count: i32, thread: i32): i32 {
  return count * thread / all;
}

@inline
function own(offset: usize): usize {
  return field(D_OWN) + me * fieldInt(D_OWN_BYTES) + field(offset);
}

@inline
function rowOf(buffer: usize, row: i32, width: i32): usize {
  return field(buffer) + (<usize>(row * width) << 2);
}

function embed(): void {
  const hidden = fieldInt(D_HIDDEN);
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) {
    readColumn(field(D_EMBEDDING), load<i32>(field(D_IDS) + (row << 2)), rowOf(D_STREAM, row, hidden));
  }
  barrier(me, all);
}

function product(matrix: usize, target: usize, add: bool): void {
  const panels = load<i32>(matrix, X_N) / COLUMNS;
  multiplyBlocks(
    matrix,
    field(D_CODES),
    field(D_SCALES),
    field(D_SUMS),
    rows,
    target,
    add,
    share(panels, me),
    share(panels, me + 1),
    own(D_OWN_PANEL),
  );
  barrier(me, all);
}

function quantize(matrix: usize, x: usize, row: i32): void {
  const k = load<i32>(matrix, X_K), kind = load<i32>(matrix, X_KIND);
  const scales = row * (kind == KIND_8 ? 4 : k >> 3);
  const codes = field(D_CODES) + (<usize>(row * k) << 1);
  quantizeRow(x, k, kind, codes, field(D_SCALES) + scales, field(D_SUMS) + scales, rows == 1);
}

/** The stream, normed, to codes for `next`; the stream itself stays. */
function normalize(weight: usize, next: usize): void {
  const hidden = fieldInt(D_HIDDEN);
  const epsilon = load<f32>(PLAN + D_EPSILON);
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) {
    const target = rowOf(D_MIXED, row, hidden);
    rmsNormInto(rowOf(D_STREAM, row, hidden), hidden, weight, epsilon, target);
    quantize(next, target, row);
  }
  barrier(me, all);
}

function requantize(matrix: usize, from: usize): void {
  const stride = <usize>load<i32>(matrix, X_K) << 2;
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) quantize(matrix, from + row * stride, row);
  barrier(me, all);
}

/** Rotates queries in place, and puts rotated keys and the values into the cache. */
function remember(layer: usize, index: i32): void {
  const heads = fieldInt(D_HEADS), kvHeads = fieldInt(D_KV_HEADS), headDims = fieldInt(D_HEAD_DIMS);
  const epsilon = load<f32>(PLAN + D_EPSILON);
  const queryNorm = member(layer, Y_QUERY_NORM), keyNorm = member(layer, Y_KEY_NORM);
  const head = <usize>headDims << 2;
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) {
    const position = load<i32>(field(D_POSITIONS) + (row << 2));
    const rope = field(D_ROPE) + position * head;
    const page = member(<usize>load<u32>(field(D_TABLES) + (row << 2)), (position / PAGE) << 2);
    let x = rowOf(D_WIDE, row, (heads + 2 * kvHeads) * headDims);
    for (let i = 0; i < heads + kvHeads; i++) {
      const norm = i < heads ? queryNorm : keyNorm;
      if (norm != 0) rmsNormInto(x, headDims, norm, epsilon, x);
      rotate(x, rope, headDims);
      x += head;
    }
    for (let i = 0; i < kvHeads; i++) {
      const cache = page + (index * kvHeads + i) * cacheBytes(headDims);
      writeCache(x - (kvHeads - i) * head, x + i * head, headDims, cache, position & (PAGE - 1));
    }
  }
  barrier(me, all);
}

function attend(layer: i32): void {
  const heads = fieldInt(D_HEADS), kvHeads = fieldInt(D_KV_HEADS), headDims = fieldInt(D_HEAD_DIMS);
  const group = heads / kvHeads;
  const scale: f32 = 1 / sqrt<f32>(<f32>headDims);
  const scratch = own(D_OWN_SCORES);
  for (let unit = share(rows * heads, me), last = share(rows * heads, me + 1); unit < last; unit++) {
    const row = unit / heads, head = unit % heads;
    attendRow(
      rowOf(D_WIDE, row, (heads + 2 * kvHeads) * headDims) + (<usize>(head * headDims) << 2),
      <usize>load<u32>(field(D_TABLES) + (row << 2)),
      (layer * kvHeads + head / group) * cacheBytes(headDims),
      load<i32>(field(D_POSITIONS) + (row << 2)) + 1,
      headDims,
      scale,
      rowOf(D_MIXED, row, heads * headDims) + (<usize>(head * headDims) << 2),
      scratch,
    );
  }
  barrier(me, all);
}

/** silu(gate) * up, to codes for `next`. Panels of gate and up lie in turns. */
function gate(next: usize): void {
  const intermediate = fieldInt(D_INTERMEDIATE);
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) {
    const x = rowOf(D_WIDE, row, intermediate * 2);
    let from = x, to = x;
    for (const end = x + (<usize>intermediate << 2); to < end; to += 32) {
      const g0 = v128.load(from), g1 = v128.load(from, 16);
      const u0 = v128.load(from, 32), u1 = v128.load(from, 48);
      v128.store(to, f32x4.mul(silu(g0), u0));
      v128.store(to, f32x4.mul(silu(g1), u1), 16);
      from += 64;
    }
    quantize(next, x, row);
  }
  barrier(me, all);
}

/** x / (1 + exp(-x)), by exp of what is not positive. */
@inline
function silu(x: v128): v128 {
  const e = exp(f32x4.neg(f32x4.abs(x)));
  const below = f32x4.lt(x, f32x4.splat(0));
  const top = v128.bitselect(f32x4.mul(x, e), x, below);
  return f32x4.div(top, f32x4.add(f32x4.splat(1), e));
}

/** Logits of the picked rows, one after another. `rows` is how many are picked. */
function head(): void {
  const hidden = fieldInt(D_HIDDEN);
  const matrix = field(D_HEAD);
  const epsilon = load<f32>(PLAN + D_EPSILON);
  for (let row = share(rows, me), last = share(rows, me + 1); row < last; row++) {
    const from = rowOf(D_STREAM, load<i32>(field(D_PICKED) + (row << 2)), hidden);
    const target = rowOf(D_MIXED, row, hidden);
    rmsNormInto(from, hidden, field(D_NORM), epsilon, target);
    quantize(matrix, target, row);
  }
  barrier(me, all);
  product(matrix, field(D_LOGITS), false);
}
