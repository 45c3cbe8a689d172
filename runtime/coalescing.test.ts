// Requests for the same thing in flight, through the runtime's front door: one answer, shared as it comes.
import { describe, expect, it, vi } from 'vitest';
import { type CoalesceOptions, createSemanticCache } from './cache/index.ts';
import { createMemoryCacheStore } from './cache/memory.ts';
import { embedWords } from './cache/testing.fixture.ts';
import { NearfieldError } from './errors.ts';
import { createEgress, createPolicy, createReceiptBook } from './policy/index.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import type { ChatRequest, StreamPart, Tier, TierPart } from './types.ts';

const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content }],
  ...more,
});
const CAPITAL = ask('What is the capital of France?');
const REWORDED = ask('the capital of France, what is it?');

interface GatedTier extends Tier {
  readonly calls: { readonly signal: AbortSignal; say(text: string): void; end(): void; fail(): void }[];
}

/** Says what the test tells each call to say, when it tells it. */
function createGatedTier(): GatedTier {
  const calls: GatedTier['calls'] = [];
  return {
    id: 'gated',
    kind: 'device',
    calls,
    can: () => true,
    async *stream(_request, { signal }): AsyncIterable<TierPart> {
      const queue: (TierPart | Error)[] = [];
      let wake = Promise.withResolvers<void>();
      const push = (part: TierPart | Error): void => {
        queue.push(part);
        wake.resolve();
      };
      signal.addEventListener('abort', () => push(new DOMException('stopped', 'AbortError')));
      calls.push({
        signal,
        say: (text) => push({ type: 'text-delta', text }),
        end: () => push({ type: 'finish', finishReason: 'stop', model: 'm' }),
        fail: () => push(new NearfieldError('context-overflow', 'Too long.')),
      });
      for (;;) {
        const part = queue.shift();
        if (part instanceof Error) throw part;
        if (part !== undefined) {
          yield part;
          if (part.type === 'finish') return;
        } else {
          await wake.promise;
          wake = Promise.withResolvers<void>();
        }
      }
    },
  };
}

function build(coalesce?: CoalesceOptions | false): {
  runtime: Runtime;
  tier: GatedTier;
  /** Settles once so many requests have taken off or joined: from then on each counts as a reader. */
  joined(count: number): Promise<void>;
} {
  const tier = createGatedTier();
  const store = createMemoryCacheStore();
  const inner = createSemanticCache({ store, embed: embedWords, threshold: 0.8, coalesce });
  let sharing = 0;
  const cache: typeof inner = {
    ...inner,
    async share(...asked) {
      const shared = await inner.share!(...asked);
      sharing += 1;
      return shared as never;
    },
  };
  const runtime = createRuntime({
    tiers: [tier],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: [] }),
    receipts: createReceiptBook(),
    cache,
  });
  return { runtime, tier, joined: (count) => until(() => expect(sharing).toBe(count)) };
}

/** As long as a machine that is busy may take. */
const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 15_000, interval: 5 }) as Promise<T>;

/** Reads in the background; what came so far is in `parts`. */
function read(stream: AsyncIterable<StreamPart>) {
  const parts: StreamPart[] = [];
  const done = (async () => {
    for await (const part of stream) parts.push(part);
    return parts;
  })();
  done.catch(() => undefined);
  const text = (): string => parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
  return { parts, done, text };
}

async function call(tier: GatedTier, at: number): Promise<GatedTier['calls'][number]> {
  return await until(() => tier.calls[at] ?? Promise.reject(new Error('not called yet')));
}

/** A moment in which what must not happen would. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('requests for the same thing in flight', () => {
  it('share one answer, part by part as it comes', async () => {
    const { runtime, tier } = build();
    const first = read(runtime.generate(CAPITAL));
    const made = await call(tier, 0);
    made.say('Par');
    await until(() => expect(first.text()).toBe('Par'));
    const second = read(runtime.generate(CAPITAL));
    await until(() => expect(second.text()).toBe('Par'));
    made.say('is');
    await until(() => expect(second.text()).toBe('Paris'));
    made.end();
    expect((await first.done).at(-1)).toMatchObject({ cache: { status: 'miss' }, tier: { id: 'gated' } });
    const [start, ...rest] = await second.done;
    expect(start).toMatchObject({ cache: 'hit', tier: { id: 'cache' }, cacheReport: { collapsed: true } });
    expect(rest.at(-1)).toMatchObject({
      cache: { status: 'hit', reason: 'coalesced' },
      receipt: { bytesOut: 0, tier: { id: 'cache' } },
    });
    expect(first.parts[0]).not.toEqual(start);
    expect(tier.calls).toHaveLength(1);
  });

  it('share it in other words, where the judge takes them for the same', async () => {
    const { runtime, tier, joined } = build();
    const first = read(runtime.generate(CAPITAL));
    const made = await call(tier, 0);
    const second = read(runtime.generate(REWORDED));
    await joined(2);
    made.say('Paris');
    made.end();
    expect((await second.done).at(-1)).toMatchObject({
      cache: { status: 'hit', reason: 'coalesced-similar', similarity: expect.any(Number) },
    });
    await first.done;
    expect(tier.calls).toHaveLength(1);
  });

  it.each([
    ['a question the verifier tells apart', ask('5 miles in kilometres'), ask('50 miles in kilometres')],
    ['another scope', { ...CAPITAL, scope: 'a' }, { ...CAPITAL, scope: 'b' }],
    ['another system prompt', CAPITAL, { messages: [{ role: 'system', content: 'x' }, ...CAPITAL.messages] }],
    ['a request that refreshes', CAPITAL, { ...CAPITAL, cache: 'refresh' }],
    ['a request that bypasses', CAPITAL, { ...CAPITAL, cache: 'bypass' }],
  ] as const)('do not share with %s', async (_name, one, other) => {
    const { runtime, tier } = build();
    const first = read(runtime.generate(one as ChatRequest));
    await call(tier, 0);
    const second = read(runtime.generate(other as ChatRequest));
    const made = await call(tier, 1);
    made.say('mine');
    made.end();
    await second.done;
    expect(second.text()).toBe('mine');
    expect(first.text()).toBe('');
    tier.calls[0]?.end();
    await first.done;
  });

  it('are not shared when the cache is told not to', async () => {
    const { runtime, tier } = build(false);
    read(runtime.generate(CAPITAL));
    read(runtime.generate(CAPITAL));
    await call(tier, 1);
  });
});

describe('when one leaves or fails', () => {
  it('a follower that leaves stops nobody', async () => {
    const { runtime, tier, joined } = build();
    const first = read(runtime.generate(CAPITAL));
    const made = await call(tier, 0);
    const leaver = new AbortController();
    const second = read(runtime.generate(CAPITAL, { signal: leaver.signal }));
    await joined(2);
    leaver.abort();
    await expect(second.done).rejects.toThrow(/abort/i);
    expect(made.signal.aborted).toBe(false);
    made.say('Paris');
    made.end();
    await first.done;
    expect(first.text()).toBe('Paris');
  });

  it('the first that leaves hands over, and the answer is kept', async () => {
    const { runtime, tier } = build();
    const leaver = new AbortController();
    const first = read(runtime.generate(CAPITAL, { signal: leaver.signal }));
    const made = await call(tier, 0);
    made.say('Pa');
    const second = read(runtime.generate(CAPITAL));
    await until(() => expect(second.text()).toBe('Pa'));
    leaver.abort();
    await expect(first.done).rejects.toThrow(/abort/i);
    await settle();
    expect(made.signal.aborted).toBe(false);
    made.say('ris');
    made.end();
    await second.done;
    expect(second.text()).toBe('Paris');
    expect((await runtime.complete(CAPITAL)).text).toBe('Paris');
    expect(tier.calls).toHaveLength(1);
  });

  it('the making stops when nobody is left, and the next asks anew', async () => {
    const { runtime, tier, joined } = build();
    const leavers = [new AbortController(), new AbortController()];
    const reads = leavers.map(({ signal }) => read(runtime.generate(CAPITAL, { signal })));
    const made = await call(tier, 0);
    await joined(2);
    leavers[0]?.abort();
    await settle();
    expect(made.signal.aborted).toBe(false);
    leavers[1]?.abort();
    await until(() => expect(made.signal.aborted).toBe(true));
    await Promise.allSettled(reads.map(({ done }) => done));
    read(runtime.generate(CAPITAL));
    await call(tier, 1);
  });

  it('followers go on by themselves when the first fails before it said anything', async () => {
    const { runtime, tier, joined } = build();
    const first = read(runtime.generate(CAPITAL));
    const made = await call(tier, 0);
    const second = read(runtime.generate(CAPITAL));
    await joined(2);
    made.fail();
    await expect(first.done).rejects.toMatchObject({ code: 'context-overflow' });
    const again = await call(tier, 1);
    again.say('Paris');
    again.end();
    expect((await second.done).at(-1)).toMatchObject({ cache: { status: 'miss' }, tier: { id: 'gated' } });
    expect(second.text()).toBe('Paris');
  });

  it('a follower that was told a part fails with the first, rather than begin again', async () => {
    const { runtime, tier } = build();
    const first = read(runtime.generate(CAPITAL));
    const made = await call(tier, 0);
    made.say('Pa');
    const second = read(runtime.generate(CAPITAL));
    await until(() => expect(second.text()).toBe('Pa'));
    made.fail();
    await expect(second.done).rejects.toMatchObject({ code: 'context-overflow' });
    await expect(first.done).rejects.toMatchObject({ code: 'context-overflow' });
    expect(tier.calls).toHaveLength(1);
  });

  it('a follower waits no longer than it may', async () => {
    const { runtime, tier } = build({ waitMs: 30 });
    read(runtime.generate(CAPITAL));
    await call(tier, 0);
    const second = read(runtime.generate(CAPITAL));
    const made = await call(tier, 1);
    made.say('Paris');
    made.end();
    await second.done;
    expect(second.text()).toBe('Paris');
    expect(tier.calls[0]?.signal.aborted).toBe(false);
  });
});
