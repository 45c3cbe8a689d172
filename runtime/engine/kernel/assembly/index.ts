// The kernel's door: what the host calls. Everything else is reached from here.
import { runChunk } from './encoder';
import {
  CHUNKS,
  CHUNK_COUNT,
  DONE,
  JOB,
  NEXT_CHUNK,
  OUTPUT_KIND,
  PLAN,
  THREADS,
  TOGETHER,
  plan,
  planInt,
} from './layout';
import { exp, gelu } from './math';
import { announce, awaitChange, awaitJob } from './threads';

export { softmax } from './attention';
export { layerNorm, meanRows, rmsNorm, unitRow } from './norm';
export { fixesBytes, packMatrix, packSlots } from './pack';
export { multiply } from './product';
export { foldSums, quantizeRow } from './quantize';
export { fail } from './threads';
export { panelBytes, probe, productTile, tileBytes } from './tile';

/** Asked of a helper instead of an output: return. */
const STOP: i32 = -1;

/** The host's thread: runs the job in the plan, with the helpers' help, to its end. */
export function run(): void {
  const helpers = planInt(THREADS) - 1;
  atomic.store<i32>(PLAN + NEXT_CHUNK, 0);
  atomic.store<i32>(PLAN + DONE, 0);
  if (helpers > 0) announce(PLAN + JOB);
  work(0);
  for (;;) {
    const done = atomic.load<i32>(PLAN + DONE);
    if (done == helpers) return;
    awaitChange(PLAN + DONE, done, true);
  }
}

/** A helper's whole life: one job after another, until told to stop. `seen`: jobs before it was born. */
export function serve(thread: i32, seen: i32): void {
  for (;;) {
    awaitJob(PLAN + JOB, seen);
    seen = atomic.load<i32>(PLAN + JOB);
    if (planInt(OUTPUT_KIND) == STOP) return;
    work(thread);
    announce(PLAN + DONE);
  }
}

/** Sends every helper home. */
export function stop(): void {
  store<i32>(PLAN + OUTPUT_KIND, STOP);
  announce(PLAN + JOB);
}

function work(thread: i32): void {
  const threads = planInt(THREADS), count = planInt(CHUNK_COUNT);
  const chunks = plan(CHUNKS);
  if (planInt(TOGETHER) != 0) {
    for (let chunk = 0; chunk < count; chunk++) runChunk(chunks + (chunk << 4), thread, threads, 0);
    return;
  }
  for (;;) {
    const chunk = atomic.add<i32>(PLAN + NEXT_CHUNK, 1);
    if (chunk >= count) return;
    runChunk(chunks + (chunk << 4), thread, 1, thread);
  }
}

/** In place over n floats (a multiple of 4): for tests and for heads. */
export function geluRow(x: usize, n: i32): void {
  for (const end = x + (<usize>n << 2); x < end; x += 16) v128.store(x, gelu(v128.load(x)));
}

/** In place over n floats <= 0. */
export function expRow(x: usize, n: i32): void {
  for (const end = x + (<usize>n << 2); x < end; x += 16) v128.store(x, exp(v128.load(x)));
}
