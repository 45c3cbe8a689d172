import { describe, expect, it } from 'vitest';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { createSemanticCache } from './cache/index.ts';
import { createMemoryCacheStore } from './cache/memory.ts';
import { NearfieldError } from './errors.ts';
import { createEgress, createPolicy, createReceiptBook, verifyReceipts } from './policy/index.ts';
import { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
import { createAnswerer } from './tasks/index.ts';
import { createDeviceTier } from './tiers/device.ts';
import { createFakeTier, type FakeTier, says } from './tiers/fake.ts';
import type { ChatRequest, SemanticCache, StreamPart, Tier, TierPart } from './types.ts';

const EDGE = 'edge.example';
const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content }],
  ...more,
});
const LEASE = { id: 'lease', text: 'The lease begins on 1 May. The tenant pays a deposit of 900 euros.' };

function build(more: Partial<RuntimeOptions> = {}): Runtime {
  const embedder = createFakeEmbedder();
  return createRuntime({
    tiers: [createDeviceTier({ answerer: createAnswerer({ embedder }) })],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: [EDGE], fetch: async () => new Response('{}') }),
    receipts: createReceiptBook(),
    cache: createSemanticCache({
      store: createMemoryCacheStore(),
      embed: async (texts) => [...(await embedder.embed(texts)).embeddings],
    }),
    embedder,
    consent: () => 'cloud',
    ...more,
  });
}

async function parts(stream: AsyncIterable<StreamPart>): Promise<StreamPart[]> {
  const all: StreamPart[] = [];
  for await (const part of stream) all.push(part);
  return all;
}

/** An edge tier that really calls its guarded fetch, then answers what it was asked. */
function talkingEdge(): Tier & { readonly sent: string[] } {
  const sent: string[] = [];
  return {
    id: 'edge',
    kind: 'edge',
    host: EDGE,
    sent,
    can: () => true,
    async *stream(request, { fetch }): AsyncIterable<TierPart> {
      const body = JSON.stringify(request);
      sent.push(body);
      await fetch(`https://${EDGE}/v1/chat/completions`, { method: 'POST', body });
      const said = request.messages.at(-1)?.content as string;
      for (const letter of `You said: ${said}`) yield { type: 'text-delta', text: letter };
      yield { type: 'finish', finishReason: 'stop', model: 'edge-model' };
    },
  };
}

describe('the way of one request', () => {
  it('answers from documents on the device and sends nothing', async () => {
    const runtime = build();
    const { text, found, passages, tier, receipt, timings } = await runtime.answer({
      question: 'How much is the deposit the tenant pays?',
      documents: [LEASE],
    });
    expect(found).toBe(true);
    expect(text).toBe('The tenant pays a deposit of 900 euros.');
    expect(LEASE.text.slice(passages[0]!.start, passages[0]!.end)).toBe(text);
    expect(tier).toEqual({ id: 'device', kind: 'device' });
    expect(receipt).toMatchObject({ bytesOut: 0, hosts: [], sequence: 1 });
    expect(timings.steps.map((step) => step.name)).toEqual([
      'policy',
      'cache',
      'route',
      'embed',
      'rank',
      'stream',
      'cache-write',
    ]);
  });

  it('streams one start, deltas, one end', async () => {
    const types = (await parts(build().generate(ask('deposit the tenant pays', { documents: [LEASE] })))).map(
      (part) => part.type,
    );
    expect(types).toEqual(['response-start', 'sources', 'text-delta', 'response-end']);
  });

  it('replays a repeat from the cache part for part, with no tier asked', async () => {
    const tier = createFakeTier({ script: says('one ', 'two') });
    const runtime = build({ tiers: [tier] });
    const first = await parts(runtime.generate(ask('count to two')));
    const again = await parts(runtime.generate(ask('count to two')));
    expect(again[0]).toMatchObject({ cache: 'hit', tier: { id: 'cache', kind: 'device' } });
    expect(again.slice(1, -1)).toEqual(first.slice(1, -1));
    expect(tier.calls.length).toBe(1);
  });

  it('does not look up across scopes, documents, system prompts or sampling', async () => {
    const tier = createFakeTier();
    const runtime = build({ tiers: [tier] });
    const base = ask('same question');
    const variants: ChatRequest[] = [
      base,
      { ...base, scope: 'other' },
      { ...base, temperature: 0.7 },
      { ...base, documents: [LEASE] },
      { ...base, messages: [{ role: 'system', content: 'Be brief.' }, ...base.messages] },
    ];
    for (const variant of variants) {
      expect((await runtime.complete(variant)).cache.status).not.toBe('hit');
    }
    expect(tier.calls.length).toBe(variants.length);
  });

  it('honours cache: bypass and refresh', async () => {
    const tier = createFakeTier();
    const runtime = build({ tiers: [tier] });
    await runtime.complete(ask('q', { cache: 'bypass' }));
    expect((await runtime.complete(ask('q'))).cache.status).toBe('miss');
    expect((await runtime.complete(ask('q', { cache: 'refresh' }))).cache.status).toBe('miss');
    expect((await runtime.complete(ask('q'))).cache.status).toBe('hit');
    expect(tier.calls.length).toBe(3);
  });

  it('keeps only whole answers', async () => {
    const tier = createFakeTier();
    const runtime = build({ tiers: [tier] });
    tier.next([
      { type: 'text-delta', text: 'half' },
      { type: 'finish', finishReason: 'length' },
    ]);
    await runtime.complete(ask('q'));
    tier.next([
      { type: 'text-delta', text: 'half' },
      { type: 'throw', error: new NearfieldError('upstream-cut', 'cut') },
    ]);
    await expect(runtime.complete(ask('q'))).rejects.toMatchObject({ code: 'upstream-cut' });
    for await (const part of runtime.generate(ask('q'))) if (part.type === 'text-delta') break;
    expect((await runtime.complete(ask('q'))).cache.status).toBe('miss');
  });
});

describe('what leaves', () => {
  it('redacts before the edge, restores in the stream, counts the bytes', async () => {
    const edge = talkingEdge();
    const done = await build({ tiers: [edge] }).complete(ask('Write to ana.souza@example.org please'));
    expect(edge.sent[0]).not.toContain('ana.souza');
    expect(done.text).toBe('You said: Write to ana.souza@example.org please');
    expect(done.receipt.redactedByType).toEqual({ email: 1 });
    expect(done.receipt.hosts).toEqual([EDGE]);
    expect(done.receipt.bytesOut).toBeGreaterThan(edge.sent[0]!.length);
  });

  it('sends nothing with privacy: device and no local model, and says so', async () => {
    const edge = talkingEdge();
    const runtime = build({ tiers: [edge] });
    await expect(runtime.complete(ask('hello', { privacy: 'device' }))).rejects.toMatchObject({
      code: 'egress-denied',
    });
    expect(edge.sent).toEqual([]);
    expect(runtime.traces()[0]).toMatchObject({
      outcome: 'error',
      errorCode: 'egress-denied',
      receipt: { bytesOut: 0 },
    });
  });

  it('sends nothing personal without consent', async () => {
    const edge = talkingEdge();
    const runtime = build({ tiers: [edge], consent: () => undefined });
    await expect(runtime.complete(ask('Write to ana.souza@example.org'))).rejects.toMatchObject({
      code: 'egress-denied',
    });
    expect(edge.sent).toEqual([]);
  });

  it('stays on the device when the detector fails', async () => {
    const edge = talkingEdge();
    const broken = { id: 'broken', detect: () => Promise.reject(new Error('no model')) };
    const runtime = build({ tiers: [edge], policy: createPolicy('open', { detectors: [broken] }) });
    await expect(runtime.complete(ask('hello'))).rejects.toMatchObject({ code: 'egress-denied' });
    expect(edge.sent).toEqual([]);
  });

  it('tells the edge how far it may go', async () => {
    const edge = talkingEdge();
    await build({ tiers: [edge] }).complete(ask('hello', { privacy: 'edge' }));
    expect(JSON.parse(edge.sent[0]!)).toMatchObject({ privacy: 'edge' });
  });

  it('chains one receipt for every request, failed and cached ones too', async () => {
    const tier = createFakeTier();
    const runtime = build({ tiers: [tier] });
    await runtime.complete(ask('q'));
    await runtime.complete(ask('q'));
    tier.next([{ type: 'throw', error: new NearfieldError('invalid-request', 'bad') }]);
    await runtime.complete(ask('other question entirely')).catch(() => {});
    await runtime.embed({ input: ['text'] });
    const receipts = await runtime.receipts();
    expect(receipts.map((receipt) => receipt.sequence)).toEqual([1, 2, 3, 4]);
    expect(await verifyReceipts(receipts)).toMatchObject({ ok: true });
    expect(runtime.traces().map((trace) => trace.receipt.hash)).toEqual(
      receipts.map((receipt) => receipt.hash),
    );
  });

  it('puts each call’s receipt into the chain it names, its refresh of a stale answer too', async () => {
    const tier = createFakeTier();
    const stale: SemanticCache = {
      lookup: async () => ({
        status: 'stale',
        reason: 'exact',
        entryId: 'kept',
        answer: {
          parts: [{ type: 'text-delta', text: 'old' }],
          finishReason: 'stop',
          usage: { promptTokens: 1, completionTokens: 1 },
          model: 'm',
          tier: { id: 'fake-device', kind: 'device' },
          costMs: 1,
        },
      }),
      write: async () => undefined,
      feedback: async () => {},
      erase: async () => 0,
      stats: () => Promise.reject(new Error('Not asked.')),
      close: async () => {},
    };
    const runtime = build({ tiers: [tier], cache: stale });
    await runtime.complete(ask('q'), { receiptChain: 'one' });
    await runtime.embed({ input: ['text'] }, { receiptChain: 'two' });
    await expect.poll(() => runtime.traces().length).toBe(3);
    await runtime.embed({ input: ['text'] });
    const chains = (await runtime.receipts()).map(({ chain, sequence }) => [chain, sequence]);
    expect(chains).toHaveLength(4);
    expect(chains).toEqual(
      expect.arrayContaining([
        ['one', 1],
        ['one', 2],
        ['two', 1],
        [undefined, 1],
      ]),
    );
  });
});

describe('fallback and ends', () => {
  const down = (tier: FakeTier): FakeTier => {
    tier.next([{ type: 'throw', error: new NearfieldError('upstream-unavailable', 'down') }]);
    return tier;
  };

  it('falls back before the first part and records why', async () => {
    const first = down(createFakeTier({ id: 'near', kind: 'edge', host: EDGE }));
    const second = createFakeTier({ id: 'far', kind: 'cloud', host: EDGE });
    const runtime = build({ tiers: [second, first] });
    const done = await runtime.complete(ask('hello'));
    expect(done.tier.id).toBe('far');
    expect(runtime.traces()[0]!.attempts).toEqual([
      { tier: { id: 'near', kind: 'edge' }, code: 'upstream-unavailable' },
    ]);
  });

  it('aborts the tier when the caller leaves the stream', async () => {
    const tier = createFakeTier({ script: [...says('a', 'b').slice(0, 2), { type: 'hang' }] });
    const runtime = build({ tiers: [tier] });
    for await (const part of runtime.generate(ask('q'))) if (part.type === 'text-delta') break;
    expect(tier.calls[0]!.signal.aborted).toBe(true);
    expect(runtime.traces()[0]!.outcome).toBe('aborted');
  });

  it('passes an abort through as AbortError, before and during', async () => {
    const tier = createFakeTier({ script: [{ type: 'text-delta', text: 'a' }, { type: 'hang' }] });
    const runtime = build({ tiers: [tier] });
    await expect(runtime.complete(ask('q'), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    const controller = new AbortController();
    const asked = (async () => {
      for await (const part of runtime.generate(ask('q'), { signal: controller.signal })) {
        if (part.type === 'text-delta') controller.abort();
      }
    })();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(runtime.traces().map((trace) => trace.outcome)).toEqual(['aborted', 'aborted']);
  });

  it('closes a request whose client leaves before the first chunk', async () => {
    const tier = createFakeTier({ script: [...says('a', 'b').slice(0, 2), { type: 'hang' }] });
    const runtime = build({ tiers: [tier] });
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'q' }] });
    const response = await runtime.fetch('https://nearfield.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(200);
    await response.body!.cancel();
    await expect.poll(() => runtime.traces()[0]).toMatchObject({ outcome: 'aborted' });
    expect(tier.calls[0]!.outcome).toBe('aborted');
  });

  it('refuses a request without messages by name', async () => {
    await expect(build().complete({ messages: [] })).rejects.toMatchObject({
      code: 'invalid-request',
      param: 'messages',
    });
  });

  it('keeps no more traces than asked', async () => {
    const runtime = build({ maxTraces: 2, tiers: [createFakeTier()] });
    for (const text of ['a', 'b', 'c']) await runtime.complete(ask(text));
    expect(runtime.traces().length).toBe(2);
  });

  it('holds no request text in a trace', async () => {
    const runtime = build({ tiers: [createFakeTier()] });
    await runtime.complete(ask('a canary zebra-7391'));
    expect(JSON.stringify(runtime.traces())).not.toContain('zebra');
  });
});
