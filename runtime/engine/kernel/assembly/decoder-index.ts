// The decoder's door: what the host calls. Everything else is reached from here.
import { step } from './decoder';
import { D_PHASE, PHASE_STOP, fieldInt } from './decoder-layout';
import { DONE, JOB, PLAN, THREADS, planInt } from './layout';
import { announce, awaitChange, awaitJob } from './threads';

export { attendRow, rotate, scoreScratch, writeCache } from './decoder-attention';
export { multiplyBlocks, panelScratch, readColumn } from './decoder-product';
export { quantizeRow, rmsNormInto } from './decoder-quantize';
export { fail } from './threads';

/** The host's thread: runs the step in the plan, with the helpers' help, to its end. */
export function run(): void {
  const threads = planInt(THREADS);
  atomic.store<i32>(PLAN + DONE, 0);
  if (threads > 1) announce(PLAN + JOB);
  step(0, threads);
  for (;;) {
    const done = atomic.load<i32>(PLAN + DONE);
    if (done == threads - 1) return;
    awaitChange(PLAN + DONE, done, true);
  }
}

/** A helper's whole life: one step after another, until told to stop. `seen`: steps before it was born. */
export function serve(thread: i32, seen: i32): void {
  for (;;) {
    awaitJob(PLAN + JOB, seen);
    seen = atomic.load<i32>(PLAN + JOB);
    if (fieldInt(D_PHASE) == PHASE_STOP) return;
    step(thread, planInt(THREADS));
    announce(PLAN + DONE);
  }
}

/** Sends every helper home. */
export function stop(): void {
  store<i32>(PLAN + D_PHASE, PHASE_STOP);
  announce(PLAN + JOB);
}

/** Reads memory once, for benches: what a pass over weights can not be faster than. A number nobody needs. */
export function sweep(from: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = i32x4.splat(0), c = i32x4.splat(0), d = i32x4.splat(0);
  for (const end = from + bytes; from < end; from += 64) {
    a = i32x4.add(a, v128.load(from));
    b = i32x4.add(b, v128.load(from, 16));
    c = i32x4.add(c, v128.load(from, 32));
    d = i32x4.add(d, v128.load(from, 48));
  }
  return i32x4.extract_lane(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)), 0);
}
