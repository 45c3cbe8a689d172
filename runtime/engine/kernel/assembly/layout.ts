// Owns where things lie in linear memory: the plan (one struct, written by the host before the first run)
// and the structs it points at. ../layout.ts mirrors these offsets; a test keeps both the same.

/** Address of the plan. Below it: nothing, so a null pointer is never a struct. */
export const PLAN: usize = 1024;

// Plan fields, byte offsets from PLAN.
export const HIDDEN: usize = 0;
export const LAYERS: usize = 4;
export const HEADS: usize = 8;
export const HEAD_DIMS: usize = 12;
export const EPSILON: usize = 20;
export const EMBED_DIMS: usize = 24;
export const WORDS: usize = 28;
export const WORD_SCALES: usize = 32;
export const HEAD: usize = 36;
export const POSITIONS: usize = 40;
export const EMBED_NORM: usize = 44;
export const PROJECTION: usize = 52;
export const LAYER_TABLE: usize = 56;
export const OBSERVING: usize = 60;
/** Second table of embeddings, f32 rows by a token's type; 0 where a model has none. */
export const TYPES: usize = 64;
export const ARENAS: usize = 68;
export const ARENA_BYTES: usize = 72;
export const THREADS: usize = 76;
export const MAY_WAIT: usize = 80;
export const ONES: usize = 84;
export const POOLING: usize = 88;
/** Slices of sleep without a sign of the helpers after which the host gives them up; see threads.ts. */
export const PATIENCE: usize = 92;
// The job, rewritten for every run.
export const CHUNKS: usize = 96;
export const CHUNK_COUNT: usize = 100;
export const IDS: usize = 104;
export const TYPE_IDS: usize = 124;
export const ROW_TOKENS: usize = 108;
export const OUTPUT: usize = 112;
export const OUTPUT_KIND: usize = 116;
export const TOGETHER: usize = 120;
// Words that threads meet on; each on a cache line of its own.
export const NEXT_CHUNK: usize = 192;
export const JOB: usize = 256;
export const DONE: usize = 320;
export const BARRIER_COUNT: usize = 384;
export const BARRIER_TURN: usize = 448;
export const SLEEPERS: usize = 512;
/** Not 0 once a helper trapped: nothing in this memory is worth waiting for. Read by who slept long, so it needs no line. */
export const LOST: usize = 516;
/** Counts parts done by threads that work each for itself. Behind the decoder's fields. */
export const PULSE: usize = 768;

// Arena of one thread: offsets of its buffers, relative to PLAN, shared by all arenas.
export const AT_STREAM: usize = 128;
export const AT_WIDE: usize = 132;
export const AT_CONTEXT: usize = 136;
export const AT_CODES: usize = 140;
export const AT_META: usize = 144;
export const AT_ACC: usize = 148;
export const AT_SCORES: usize = 152;
export const AT_KEYS: usize = 156;

/** A packed matrix product: int8 weights [n, k], with what its input's quantiser needs. */
export const M_N: usize = 0;
export const M_K: usize = 4;
export const M_WEIGHTS: usize = 8;
export const M_SCALES: usize = 12;
export const M_SUMS: usize = 16;
export const M_BIAS: usize = 20;
export const M_FIXES: usize = 24;
export const M_SHARES: usize = 28;
export const M_SLOTS: usize = 32;
export const MATRIX_BYTES: usize = 64;

/** One layer: four matrices and two norms (weight then bias, hidden floats each). */
export const L_QKV: usize = 0;
export const L_MIX: usize = 4;
export const L_UP: usize = 8;
export const L_DOWN: usize = 12;
export const L_MIX_NORM: usize = 16;
export const L_DOWN_NORM: usize = 20;
export const LAYER_BYTES: usize = 32;

/** Outlier slots a matrix's input gets: one group of eight columns more than k. */
export const SLOTS: i32 = 8;
/** Columns a panel. Weights of a panel lie together: for every 8 k, 64 bytes. */
export const PANEL: i32 = 8;
/** Rows a tile of activations. For every 8 k, four rows of 8 codes. */
export const TILE: i32 = 4;

/** How dot products are summed; see tile.ts. */
export const MODE_WIDE: i32 = 0;
export const MODE_PAIRED: i32 = 1;

@inline
export function plan(field: usize): usize {
  return <usize>load<u32>(PLAN + field);
}

@inline
export function planInt(field: usize): i32 {
  return load<i32>(PLAN + field);
}
