// Ways round the rules that lie in time and between people: what changes while a request is on its way, and whose
// answer it is.
import { describe, expect, it } from 'vitest';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { type ControllableCache, createSemanticCache } from './cache/index.ts';
import { createMemoryCacheStore } from './cache/memory.ts';
import { NearfieldError } from './errors.ts';
import { createEgress, createPolicy, createReceiptBook, type Detector } from './policy/index.ts';
import { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
import { createAnswerer } from './tasks/index.ts';
import { createDeviceTier } from './tiers/device.ts';
import { createFakeTier, type FakeTier, says } from './tiers/fake.ts';
import type { ChatMessage, ChatRequest, Tier, TierKind } from './types.ts';

const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content }],
  ...more,
});

interface Built {
  readonly runtime: Runtime;
  readonly cache: ControllableCache;
  readonly edge: FakeTier;
}

function build(tiers: readonly Tier[] = [], more: Partial<RuntimeOptions> = {}): Built {
  const embedder = createFakeEmbedder();
  const edge = createFakeTier({ kind: 'edge', host: 'edge.example' });
  const cache = createSemanticCache({
    store: createMemoryCacheStore(),
    embed: async (texts) => [...(await embedder.embed(texts)).embeddings],
  });
  const runtime = createRuntime({
    tiers: [...tiers, edge],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: ['edge.example'] }),
    receipts: createReceiptBook(),
    cache,
    consent: () => 'cloud',
    ...more,
  });
  return { runtime, cache, edge };
}

/** A device tier that fails once it is told to. */
function failingDevice(): { readonly tier: Tier; readonly asked: Promise<void>; fail(): void } {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const tier: Tier = {
    id: 'device',
    kind: 'device',
    can: () => true,
    // biome-ignore lint/correctness/useYield: it fails before it says anything
    async *stream() {
      asked.resolve();
      await gate.promise;
      throw new NearfieldError('model-load-failed', 'No.');
    },
  };
  return { tier, asked: asked.promise, fail: gate.resolve };
}

describe('while a request is on its way', () => {
  it('what its app does to it changes neither what is asked, nor what is kept, nor under which key', async () => {
    const gate = Promise.withResolvers<void>();
    const detector: Detector = {
      id: 'slow',
      detect: async () => {
        await gate.promise;
        return [];
      },
    };
    const { runtime, cache, edge } = build([], { policy: createPolicy('open', { detectors: [detector] }) });
    const messages: ChatMessage[] = [{ role: 'user', content: 'What is a monad?' }];
    const answering = runtime.complete({ messages });
    messages.push({ role: 'user', content: 'My password is hunter2!' });
    gate.resolve();
    await answering;
    expect(edge.calls.map(({ request }) => request.messages)).toEqual([
      [{ role: 'user', content: 'What is a monad?' }],
    ]);
    expect((await cache.exportScope('default')).map(({ text }) => text)).toEqual(['What is a monad?']);
  });

  it('consent taken back holds for the tier that has not been asked yet', async () => {
    for (const now of ['device', undefined] as const) {
      let consent: TierKind | undefined = 'cloud';
      const device = failingDevice();
      const { runtime, edge } = build([device.tier], { consent: () => consent });
      const answering = runtime.complete(ask('What is a monad?'));
      await device.asked;
      consent = now;
      device.fail();
      await expect(answering).rejects.toMatchObject({ code: 'egress-denied' });
      expect(edge.calls).toEqual([]);
      expect(await runtime.receipts()).toMatchObject([{ bytesOut: 0 }]);
    }
  });

  it('consent that was never asked for is none that was taken back', async () => {
    const { runtime, edge } = build([], { policy: createPolicy('open'), consent: undefined });
    await runtime.complete(ask('What is a monad?'));
    expect(edge.calls).toHaveLength(1);
  });

  it('an erased scope stays erased: an answer begun before is not kept', async () => {
    const gate = Promise.withResolvers<void>();
    const slow: Tier = {
      id: 'slow',
      kind: 'device',
      can: () => true,
      async *stream() {
        yield { type: 'text-delta', text: 'Par' };
        await gate.promise;
        yield { type: 'text-delta', text: 'is' };
        yield { type: 'finish', finishReason: 'stop' };
      },
    };
    const { runtime, cache } = build([slow]);
    const asked = ask('What is the capital of France?', { scope: 'ann' });
    const parts = runtime.generate(asked);
    await parts.next();
    await cache.erase('ann');
    gate.resolve();
    for await (const _part of parts);
    expect(await cache.exportScope('ann')).toEqual([]);
    // What is asked afterwards, by the clock, is kept again.
    await new Promise((resolve) => setTimeout(resolve, 3));
    await runtime.complete(asked);
    expect(await cache.exportScope('ann')).toHaveLength(1);
  });
});

describe('erasing a person', () => {
  it('takes answers and placeholders, of that person alone', async () => {
    const { runtime, cache, edge } = build();
    const asked = ask('Write to eve@example.com');
    for (const user of ['ann', 'bob']) await runtime.complete({ ...asked, user });
    expect(await runtime.erase('ann')).toBe(1);
    expect(await cache.exportScope('ann')).toEqual([]);
    expect(await cache.exportScope('bob')).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 3));
    for (const user of ['ann', 'bob']) await runtime.complete({ ...asked, user, cache: 'refresh' });
    const [ann, bob, annAgain, bobAgain] = edge.calls.map(({ request }) => request.messages[0]?.content);
    expect(bobAgain).toBe(bob);
    expect(annAgain).not.toBe(ann);
  });
});

describe('between people', () => {
  it('a document is read anew for each, so that nobody is told by the time who else has it', async () => {
    const embedder = createFakeEmbedder();
    const device = createDeviceTier({ answerer: createAnswerer({ embedder }) });
    const { runtime } = build([device]);
    const documents = [{ id: 'd', text: 'The lease begins on 1 May. The deposit is 900 euros.' }];
    const read = async (who: Partial<ChatRequest>): Promise<boolean> => {
      const before = embedder.seen.length;
      await runtime.complete(ask('How much is the deposit?', { ...who, documents, cache: 'bypass' }));
      return embedder.seen.slice(before).includes('The lease begins on 1 May.');
    };
    expect(await read({ scope: 'ann' })).toBe(true);
    expect(await read({ scope: 'ann' })).toBe(false);
    expect(await read({ user: 'bob' })).toBe(true);
    await runtime.erase('ann');
    expect(await read({ user: 'bob' })).toBe(false);
    expect(await read({ scope: 'ann' })).toBe(true);
  });

  it('two users share no answer and no placeholder, where only `user` tells them apart', async () => {
    const { runtime, cache, edge } = build();
    edge.next(says('At nine.'), says('At noon.'));
    const asked = 'When is my next appointment?';
    expect((await runtime.complete(ask(asked, { user: 'ann' }))).text).toBe('At nine.');
    expect((await runtime.complete(ask(asked, { user: 'bob' }))).text).toBe('At noon.');
    expect((await runtime.complete(ask(asked, { user: 'ann' }))).text).toBe('At nine.');
    expect(await cache.exportScope('ann')).toHaveLength(1);
    edge.next(says('Yes.'), says('Yes.'));
    for (const user of ['ann', 'bob']) await runtime.complete(ask('Mail eve@example.com', { user }));
    const sent = edge.calls.slice(2).map(({ request }) => request.messages[0]?.content);
    expect(sent[0]).not.toBe(sent[1]);
  });

  it('an edge may keep for everybody what names nobody, and nothing else', async () => {
    const { runtime, edge } = build();
    await runtime.complete(ask('What is a monad?'));
    await runtime.complete(ask('Mail eve@example.com'));
    await runtime.complete(ask('Mail eve@example.com please', { scope: 'ann' }));
    expect(edge.calls.map(({ request }) => request.cache)).toEqual([undefined, 'bypass', undefined]);
  });
});
