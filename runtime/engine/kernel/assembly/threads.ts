// Owns where threads meet: a barrier that spins briefly, then sleeps. A thread that may not sleep (a page's
// main thread) spins on; the host says so in the plan.
import { BARRIER_COUNT, BARRIER_TURN, MAY_WAIT, PLAN, SLEEPERS, planInt } from './layout';

/** Turns of the empty loop before a thread sleeps: about 20 us on a 3 GHz core. Not tuned further. */
const SPINS: i32 = 4000;

/** Returns once `word` no longer holds `old`. */
export function awaitChange(word: usize, old: i32, mayWait: bool): void {
  for (let i = 0; i < SPINS || !mayWait; i++) {
    if (atomic.load<i32>(word) != old) return;
  }
  atomic.add<i32>(PLAN + SLEEPERS, 1);
  while (atomic.load<i32>(word) == old) atomic.wait<i32>(word, old, -1);
  atomic.sub<i32>(PLAN + SLEEPERS, 1);
}

/** Adds one to `word` and wakes whoever sleeps on it. */
export function announce(word: usize): void {
  atomic.add<i32>(word, 1);
  if (atomic.load<i32>(PLAN + SLEEPERS) > 0) atomic.notify(word, -1);
}

/** Every one of `threads` threads must come before any goes on. */
export function barrier(thread: i32, threads: i32): void {
  if (threads == 1) return;
  const turn = atomic.load<i32>(PLAN + BARRIER_TURN);
  if (atomic.add<i32>(PLAN + BARRIER_COUNT, 1) == threads - 1) {
    atomic.store<i32>(PLAN + BARRIER_COUNT, 0);
    announce(PLAN + BARRIER_TURN);
  } else {
    awaitChange(PLAN + BARRIER_TURN, turn, thread > 0 || planInt(MAY_WAIT) != 0);
  }
}
