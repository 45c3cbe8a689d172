// The decoder's door: what the host calls. Everything else is reached from here.
import { step } from './decoder';
import { D_PHASE, PHASE_STOP, fieldInt } from './decoder-layout';
import { DONE, JOB, MAY_WAIT, PLAN, THREADS, planInt } from './layout';
import { announce, awaitChange } from './threads';

export { attendRow, rotate, scoreScratch, writeCache } from './decoder-attention';
export { multiplyBlocks, panelScratch, readColumn } from './decoder-product';
export { quantizeRow, rmsNormInto } from './decoder-quantize';

/** The host's thread: runs the step in the plan, with the helpers' help, to its end. */
export function run(): void {
  const threads = planInt(THREADS);
  atomic.store<i32>(PLAN + DONE, 0);
  if (threads > 1) announce(PLAN + JOB);
  step(0, threads);
  for (;;) {
    const done = atomic.load<i32>(PLAN + DONE);
    if (done == threads - 1) return;
    awaitChange(PLAN + DONE, done, planInt(MAY_WAIT) != 0);
  }
}

/** A helper's whole life: one step after another, until told to stop. `seen`: steps before it was born. */
export function serve(thread: i32, seen: i32): void {
  for (;;) {
    awaitChange(PLAN + JOB, seen, true);
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
