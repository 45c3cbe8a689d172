import { afterEach, describe, expect, it, vi } from 'vitest';
import { isAbortError, NearfieldError } from './errors.ts';
import { createRouter, type RouterOptions } from './router.ts';
import { createFakeTier, type FakeTier, fails, says } from './tiers/fake.ts';
import type { ChatRequest, PolicyDecision, Tier, TierKind, TierPart } from './types.ts';

const request: ChatRequest = { messages: [{ role: 'user', content: 'hello' }] };
const decide = (farthest: TierKind): PolicyDecision => ({
  farthest,
  sensitivity: 'none',
  rules: ['test'],
  explanation: 'A test.',
  redact: { edge: false, cloud: false },
  cacheable: true,
  spanCounts: {},
});
const text = (value: string): TierPart => ({ type: 'text-delta', text: value });

function setup(tiers: readonly Tier[], options: Partial<RouterOptions> = {}) {
  const router = createRouter({ tiers, random: () => 0, ...options });
  const asked: string[] = [];
  const route = (farthest: TierKind = 'cloud', signal = new AbortController().signal) =>
    router.route(
      request,
      decide(farthest),
      (tier, tierSignal) => {
        asked.push(tier.id);
        const fetch = async (): Promise<Response> => Response.error();
        return tier.stream(request, { signal: tierSignal, fetch });
      },
      { signal },
    );
  return { router, route, asked };
}

function three(): { device: FakeTier; edge: FakeTier; cloud: FakeTier; all: FakeTier[] } {
  const device = createFakeTier({ id: 'device', kind: 'device' });
  const edge = createFakeTier({ id: 'edge', kind: 'edge', host: 'edge.example' });
  const cloud = createFakeTier({ id: 'cloud', kind: 'cloud', host: 'cloud.example' });
  return { device, edge, cloud, all: [cloud, edge, device] };
}

async function read(parts: AsyncIterable<TierPart>): Promise<TierPart[]> {
  const all: TierPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

async function rejection(promise: Promise<unknown>): Promise<NearfieldError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Error('Expected a rejection.');
  return error as NearfieldError;
}

afterEach(() => vi.useRealTimers());

describe('plan', () => {
  it('orders near to far whatever order the tiers were given in', async () => {
    const { router } = setup(three().all);
    const ids = async (farthest: TierKind) =>
      (await router.plan(request, decide(farthest))).map(({ id }) => id);
    expect(await ids('cloud')).toEqual(['device', 'edge', 'cloud']);
    expect(await ids('edge')).toEqual(['device', 'edge']);
    expect(await ids('device')).toEqual(['device']);
  });

  it('leaves out a tier that cannot, or whose can() throws', async () => {
    const { edge } = three();
    const unable = createFakeTier({ id: 'unable', can: async () => false });
    const broken = createFakeTier({
      id: 'broken',
      can: () => {
        throw new Error('no');
      },
    });
    const { router } = setup([unable, broken, edge]);
    expect((await router.plan(request, decide('cloud'))).map(({ id }) => id)).toEqual(['edge']);
  });
});

describe('fallback', () => {
  it('uses the nearest tier and asks no other', async () => {
    const { all, edge, cloud } = three();
    const { route } = setup(all);
    const { tier, attempts, parts } = await route();
    expect(tier.id).toBe('device');
    expect(attempts).toEqual([]);
    expect(await read(parts)).toEqual(says('Fake ', 'answer.'));
    expect([edge.calls.length, cloud.calls.length]).toEqual([0, 0]);
  });

  it.each([
    'model-not-found',
    'device-lost',
    'context-overflow',
    'upstream-throttled',
    'upstream-rejected',
  ] as const)('goes on after %s before the first part, and says so', async (code) => {
    const { device, all } = three();
    device.next(fails(code));
    const { route } = setup(all);
    const { tier, attempts } = await route();
    expect(tier.id).toBe('edge');
    expect(attempts).toEqual([{ tier: { id: 'device', kind: 'device' }, code }]);
  });

  it.each(['egress-denied', 'redaction-failed', 'policy-failed', 'invalid-request'] as const)(
    'never goes on after %s',
    async (code) => {
      const { device, edge, all } = three();
      device.next(fails(code));
      const { route } = setup(all);
      expect((await rejection(route())).code).toBe(code);
      expect(edge.calls).toEqual([]);
    },
  );

  it('goes on after a stream that ends without a part, and after empty text alone', async () => {
    const { device, edge, all } = three();
    device.next([]);
    edge.next([text('')]);
    const { tier, attempts } = await setup(all).route();
    expect(tier.id).toBe('cloud');
    expect(attempts.map(({ code }) => code)).toEqual(['upstream-unavailable', 'upstream-unavailable']);
  });

  it('never goes on after the first good part', async () => {
    const { device, edge, all } = three();
    device.next([text('one'), ...fails('device-lost')]);
    const { parts } = await setup(all).route();
    const seen: TierPart[] = [];
    const reading = (async () => {
      for await (const part of parts) seen.push(part);
    })();
    expect((await rejection(reading)).code).toBe('device-lost');
    expect(seen).toEqual([text('one')]);
    expect(edge.calls).toEqual([]);
  });

  it('calls a stream without its finish cut, and drops what follows a finish', async () => {
    const { device, all } = three();
    device.next([text('one')]);
    const cut = await setup(all).route();
    expect((await rejection(read(cut.parts))).code).toBe('upstream-cut');

    const chatty: Tier = {
      id: 'chatty',
      kind: 'device',
      can: () => true,
      async *stream() {
        yield* [text('a'), { type: 'finish', finishReason: 'stop' }, text('b')] as TierPart[];
        yield { type: 'finish', finishReason: 'stop' };
      },
    };
    const { parts } = await setup([chatty]).route();
    expect((await read(parts)).map(({ type }) => type)).toEqual(['text-delta', 'finish']);
  });

  it('never asks a tier beyond the decision, even when all nearer ones fail', async () => {
    const { device, edge, cloud, all } = three();
    device.next(fails('model-load-failed'));
    edge.next(fails('upstream-throttled'));
    const error = await rejection(setup(all).route('edge'));
    expect(error.code).toBe('upstream-throttled');
    expect(error.message).toContain('device (model-load-failed), edge (upstream-throttled)');
    expect(cloud.calls).toEqual([]);
  });

  it('rethrows a single failure as it came', async () => {
    const { device } = three();
    const original = new NearfieldError('device-lost', 'Lost.');
    device.next(fails(original));
    expect(await rejection(setup([device]).route())).toBe(original);
  });
});

it('never hands on what a foreign error says', async () => {
  const { device } = three();
  device.next(fails(new TypeError('Cannot read ann@example.com')));
  const error = await rejection(setup([device]).route());
  expect(error.code).toBe('internal');
  expect(error.message).toContain('device (unknown)');
  expect(error.message).not.toContain('ann');
});

describe('nobody', () => {
  it('says what exists, why each was left out and what to do', async () => {
    const device = createFakeTier({ id: 'extractive', can: () => false });
    const error = await rejection(setup([device]).route());
    expect(error.code).toBe('no-tier');
    expect(error.message).toMatch(/extractive \(device\) cannot answer this request.*Add a tier/);
    expect((await rejection(setup([]).route())).code).toBe('no-tier');
  });

  it('is egress-denied when policy alone keeps able tiers away, and nothing is asked', async () => {
    const { edge, cloud } = three();
    const device = createFakeTier({ id: 'extractive', can: () => false });
    const { route, asked } = setup([device, edge, cloud]);
    const error = await rejection(route('device'));
    expect(error.code).toBe('egress-denied');
    expect(error.retryable).toBe(false);
    expect(asked).toEqual([]);
  });

  it('is no-tier with a wait when a breaker is the reason', async () => {
    const { device, cloud } = three();
    const clock = { monotonic: () => 0 };
    const { route, router } = setup([device, cloud], {
      breaker: { failuresToOpen: 1, baseMs: 1_000 },
      clock,
    });
    device.next(fails('device-lost'));
    await rejection(route('device'));
    expect(router.health()[0]?.breaker).toBe('open');
    const error = await rejection(route('device'));
    expect(error.code).toBe('no-tier');
    expect(error.retryAfterMs).toBe(500);
    expect(device.calls).toHaveLength(1);
  });
});

describe('time and abort', () => {
  it('gives each tier so long for its first part, and aborts the one it leaves', async () => {
    vi.useFakeTimers();
    const { edge, cloud } = three();
    edge.next([{ type: 'hang' }]);
    const routed = setup([edge, cloud], { firstPartTimeoutMs: { edge: 500 } }).route();
    await vi.advanceTimersByTimeAsync(499);
    expect(edge.calls[0]?.outcome).toBe('open');
    await vi.advanceTimersByTimeAsync(2);
    const { tier, attempts } = await routed;
    expect(tier.id).toBe('cloud');
    expect(attempts[0]?.code).toBe('upstream-timeout');
    expect(edge.calls[0]?.outcome).toBe('aborted');
  });

  it('leaves a tier that ignores its signal', async () => {
    vi.useFakeTimers();
    const deaf: Tier = {
      id: 'deaf',
      kind: 'edge',
      can: () => true,
      stream: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
    };
    const routed = rejection(setup([deaf], { firstPartTimeoutMs: { edge: 100 } }).route());
    await vi.advanceTimersByTimeAsync(100);
    expect((await routed).code).toBe('upstream-timeout');
  });

  it('calls a stream that stalls cut, but never hurries a slow reader', async () => {
    vi.useFakeTimers();
    const { edge } = three();
    edge.next([text('a'), text('b'), { type: 'hang' }]);
    const { parts } = await setup([edge], { nextPartTimeoutMs: { edge: 100 } }).route();
    const iterator = parts[Symbol.asyncIterator]();
    await iterator.next();
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await iterator.next()).value).toEqual(text('b'));
    const stalled = rejection(iterator.next());
    await vi.advanceTimersByTimeAsync(100);
    expect((await stalled).code).toBe('upstream-cut');
  });

  it('passes an abort through, before and after the first part, and falls back for neither', async () => {
    const { device, edge, all } = three();
    const before = new AbortController();
    device.next([{ type: 'hang' }]);
    const hanging = rejection(setup(all).route('cloud', before.signal));
    setTimeout(() => before.abort('any reason'), 5);
    expect(isAbortError(await hanging)).toBe(true);

    const after = new AbortController();
    device.next([text('a'), { type: 'hang' }]);
    const { router, route } = setup(all);
    const { parts } = await route('cloud', after.signal);
    const reading = rejection(read(parts));
    setTimeout(() => after.abort(), 5);
    expect(isAbortError(await reading)).toBe(true);
    expect(device.calls.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
    expect(edge.calls).toEqual([]);
    expect(router.health()[0]).toMatchObject({ breaker: 'closed', inFlight: 0 });
  });

  it('takes an abort that nobody asked for as the tier failing', async () => {
    const { device, all } = three();
    device.next(fails(new DOMException('internal', 'AbortError')));
    const { tier, attempts } = await setup(all).route();
    expect(tier.id).toBe('edge');
    expect(attempts[0]?.code).toBe('upstream-unavailable');
  });

  it('asks nobody when the signal has already fired', async () => {
    const { route, asked } = setup(three().all);
    expect(isAbortError(await rejection(route('cloud', AbortSignal.abort())))).toBe(true);
    expect(asked).toEqual([]);
  });

  it('closes the tier when the reader leaves, even one that never read', async () => {
    const { device } = three();
    device.next([text('a'), { type: 'hang' }]);
    const { route, router } = setup([device]);
    const { parts } = await route();
    expect(router.health()[0]?.inFlight).toBe(1);
    await parts[Symbol.asyncIterator]().return?.();
    expect(router.health()[0]?.inFlight).toBe(0);
    await expect.poll(() => device.calls[0]?.outcome).toBe('aborted');
  });
});

describe('replicas', () => {
  it('prefers the one with less in flight, then the faster', async () => {
    const a = createFakeTier({ id: 'a', kind: 'edge', script: [text('x'), { type: 'hang' }] });
    const b = createFakeTier({ id: 'b', kind: 'edge' });
    const { route } = setup([a, b]);
    expect((await route()).tier.id).toBe('a');
    expect((await route()).tier.id).toBe('b');
  });

  it('keeps device tiers in the order given: they differ, they are no replicas', async () => {
    const first = createFakeTier({ id: 'first', script: [text('x'), { type: 'hang' }] });
    const second = createFakeTier({ id: 'second' });
    const { route } = setup([first, second], { random: () => 0.9 });
    await route();
    expect((await route()).tier.id).toBe('first');
  });

  it('spreads a thousand requests over the fast ones, and still asks the slow one now and then', async () => {
    let nowMs = 0;
    let seed = 7;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const replica = (id: string, ms: number): Tier => ({
      id,
      kind: 'edge',
      can: () => true,
      async *stream() {
        nowMs += ms;
        yield text('x');
        yield { type: 'finish', finishReason: 'stop' };
      },
    });
    const tiers = [replica('fast', 10), replica('middle', 11), replica('slow', 500)];
    const { route } = setup(tiers, { random, clock: { monotonic: () => nowMs } });
    const counts: Record<string, number> = {};
    for (let i = 0; i < 1_000; i += 1) {
      const { tier, parts } = await route();
      nowMs += 500;
      counts[tier.id] = (counts[tier.id] ?? 0) + 1;
      await read(parts);
    }
    expect(counts.fast! + counts.middle!).toBeGreaterThan(900);
    expect(counts.middle).toBeGreaterThan(200);
    expect(counts.slow).toBeGreaterThan(1);
  });

  it('does not count a refused request against a tier, nor a caller who left', async () => {
    const { edge } = three();
    const { route, router } = setup([edge], { breaker: { failuresToOpen: 1 } });
    edge.next(fails('upstream-rejected'), fails('context-overflow'));
    await rejection(route());
    await rejection(route());
    expect(router.health()[0]?.breaker).toBe('closed');
  });
});
