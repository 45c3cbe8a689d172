// Mirrors assembly/layout.ts for the host: byte offsets of the plan and of its structs. layout.test.ts reads
// both files and fails where they differ.

export const PLAN = 1024;
export const PLAN_BYTES = 1024;

export const HIDDEN = 0;
export const LAYERS = 4;
export const HEADS = 8;
export const HEAD_DIMS = 12;
export const EPSILON = 20;
export const EMBED_DIMS = 24;
export const WORDS = 28;
export const WORD_SCALES = 32;
export const HEAD = 36;
export const POSITIONS = 40;
export const EMBED_NORM = 44;
export const PROJECTION = 52;
export const LAYER_TABLE = 56;
export const OBSERVING = 60;
export const TYPES = 64;
export const ARENAS = 68;
export const ARENA_BYTES = 72;
export const THREADS = 76;
export const MAY_WAIT = 80;
export const ONES = 84;
export const POOLING = 88;
export const PATIENCE = 92;
export const CHUNKS = 96;
export const CHUNK_COUNT = 100;
export const IDS = 104;
export const TYPE_IDS = 124;
export const ROW_TOKENS = 108;
export const OUTPUT = 112;
export const OUTPUT_KIND = 116;
export const TOGETHER = 120;
export const JOB = 256;
export const LOST = 516;

export const AT_STREAM = 128;
export const AT_WIDE = 132;
export const AT_CONTEXT = 136;
export const AT_CODES = 140;
export const AT_META = 144;
export const AT_ACC = 148;
export const AT_SCORES = 152;
export const AT_KEYS = 156;

export const M_N = 0;
export const M_K = 4;
export const M_WEIGHTS = 8;
export const M_SCALES = 12;
export const M_SUMS = 16;
export const M_BIAS = 20;
export const M_FIXES = 24;
export const M_SHARES = 28;
export const M_SLOTS = 32;
export const MATRIX_BYTES = 64;

export const L_QKV = 0;
export const L_MIX = 4;
export const L_UP = 8;
export const L_DOWN = 12;
export const L_MIX_NORM = 16;
export const L_DOWN_NORM = 20;
export const LAYER_BYTES = 32;

export const SLOTS = 8;
export const PANEL = 8;
export const TILE = 4;
export const MODE_WIDE = 0;
export const MODE_PAIRED = 1;
