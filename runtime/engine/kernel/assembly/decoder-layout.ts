// Owns where a decoder's things lie in its linear memory: the plan (written by the host before the first
// step), the step under way, and the structs they point at. ../decoder-layout.ts mirrors these offsets; a test
// keeps both the same. Thread words are those of layout.ts; fields here begin behind them.
import { PLAN } from './layout';

// Plan fields, byte offsets from PLAN.
export const D_HIDDEN: usize = 576;
export const D_LAYERS: usize = 580;
export const D_HEADS: usize = 584;
export const D_KV_HEADS: usize = 588;
export const D_HEAD_DIMS: usize = 592;
export const D_INTERMEDIATE: usize = 596;
export const D_EPSILON: usize = 600;
export const D_LAYER_TABLE: usize = 604;
export const D_EMBEDDING: usize = 608;
export const D_HEAD: usize = 612;
export const D_NORM: usize = 616;
export const D_ROPE: usize = 620;
// Buffers all threads share.
export const D_STREAM: usize = 624;
export const D_WIDE: usize = 628;
export const D_MIXED: usize = 632;
export const D_CODES: usize = 636;
export const D_SCALES: usize = 640;
export const D_SUMS: usize = 644;
export const D_LOGITS: usize = 648;
// Buffers of one thread: address of the first, bytes from one to the next.
export const D_OWN: usize = 652;
export const D_OWN_BYTES: usize = 656;
export const D_OWN_SCORES: usize = 660;
export const D_OWN_PANEL: usize = 664;
// The step, rewritten for every run.
export const D_PHASE: usize = 704;
export const D_ROWS: usize = 708;
export const D_FIRST_LAYER: usize = 712;
export const D_LAST_LAYER: usize = 716;
export const D_IDS: usize = 720;
export const D_POSITIONS: usize = 724;
export const D_TABLES: usize = 728;
export const D_PICKED: usize = 732;

/** Asked of helpers instead of a phase: return. */
export const PHASE_STOP: i32 = -1;
/** Layers first…last-1, embedding before layer 0. */
export const PHASE_LAYERS: i32 = 0;
/** Logits of the picked rows. */
export const PHASE_HEAD: i32 = 1;

/** A matrix [n, k] in blocks of 32 k and panels of 8 columns. */
export const X_N: usize = 0;
export const X_K: usize = 4;
export const X_KIND: usize = 8;
export const X_DATA: usize = 12;
export const X_SCALE: usize = 16;
export const X_MIN: usize = 20;
export const X_BIAS: usize = 24;
export const X_BYTES: usize = 32;

/** int8 codes, a scale a block. */
export const KIND_8: i32 = 0;
/** Four-bit codes, a scale and a minimum a block. */
export const KIND_4: i32 = 1;

export const Y_QKV: usize = 0;
export const Y_OUTPUT: usize = 4;
export const Y_GATE_UP: usize = 8;
export const Y_DOWN: usize = 12;
export const Y_NORM: usize = 16;
export const Y_MLP_NORM: usize = 20;
export const Y_QUERY_NORM: usize = 24;
export const Y_KEY_NORM: usize = 28;
export const Y_BYTES: usize = 32;

/** Columns a panel, k a block. */
export const COLUMNS: i32 = 8;
export const BLOCK: i32 = 32;
/** Bytes that one block of a panel takes: codes, then eight uint16 scales, then eight int16 minima. */
export const BLOCK_8: i32 = 272;
export const BLOCK_4: i32 = 160;
/** Tokens a page of the cache holds. */
export const PAGE: i32 = 16;

@inline
export function field(at: usize): usize {
  return <usize>load<u32>(PLAN + at);
}

@inline
export function fieldInt(at: usize): i32 {
  return load<i32>(PLAN + at);
}

/** Bytes of one head's keys of one page: int16 codes, then a float scale a token. */
@inline
export function keyBytes(headDims: i32): i32 {
  return PAGE * headDims * 2 + PAGE * 4;
}

/** Bytes of one head's values of one page: int8 codes, then a float scale a token. */
@inline
export function valueBytes(headDims: i32): i32 {
  return PAGE * headDims + PAGE * 4;
}

@inline
export function cacheBytes(headDims: i32): i32 {
  return keyBytes(headDims) + valueBytes(headDims);
}
