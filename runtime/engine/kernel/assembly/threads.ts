// Owns where threads meet: a barrier that spins, then sleeps. A thread that may not sleep (a page's
// main thread) spins on; the host says so in the plan. And where the host learns that a helper will never come.
import {
  BARRIER_COUNT,
  BARRIER_TURN,
  DONE,
  LOST,
  MAY_WAIT,
  NEXT_CHUNK,
  PATIENCE,
  PLAN,
  PULSE,
  SLEEPERS,
  planInt,
} from './layout';

/**
 * Turns of the empty loop before a thread sleeps: as many as have paid lately. 0.6 ns each, 5 until V8 has optimised it:
 * a third of a millisecond at most, a few at first. Being woken takes longer than most parts of a step do (a decoder's
 * step has 300 barriers), so where both threads have a core to themselves it pays to spin; where they share one, spinning
 * keeps the other from what is waited for.
 */
const LEAST_SPINS: i32 = 2300;
const MOST_SPINS: i32 = 460000;

/** A slice of the host's sleep: 100 ms; helpers.ts reckons with it. Of its spinning, where it may not sleep: 60 to 500 ms. */
const SLICE_NS: i64 = 100000000;
const SLICE_SPINS: i32 = 100000000;

// Every thread has an instance, so these are its own: one for the middle of a job, one for the time between jobs.
let patience: i32 = MOST_SPINS;
let idlePatience: i32 = MOST_SPINS;

/** Returns once `word` no longer holds `old`. The host traps where that can no longer be. */
export function awaitChange(word: usize, old: i32, host: bool): void {
  patience = awaitFor(patience, word, old, host);
}

/** The same between jobs, where a helper waits for ever. */
export function awaitJob(word: usize, old: i32): void {
  idlePatience = awaitFor(idlePatience, word, old, false);
}

/** Returns how long to spin the next time. */
function awaitFor(spins: i32, word: usize, old: i32, host: bool): i32 {
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(word) != old) return min(spins << 1, MOST_SPINS);
  }
  const mayWait = !host || planInt(MAY_WAIT) != 0;
  if (mayWait) atomic.add<i32>(PLAN + SLEEPERS, 1);
  if (host) outlast(word, old, mayWait);
  else while (atomic.load<i32>(word) == old) atomic.wait<i32>(word, old, -1);
  if (!mayWait) return MOST_SPINS;
  atomic.sub<i32>(PLAN + SLEEPERS, 1);
  return max(spins >> 2, LEAST_SPINS);
}

/**
 * The host's long wait. A helper that trapped says so; one that was ended says nothing, and no event reaches a thread
 * in here. So the host sleeps in slices, and traps after PATIENCE of them in a row without a sign of any helper: slices,
 * not a time, since a clock runs on while a machine sleeps and everybody with it. A helper that was only slow loses
 * nothing but its work: the trap ends this memory.
 */
function outlast(word: usize, old: i32, mayWait: bool): void {
  let seen = progress(), quiet = 0;
  while (atomic.load<i32>(word) == old) {
    if (atomic.load<i32>(PLAN + LOST) != 0) unreachable();
    if (mayWait) {
      if (atomic.wait<i32>(word, old, SLICE_NS) != AtomicWaitResult.TIMED_OUT) continue;
    } else {
      for (let i = 0; i < SLICE_SPINS && atomic.load<i32>(word) == old; i++) {}
    }
    const now = progress();
    quiet = now == seen ? quiet + 1 : 0;
    seen = now;
    if (quiet >= planInt(PATIENCE)) unreachable();
  }
}

/** Changes whenever a helper gets anywhere. */
function progress(): i32 {
  return (
    atomic.load<i32>(PLAN + PULSE) +
    atomic.load<i32>(PLAN + BARRIER_COUNT) +
    atomic.load<i32>(PLAN + NEXT_CHUNK) +
    atomic.load<i32>(PLAN + DONE)
  );
}

/** Called for a helper that trapped: whoever waits for it need not wait longer. */
export function fail(): void {
  atomic.store<i32>(PLAN + LOST, 1);
  atomic.notify(PLAN + BARRIER_TURN, -1);
  atomic.notify(PLAN + DONE, -1);
}

/** Adds one to `word` and wakes whoever sleeps on it. */
export function announce(word: usize): void {
  atomic.add<i32>(word, 1);
  if (atomic.load<i32>(PLAN + SLEEPERS) > 0) atomic.notify(word, -1);
}

/** Every one of `threads` threads must come before any goes on. */
export function barrier(thread: i32, threads: i32): void {
  if (threads == 1) {
    // Two at once may lose one; the next is not far.
    store<i32>(PLAN + PULSE, load<i32>(PLAN + PULSE) + 1);
    return;
  }
  const turn = atomic.load<i32>(PLAN + BARRIER_TURN);
  if (atomic.add<i32>(PLAN + BARRIER_COUNT, 1) == threads - 1) {
    atomic.store<i32>(PLAN + BARRIER_COUNT, 0);
    announce(PLAN + BARRIER_TURN);
  } else {
    awaitChange(PLAN + BARRIER_TURN, turn, thread == 0);
  }
}
