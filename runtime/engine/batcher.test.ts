import { describe, expect, test } from 'vitest';
import { type Batcher, type BatcherOptions, createBatcher } from './batcher.ts';

/** A row is its token count; its result is itself, tenfold. */
interface Rig {
  readonly batcher: Batcher<number, number>;
  /** Batches begun, in order. */
  readonly batches: readonly (readonly number[])[];
  /** Lets the running batch end, and whatever follows begin. */
  finish(error?: unknown): Promise<void>;
  /** Fires the timer that is set. */
  elapse(): Promise<void>;
  timers(): number;
}

function rig(options: Partial<BatcherOptions<number, number>> = {}): Rig {
  const batches: (readonly number[])[] = [];
  const running: { end: (error?: unknown) => void }[] = [];
  const timers = new Set<() => void>();
  const batcher = createBatcher<number, number>({
    tokensOf: (row) => row,
    batchTokens: () => 100,
    run: (rows) => {
      batches.push(rows);
      return new Promise((resolve, reject) => {
        running.push({
          end: (error) => (error === undefined ? resolve(rows.map((row) => row * 10)) : reject(error)),
        });
      });
    },
    timer: (callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    defer: queueMicrotask,
    ...options,
  });
  return {
    batcher,
    batches,
    timers: () => timers.size,
    async finish(error) {
      running.shift()?.end(error);
      await settle();
    },
    async elapse() {
      for (const callback of [...timers]) callback();
      await settle();
    },
  };
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('batching', () => {
  test('a lone request runs at once, without a timer, again and again', async () => {
    const { batcher, batches, finish, timers } = rig();
    for (let round = 1; round <= 3; round += 1) {
      const answer = batcher.submit([4]);
      await settle();
      expect(batches).toHaveLength(round);
      expect(timers()).toBe(0);
      await finish();
      expect(await answer).toEqual([40]);
    }
  });

  test('what one tick submits is one batch, and each caller gets its own rows', async () => {
    const { batcher, batches, finish } = rig();
    const answers = Promise.all([batcher.submit([1, 2]), batcher.submit([3]), batcher.submit([])]);
    await settle();
    expect(batches).toEqual([[1, 2, 3]]);
    await finish();
    expect(await answers).toEqual([[10, 20], [30], []]);
  });

  test('what comes while a batch runs waits and runs together', async () => {
    const { batcher, batches, finish } = rig();
    void batcher.submit([1]);
    await settle();
    void batcher.submit([2]);
    await settle();
    void batcher.submit([3]);
    expect(batcher.queuedRows()).toBe(2);
    await finish();
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test('a batch holds no more tokens than the budget, but always one row', async () => {
    const { batcher, batches, finish } = rig();
    void batcher.submit([60, 60, 30, 500, 1]);
    await settle();
    for (let at = 0; at < 3; at += 1) await finish();
    expect(batches).toEqual([[60], [60, 30], [500], [1]]);
  });

  test('after a shared batch the next waits for as many clients, and no longer than the linger', async () => {
    const { batcher, batches, finish, elapse, timers } = rig();
    void batcher.submit([1]);
    void batcher.submit([2]);
    await settle();
    await finish();
    void batcher.submit([3]);
    await settle();
    expect(timers()).toBe(1);
    expect(batches).toHaveLength(1);
    void batcher.submit([4]);
    await settle();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(timers()).toBe(0);
    await finish();
    void batcher.submit([5]);
    await settle();
    await elapse();
    expect(batches.at(-1)).toEqual([5]);
    await finish();
    void batcher.submit([6]);
    await settle();
    expect(timers()).toBe(0);
    expect(batches.at(-1)).toEqual([6]);
  });
});

describe('fairness', () => {
  test('scopes take turns row by row, so a bulk job does not starve a single question', async () => {
    const { batcher, batches, finish } = rig({ batchTokens: () => 4 });
    void batcher.submit([1]);
    await settle();
    void batcher.submit([1, 1, 1, 1, 1, 1], { scope: 'bulk' });
    const single = batcher.submit([2], { scope: 'person' });
    await finish();
    expect(batches[1]).toEqual([1, 2, 1]);
    await finish();
    expect(await single).toEqual([20]);
  });
});

describe('cancelling', () => {
  test('a waiting request leaves the queue and never runs', async () => {
    const { batcher, batches, finish } = rig();
    void batcher.submit([1]);
    await settle();
    const abort = new AbortController();
    const cancelled = batcher.submit([2, 3], { signal: abort.signal });
    const kept = batcher.submit([4]);
    abort.abort();
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    expect(batcher.queuedRows()).toBe(1);
    await finish();
    await finish();
    expect(batches).toEqual([[1], [4]]);
    expect(await kept).toEqual([40]);
  });

  test('an aborted running request rejects at once; its batch mates are answered', async () => {
    const { batcher, finish } = rig();
    const abort = new AbortController();
    const cancelled = batcher.submit([2], { signal: abort.signal });
    const kept = batcher.submit([4]);
    await settle();
    abort.abort();
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    await finish();
    expect(await kept).toEqual([40]);
  });

  test('a signal that has already fired submits nothing', async () => {
    const { batcher, batches } = rig();
    await expect(batcher.submit([1], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    await settle();
    expect(batches).toEqual([]);
  });

  test('a failed batch fails its requests, rows still waiting included, and the next runs', async () => {
    const { batcher, finish } = rig({ batchTokens: () => 2 });
    const failing = batcher.submit([1, 1, 1, 1]);
    await settle();
    const next = batcher.submit([2], { scope: 'other' });
    const reason = new Error('no');
    const refused = expect(failing).rejects.toBe(reason);
    await finish(reason);
    await refused;
    expect(batcher.queuedRows()).toBe(0);
    await finish();
    expect(await next).toEqual([20]);
  });

  test('close fails what waits', async () => {
    const { batcher } = rig();
    void batcher.submit([1]);
    await settle();
    const waiting = batcher.submit([2]);
    batcher.close(new Error('closed'));
    await expect(waiting).rejects.toThrow('closed');
  });
});

describe('the queue is bounded', () => {
  test('queue-full when others wait already; a large request alone is let in', async () => {
    const { batcher } = rig({ maxQueuedRows: 3 });
    void batcher.submit([1, 1, 1, 1, 1]);
    await expect(batcher.submit([1])).rejects.toMatchObject({ code: 'queue-full', retryable: true });
  });
});
