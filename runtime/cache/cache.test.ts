// The cache through its public door: what it finds, what it must never find, and that its failures
// fail nothing.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NearfieldError } from '../errors.ts';
import type { CachedAnswer, CacheQuery } from '../types.ts';
import { type ControllableCache, createSemanticCache, type SemanticCacheOptions } from './index.ts';
import { createMemoryCacheStore } from './memory.ts';
import { allPages, type CacheStore } from './store.ts';
import { answerOf, ask, createFakeClock, embedWords } from './testing.fixture.ts';

function create(options: Partial<SemanticCacheOptions> = {}): ControllableCache {
  return createSemanticCache({
    store: createMemoryCacheStore(),
    embed: embedWords,
    threshold: 0.8,
    random: () => 0.5,
    ...options,
  });
}

const CAPITAL = ask('What is the capital of France?');

describe('lookup', () => {
  it('misses when empty, hits exactly, byte for byte', async () => {
    const cache = create();
    expect(await cache.lookup(CAPITAL)).toMatchObject({ status: 'miss', reason: 'empty' });
    const answer = answerOf('Paris.', {
      parts: [
        { type: 'text-delta', text: 'Pa' },
        { type: 'text-delta', text: 'ris 😀\u2028' },
        { type: 'tool-call-delta', index: 0, id: 'c1', name: 'look', argumentsText: '{"q":' },
        { type: 'tool-call-delta', index: 0, argumentsText: '"x"}' },
        { type: 'tool-call-delta', index: 1, id: 'c2', name: 'look', argumentsText: '{"q":"x"}' },
        { type: 'tool-call-delta', index: 2, id: 'c3', name: 'now', argumentsText: '{}' },
        {
          type: 'sources',
          passages: [{ documentId: 'd', title: 't', start: 0, end: 4, text: 'Pari', similarity: 0.5 }],
        },
      ],
      finishReason: 'tool_calls',
    });
    const id = await cache.write(CAPITAL, answer);
    const found = await cache.lookup(ask('  What is  the capital of France? '));
    expect(found).toMatchObject({ status: 'hit', reason: 'exact', entryId: id, similarity: undefined });
    expect(found.answer).toEqual(answer);
  });

  it('hits another wording and says how similar it is', async () => {
    const cache = create();
    const id = await cache.write(CAPITAL, answerOf('Paris.'));
    const found = await cache.lookup(ask('the capital of France, what is it?'));
    expect(found).toMatchObject({ status: 'hit', reason: 'similar', entryId: id });
    expect(found.similarity).toBeGreaterThan(0.8);
  });

  it('keeps indentation and case apart, as they may change the answer', async () => {
    const cache = create({ embed: undefined });
    await cache.write(ask('if x:\n  a\nb'), answerOf('1'));
    expect((await cache.lookup(ask('if x:\n  a\n  b'))).status).toBe('miss');
    expect((await cache.lookup(ask('if x:\r\n  a\r\nb'))).status).toBe('hit');
  });

  it('is far from an unlike question', async () => {
    const cache = create();
    await cache.write(CAPITAL, answerOf('Paris.'));
    const found = await cache.lookup(ask('How do I bake bread?'));
    expect(found).toMatchObject({ status: 'miss', reason: 'far' });
  });

  it('refuses a neighbour whose number differs', async () => {
    const cache = create({ threshold: 0.5 });
    await cache.write(ask('convert 5 miles to kilometres please'), answerOf('8.05'));
    const found = await cache.lookup(ask('convert 50 miles to kilometres please'));
    expect(found).toMatchObject({ status: 'miss', reason: 'differs-number' });
  });

  it('answers from an entry a store brought back', async () => {
    const store = createMemoryCacheStore();
    const keep: CacheStore = { ...store, close: async () => undefined };
    const first = create({ store: keep });
    await first.write(CAPITAL, answerOf('Paris.'));
    await first.close();
    const second = create({ store: keep });
    expect((await second.lookup(CAPITAL)).reason).toBe('exact');
    expect((await second.lookup(ask('capital of France: what is the?'))).reason).toBe('similar');
  });
});

describe('scopes and contexts', () => {
  const word = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', '7');
  const query = fc.record({
    scope: fc.constantFrom('a', 'b', 'a\u0000b', '', '["a"]'),
    context: fc.constantFrom('', 'c', 'c2', 'a', '["a","c"]'),
    text: fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(' ')),
  });

  it('never finds anything across scopes or contexts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(query, { minLength: 1, maxLength: 20 }), query, async (written, asked) => {
        const cache = create({ threshold: -1 });
        for (const each of written) await cache.write(each, answerOf(placeOf(each)));
        const found = await cache.lookup(asked);
        if (found.answer !== undefined) expect(textOf(found.answer)).toBe(placeOf(asked));
        const sameExact = written.some(
          (each) => placeOf(each) === placeOf(asked) && each.text === asked.text,
        );
        if (sameExact) expect(found.reason).toBe('exact');
      }),
      { numRuns: 150 },
    );
  });

  it('gives ids that differ by scope, context and store', async () => {
    const cache = create();
    const ids = await Promise.all(
      [CAPITAL, { ...CAPITAL, scope: 'bob' }, { ...CAPITAL, context: 'other' }].map((each) =>
        cache.write(each, answerOf('x')),
      ),
    );
    const elsewhere = await create().write(CAPITAL, answerOf('x'));
    expect(new Set([...ids, elsewhere]).size).toBe(4);
  });

  it('writes neither scope nor context to the store', async () => {
    const store = createMemoryCacheStore();
    const cache = create({ store });
    await cache.write({ scope: 'tenant-mercury', context: 'prompt-venus', text: 'hi' }, answerOf('x'));
    const rows: unknown[] = [...(await store.meta(''))];
    for await (const page of allPages(store)) rows.push(page);
    expect(JSON.stringify(rows)).not.toMatch(/mercury|venus/);
  });
});

describe('freshness', () => {
  it('goes from hit to stale to expired', async () => {
    const clock = createFakeClock();
    const cache = create({ clock, ttl: { defaultMs: 60_000, staleShare: 2 } });
    await cache.write(CAPITAL_PLAIN, answerOf('x'));
    clock.advance(59_999);
    expect((await cache.lookup(CAPITAL_PLAIN)).status).toBe('hit');
    clock.advance(1);
    expect(await cache.lookup(CAPITAL_PLAIN)).toMatchObject({ status: 'stale', reason: 'exact' });
    clock.advance(120_000);
    expect(await cache.lookup(CAPITAL_PLAIN)).toMatchObject({ status: 'miss', reason: 'expired' });
  });

  it('honours max-age, and keeps nothing for 0', async () => {
    const clock = createFakeClock();
    const cache = create({ clock });
    expect(await cache.write(CAPITAL_PLAIN, answerOf('x'), { maxAgeSeconds: 0 })).toBeUndefined();
    await cache.write(CAPITAL_PLAIN, answerOf('x'), { maxAgeSeconds: 5 });
    clock.advance(5_000);
    expect((await cache.lookup(CAPITAL_PLAIN)).status).toBe('stale');
  });

  it('shortens the time of a kind whose refreshed answers change, and remembers', async () => {
    const clock = createFakeClock();
    const store = createMemoryCacheStore();
    const keep: CacheStore = { ...store, close: async () => undefined };
    const cache = create({ clock, store: keep, ttl: { defaultMs: 100_000 } });
    await cache.write(CAPITAL_PLAIN, answerOf('one'));
    clock.advance(50_000);
    await cache.write(CAPITAL_PLAIN, answerOf('two'));
    await cache.close();
    const again = create({ clock, store: keep, ttl: { defaultMs: 100_000 } });
    clock.advance(49_999);
    expect((await again.lookup(CAPITAL_PLAIN)).status).toBe('hit');
    clock.advance(1);
    expect((await again.lookup(CAPITAL_PLAIN)).status).toBe('stale');
  });
});

const CAPITAL_PLAIN = ask('Explain how bridges carry weight');

describe('writing and room', () => {
  it('keeps only whole answers with something in them', async () => {
    const cache = create();
    const cut = { ...answerOf('x'), finishReason: 'length' } as unknown as CachedAnswer;
    expect(await cache.write(CAPITAL, cut)).toBeUndefined();
    expect(await cache.write(CAPITAL, answerOf('', { parts: [] }))).toBeUndefined();
    expect((await cache.stats()).entries).toBe(0);
  });

  it('stays under its byte budget, giving up what saves least', async () => {
    const cache = create({ maxBytes: 20_000 });
    await cache.write(ask('precious'), answerOf('x', { costMs: 60_000 }));
    for (let at = 0; at < 60; at += 1) await cache.write(ask(`cheap ${at}`), answerOf('y'.repeat(200)));
    const { bytes, entries } = await cache.stats();
    expect(bytes).toBeLessThanOrEqual(20_000);
    expect(entries).toBeGreaterThan(5);
    expect((await cache.lookup(ask('precious'))).status).toBe('hit');
    expect(await cache.write(ask('huge'), answerOf('z'.repeat(20_000)))).toBeUndefined();
  });

  it('shrinks when the store is full, and fails nothing', async () => {
    const cache = create({ store: createMemoryCacheStore({ quotaBytes: 10_000 }) });
    for (let at = 0; at < 60; at += 1) {
      expect(await cache.write(ask(`q${at}`), answerOf('y'.repeat(200)))).toBeDefined();
    }
    const { bytes, entries } = await cache.stats();
    expect(bytes).toBeLessThanOrEqual(10_000);
    expect(entries).toBeGreaterThan(3);
    expect(cache.details().storeFailures).toBe(0);
  });
});

describe('failures', () => {
  const broken = async (): Promise<never> => {
    throw new NearfieldError('storage-failed', 'disk on fire');
  };

  it('bypasses when the store cannot be opened', async () => {
    const cache = create({ store: broken() });
    expect(await cache.lookup(CAPITAL)).toMatchObject({ status: 'bypass', reason: 'store-failed' });
    expect(await cache.write(CAPITAL, answerOf('x'))).toBeUndefined();
    expect((await cache.stats()).store).toBe('failed');
    expect(cache.details().storeFailures).toBe(2);
    await cache.close();
  });

  it('bypasses when an answer cannot be read, and counts it', async () => {
    const cache = create({ store: { ...createMemoryCacheStore(), answer: broken } });
    await cache.write(CAPITAL, answerOf('x'));
    expect(await cache.lookup(CAPITAL)).toMatchObject({ status: 'bypass', reason: 'store-failed' });
  });

  it('misses, and forgets the entry, when what comes back is no answer', async () => {
    const cache = create({ store: { ...createMemoryCacheStore(), answer: async () => '{"parts":' } });
    await cache.write(CAPITAL, answerOf('x'));
    expect((await cache.lookup(CAPITAL)).status).toBe('miss');
    expect((await cache.stats()).entries).toBe(0);
  });

  it('still answers exactly when the embedder fails, and bypasses the rest', async () => {
    const cache = create({ embed: broken });
    expect(await cache.write(CAPITAL, answerOf('x'))).toBeDefined();
    expect((await cache.lookup(CAPITAL)).reason).toBe('exact');
    expect(await cache.lookup(ask('other'))).toMatchObject({ status: 'bypass', reason: 'embed-failed' });
    const nan = create({ embed: async () => [new Float32Array(4).fill(Number.NaN)] });
    expect((await nan.lookup(CAPITAL)).reason).toBe('embed-failed');
  });

  it('lets an abort through and nothing else', async () => {
    const controller = new AbortController();
    const cache = create({
      embed: async (texts, options) => {
        controller.abort();
        return await embedWords(texts, options);
      },
    });
    await expect(cache.lookup(CAPITAL, { signal: controller.signal })).rejects.toThrow(/abort/i);
    await expect(cache.lookup(CAPITAL, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  it('says closed once closed', async () => {
    const cache = create();
    await cache.close();
    expect(await cache.lookup(CAPITAL)).toMatchObject({ status: 'bypass', reason: 'closed' });
  });
});

describe('control', () => {
  async function filled(): Promise<ControllableCache> {
    const cache = create();
    await cache.write(CAPITAL, answerOf('Paris.'), { tags: ['geo'] });
    await cache.write(ask('the capital of France, what is it'), answerOf('Paris!'));
    await cache.write(ask('How do I bake bread?'), answerOf('Flour.'), { tags: ['food'] });
    await cache.write(ask('What is the capital of France?', { scope: 'bob' }), answerOf('Paris?'));
    return cache;
  }

  it('erases one scope and leaves the other', async () => {
    const cache = await filled();
    expect(await cache.erase('alice')).toBe(3);
    expect((await cache.lookup(CAPITAL)).status).toBe('miss');
    expect((await cache.lookup({ ...CAPITAL, scope: 'bob' })).status).toBe('hit');
  });

  it('shows with a dry run what it would remove, by tag, by likeness', async () => {
    const cache = await filled();
    const like = { scope: 'alice', like: { text: 'capital of France' } };
    const dry = await cache.invalidate({ ...like, like: { ...like.like, similarity: 0.5 }, dryRun: true });
    expect(dry.ids).toHaveLength(2);
    expect(dry.removed).toBe(0);
    expect((await cache.stats()).entries).toBe(4);
    expect((await cache.invalidate({ tag: 'food' })).removed).toBe(1);
    expect((await cache.stats()).entries).toBe(3);
    await expect(cache.invalidate({})).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(cache.invalidate({ like: { text: 'x' } })).rejects.toMatchObject({
      code: 'invalid-request',
    });
  });

  it('exports all of a scope and nothing else', async () => {
    const cache = await filled();
    const entries = await cache.exportScope('alice');
    expect(entries.map((entry) => textOf(entry.answer)).sort()).toEqual(['Flour.', 'Paris!', 'Paris.']);
  });

  it('forgets an entry reported wrong', async () => {
    const cache = create();
    const id = await cache.write(CAPITAL, answerOf('Lyon.'));
    await cache.feedback(id ?? '', 'wrong');
    expect((await cache.lookup(CAPITAL)).status).toBe('miss');
  });
});

function placeOf(query: CacheQuery): string {
  return JSON.stringify([query.scope, query.context]);
}

function textOf(answer: CachedAnswer): string {
  return answer.parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
}
