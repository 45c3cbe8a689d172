// Owns where threads meet: a barrier that spins, then sleeps. A thread that may not sleep (a page's
// main thread) spins on; the host says so in the plan.
import { BARRIER_COUNT, BARRIER_TURN, MAY_WAIT, PLAN, SLEEPERS, planInt } from './layout';

/**
 * Turns of the empty loop before a thread sleeps, 5 ns each: as many as have paid lately. Being woken takes longer than
 * most parts of a step do (a decoder's step has 300 barriers), so where both threads have a core to themselves it
 * pays to spin for milliseconds; where they share one, spinning keeps the other from what is waited for.
 */
const LEAST_SPINS: i32 = 2000;
const MOST_SPINS: i32 = 400000;

// Every thread has an instance, so these are its own: one for the middle of a job, one for the time between jobs.
let patience: i32 = MOST_SPINS;
let idlePatience: i32 = MOST_SPINS;

/** Returns once `word` no longer holds `old`. */
export function awaitChange(word: usize, old: i32, mayWait: bool): void {
  patience = awaitFor(patience, word, old, mayWait);
}

/** The same between jobs. */
export function awaitJob(word: usize, old: i32): void {
  idlePatience = awaitFor(idlePatience, word, old, true);
}

/** Returns how long to spin the next time. */
function awaitFor(spins: i32, word: usize, old: i32, mayWait: bool): i32 {
  for (let i = 0; i < spins || !mayWait; i++) {
    if (atomic.load<i32>(word) != old) return min(spins << 1, MOST_SPINS);
  }
  atomic.add<i32>(PLAN + SLEEPERS, 1);
  while (atomic.load<i32>(word) == old) atomic.wait<i32>(word, old, -1);
  atomic.sub<i32>(PLAN + SLEEPERS, 1);
  return max(spins >> 2, LEAST_SPINS);
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
