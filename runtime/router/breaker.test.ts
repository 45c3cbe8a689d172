import { describe, expect, it } from 'vitest';
import { createBreaker } from './breaker.ts';

function setup(options = {}, random = 0) {
  let nowMs = 0;
  const breaker = createBreaker(
    { failuresToOpen: 2, baseMs: 100, maxMs: 800, ...options },
    {
      now: () => nowMs,
      random: () => random,
    },
  );
  const fail = (retryAfterMs?: number): void => {
    const permit = breaker.acquire();
    permit?.failed(retryAfterMs);
    permit?.release();
  };
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { breaker, fail, pass };
}

describe('breaker', () => {
  it('opens after so many failures in a row, and a finished answer starts the count again', () => {
    const { breaker, fail } = setup();
    fail();
    const permit = breaker.acquire()!;
    permit.opened(5);
    permit.finished();
    permit.release();
    fail();
    expect(breaker.state()).toBe('closed');
    fail();
    expect(breaker.state()).toBe('open');
    expect(breaker.acquire()).toBeUndefined();
  });

  it('lets one probe through when half-open; its success closes', () => {
    const { breaker, fail, pass } = setup();
    fail();
    fail();
    expect(breaker.waitMs()).toBe(50);
    pass(50);
    expect(breaker.state()).toBe('half-open');
    const probe = breaker.acquire()!;
    expect(breaker.acquire()).toBeUndefined();
    probe.opened(1);
    probe.release();
    expect(breaker.state()).toBe('closed');
  });

  it('doubles its back-off with each failed probe, up to the longest, and forgets it after a whole answer', () => {
    const { breaker, fail, pass } = setup();
    fail();
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      fail();
      waits.push(breaker.waitMs());
      pass(breaker.waitMs());
    }
    expect(waits).toEqual([50, 100, 200, 400, 400, 400]);
    const probe = breaker.acquire()!;
    probe.opened(1);
    probe.finished();
    probe.release();
    fail();
    fail();
    expect(breaker.waitMs()).toBe(50);
  });

  it('spreads back-off over the upper half of its span', () => {
    const { breaker, fail } = setup({}, 0.999);
    fail();
    fail();
    expect(breaker.waitMs()).toBeCloseTo(99.95);
  });

  it('opens at once on a Retry-After and waits at least that long, within reason', () => {
    const short = setup();
    short.fail(5_000);
    expect(short.breaker.waitMs()).toBe(5_000);
    const absurd = setup();
    absurd.fail(10 ** 9);
    expect(absurd.breaker.waitMs()).toBe(8_000);
  });

  it('does not lengthen the wait for failures of requests that were in flight when it opened', () => {
    const { breaker } = setup();
    const permits = [1, 2, 3, 4].map(() => breaker.acquire()!);
    expect(breaker.inFlight).toBe(4);
    for (const permit of permits) {
      permit.failed();
      permit.release();
      permit.release();
    }
    expect(breaker.waitMs()).toBe(50);
    expect(breaker.inFlight).toBe(0);
  });

  it('reopens a tier that begins well and is cut every time', () => {
    const { breaker, fail, pass } = setup();
    fail();
    fail();
    pass(50);
    const probe = breaker.acquire()!;
    probe.opened(1);
    probe.failed();
    probe.release();
    expect(breaker.state()).toBe('open');
  });

  it('leaves a half-open breaker as it was when its probe is aborted', () => {
    const { breaker, fail, pass } = setup();
    fail();
    fail();
    pass(50);
    breaker.acquire()!.release();
    expect(breaker.state()).toBe('half-open');
    expect(breaker.ready()).toBe(true);
  });

  it('averages time to first part towards the newest, and forgets by half a minute', () => {
    const { breaker, pass } = setup();
    for (const ms of [100, 200]) {
      const permit = breaker.acquire()!;
      permit.opened(ms);
      permit.finished();
      permit.release();
    }
    expect(breaker.latencyMs).toBe(130);
    pass(60_000);
    expect(breaker.latencyMs).toBe(65);
  });
});
