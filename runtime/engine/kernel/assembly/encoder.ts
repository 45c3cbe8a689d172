// Owns the way of a chunk of whole texts through an encoder of the BERT family (post-norm, GELU): read top
// to bottom. A chunk is run by one thread alone, or by all together with a barrier where one step needs
// another's rows; the sums are the same, so the answers are the same bits.
import { attendHead } from './attention';
import {
  AT_ACC,
  AT_CODES,
  AT_CONTEXT,
  AT_KEYS,
  AT_META,
  AT_SCORES,
  AT_STREAM,
  AT_WIDE,
  ARENAS,
  ARENA_BYTES,
  EMBED_DIMS,
  EMBED_NORM,
  EPSILON,
  HEADS,
  HEAD_DIMS,
  HEAD,
  HIDDEN,
  IDS,
  LAYERS,
  LAYER_BYTES,
  LAYER_TABLE,
  L_DOWN,
  L_DOWN_NORM,
  L_MIX,
  L_MIX_NORM,
  L_QKV,
  L_UP,
  M_K,
  M_N,
  M_SHARES,
  M_SLOTS,
  OBSERVING,
  ONES,
  OUTPUT,
  OUTPUT_KIND,
  PANEL,
  PLAN,
  POOLING,
  POSITIONS,
  PROJECTION,
  ROW_TOKENS,
  TILE,
  TYPES,
  TYPE_IDS,
  WORDS,
  WORD_SCALES,
  plan,
  planInt,
} from './layout';
import { madd } from './math';
import { layerNorm, meanRows, unitRow } from './norm';
import { ADD, GELU, STORE, multiply } from './product';
import { observeRow, quantizeRow } from './quantize';
import { barrier } from './threads';
import { tileBytes } from './tile';

/** Output kinds the host may ask for. */
export const TOKENS: i32 = 1;
/** Pooling by the first token instead of the mean. */
const POOL_FIRST: i32 = 1;

// A thread's own place in the work under way; every thread has an instance, so these are its own.
let me: i32 = 0;
let all: i32 = 1;
let shared: usize = 0;
let own: usize = 0;
let tokens: i32 = 0;

/** Chunk: int32 first text, texts, first token, tokens. `owner`: whose arena holds the activations. */
export function runChunk(chunk: usize, thread: i32, threads: i32, owner: i32): void {
  me = threads == 1 ? 0 : thread;
  all = threads;
  shared = plan(ARENAS) + owner * planInt(ARENA_BYTES);
  own = plan(ARENAS) + thread * planInt(ARENA_BYTES);
  tokens = load<i32>(chunk, 12);
  const layers = planInt(LAYERS);
  const table = plan(LAYER_TABLE);
  embed(chunk, member(table, L_QKV));
  for (let layer = 0; layer < layers; layer++) {
    const at = table + layer * LAYER_BYTES;
    product(member(at, L_QKV), buffer(AT_WIDE), STORE);
    attend(chunk);
    requantize(member(at, L_MIX), buffer(AT_CONTEXT));
    product(member(at, L_MIX), buffer(AT_STREAM), ADD);
    normalize(member(at, L_MIX_NORM), member(at, L_UP));
    product(member(at, L_UP), buffer(AT_WIDE), GELU);
    requantize(member(at, L_DOWN), buffer(AT_WIDE));
    product(member(at, L_DOWN), buffer(AT_STREAM), ADD);
    normalize(member(at, L_DOWN_NORM), layer + 1 < layers ? member(at + LAYER_BYTES, L_QKV) : 0);
  }
  deliver(chunk);
  barrier(me, all);
}

@inline
function member(at: usize, field: usize): usize {
  return <usize>load<u32>(at + field);
}

@inline
function buffer(field: usize): usize {
  return shared + plan(field);
}

/** This thread's share of `count` things: share(count, me) up to share(count, me + 1). */
@inline
function share(count: i32, thread: i32): i32 {
  return count * thread / all;
}

@inline
function firstRow(): i32 {
  return share((tokens + TILE - 1) / TILE, me) * TILE;
}

@inline
function lastRow(): i32 {
  return min(tokens, share((tokens + TILE - 1) / TILE, me + 1) * TILE);
}

function product(matrix: usize, target: usize, follow: i32): void {
  const panels = load<i32>(matrix, M_N) / PANEL;
  const acc = own + plan(AT_ACC);
  multiply(matrix, buffer(AT_CODES), buffer(AT_META), tokens, target, follow, share(panels, me), share(panels, me + 1), acc);
  barrier(me, all);
}

function quantize(matrix: usize, x: usize, row: i32): void {
  const k = load<i32>(matrix, M_K);
  let shares = member(matrix, M_SHARES);
  if (planInt(OBSERVING) != 0) {
    observeRow(x, k, shares);
    shares = plan(ONES);
  }
  const codes = buffer(AT_CODES) + (row / TILE) * tileBytes(k);
  quantizeRow(x, k, shares, member(matrix, M_SLOTS), codes, row & (TILE - 1), buffer(AT_META) + (row << 3));
}

function requantize(matrix: usize, from: usize): void {
  const stride = <usize>load<i32>(matrix, M_K) << 2;
  for (let row = firstRow(), last = lastRow(); row < last; row++) quantize(matrix, from + row * stride, row);
  barrier(me, all);
}

function normalize(norm: usize, next: usize): void {
  const hidden = planInt(HIDDEN);
  const epsilon = load<f32>(PLAN + EPSILON);
  for (let row = firstRow(), last = lastRow(); row < last; row++) {
    const x = buffer(AT_STREAM) + ((row * hidden) << 2);
    layerNorm(x, hidden, norm, epsilon);
    if (next != 0) quantize(next, x, row);
  }
  barrier(me, all);
}

function attend(chunk: usize): void {
  const heads = planInt(HEADS), hidden = planInt(HIDDEN);
  const texts = load<i32>(chunk, 4);
  const first = share(texts * heads, me), last = share(texts * heads, me + 1);
  let lengths = plan(ROW_TOKENS) + (load<i32>(chunk) << 2);
  let start = 0;
  for (let text = 0; text < texts; text++) {
    const length = load<i32>(lengths);
    const from = max(first, text * heads), to = min(last, (text + 1) * heads);
    for (let unit = from; unit < to; unit++) {
      attendHead(
        buffer(AT_WIDE) + ((start * hidden * 3) << 2),
        buffer(AT_CONTEXT) + ((start * hidden) << 2),
        length,
        hidden,
        planInt(HEAD_DIMS),
        unit - text * heads,
        own + plan(AT_KEYS),
        own + plan(AT_SCORES),
      );
    }
    start += length;
    lengths += 4;
  }
  barrier(me, all);
}

/** Words (through the projection, when there is one) plus positions and types, normed, quantised for `next`. */
function embed(chunk: usize, next: usize): void {
  const hidden = planInt(HIDDEN), dims = planInt(EMBED_DIMS);
  const projection = plan(PROJECTION);
  const ids = plan(IDS) + (load<i32>(chunk, 8) << 2);
  const words = projection != 0 ? buffer(AT_WIDE) : buffer(AT_STREAM);
  for (let row = firstRow(), last = lastRow(); row < last; row++) {
    const x = words + ((row * dims) << 2);
    gather(load<i32>(ids + (row << 2)), dims, x);
    if (projection != 0) quantize(projection, x, row);
  }
  if (projection != 0) {
    barrier(me, all);
    product(projection, buffer(AT_STREAM), STORE);
  }
  addPositions(chunk, hidden);
  normalize(plan(EMBED_NORM), next);
}

/** x f32 [dims] = uint8 row (zero point 128) times the word's scale. */
function gather(id: i32, dims: i32, x: usize): void {
  let from = plan(WORDS) + id * dims;
  const scale = v128.load32_splat(plan(WORD_SCALES) + (id << 2));
  for (const end = from + dims; from < end; from += 4) {
    const codes = i16x8.extend_low_i8x16_s(v128.xor(v128.load32_zero(from), i8x16.splat(-128)));
    v128.store(x, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), scale));
    x += 16;
  }
}

function addPositions(chunk: usize, hidden: i32): void {
  const first = firstRow(), last = lastRow();
  const bytes = <usize>hidden << 2;
  const types = plan(TYPES), kinds = plan(TYPE_IDS) + (load<i32>(chunk, 8) << 2);
  let lengths = plan(ROW_TOKENS) + (load<i32>(chunk) << 2);
  let text = 0, ends = load<i32>(lengths), position = 0;
  for (let row = 0; row < last; row++, position++) {
    if (row == ends) {
      text++;
      position = 0;
      ends += load<i32>(lengths + (text << 2));
    }
    if (row < first) continue;
    const x = buffer(AT_STREAM) + row * bytes;
    const from = plan(POSITIONS) + position * bytes;
    addRow(x, from, bytes);
    if (types != 0) addRow(x, types + load<i32>(kinds + (row << 2)) * bytes, bytes);
  }
}

@inline
function addRow(x: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(x + i, f32x4.add(v128.load(x + i), v128.load(from + i)));
}

/** Pooled rows or all token rows, through the head when there is one, to where the host reads them. */
function deliver(chunk: usize): void {
  const head = plan(HEAD);
  const kind = planInt(OUTPUT_KIND);
  const dims = head != 0 ? load<i32>(head, M_N) : planInt(HIDDEN);
  const firstOut = kind == TOKENS ? load<i32>(chunk, 8) : load<i32>(chunk);
  const out = plan(OUTPUT) + ((firstOut * dims) << 2);
  if (kind == TOKENS) {
    if (head != 0) {
      requantize(head, buffer(AT_STREAM));
      product(head, out, STORE);
    } else if (me == 0) {
      memory.copy(out, buffer(AT_STREAM), (tokens * dims) << 2);
    }
    return;
  }
  const texts = load<i32>(chunk, 4);
  pool(chunk, head != 0 ? buffer(AT_CONTEXT) : out, head == 0);
  if (head == 0) return;
  tokens = texts;
  requantize(head, buffer(AT_CONTEXT));
  product(head, out, STORE);
  for (let text = share(texts, me), last = share(texts, me + 1); text < last; text++) {
    unitRow(out + ((text * dims) << 2), dims);
  }
}

function pool(chunk: usize, target: usize, unit: bool): void {
  const texts = load<i32>(chunk, 4), hidden = planInt(HIDDEN);
  const lengths = plan(ROW_TOKENS) + (load<i32>(chunk) << 2);
  const from = share(texts, me), to = share(texts, me + 1);
  let x = buffer(AT_STREAM);
  for (let text = 0; text < to; text++) {
    const length = load<i32>(lengths + (text << 2));
    const rows = planInt(POOLING) == POOL_FIRST ? 1 : length;
    const row = target + ((text * hidden) << 2);
    if (text >= from) {
      meanRows(x, rows, hidden, row);
      if (unit) unitRow(row, hidden);
    }
    x += (length * hidden) << 2;
  }
  barrier(me, all);
}
