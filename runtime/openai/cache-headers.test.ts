// `Cache-Control` in, `Cache-Status` out, first as functions, then through the handler over a real cache.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSemanticCache } from '../cache/index.ts';
import { createMemoryCacheStore } from '../cache/memory.ts';
import { createFakeClock } from '../cache/testing.fixture.ts';
import { createOpenAiHandler } from '../openai.ts';
import { createEgress, createPolicy, createReceiptBook } from '../policy/index.ts';
import { createRuntime } from '../runtime.ts';
import { createFakeTier } from '../tiers/fake.ts';
import { cacheStatusHeader, cacheWishesOf } from './cache-headers.ts';

const wishes = (field: string, asked?: 'use' | 'refresh' | 'bypass') =>
  cacheWishesOf(new Headers({ 'cache-control': field }), asked);

describe('cacheWishesOf', () => {
  it.each([
    ['', { mode: 'use' }],
    ['no-store', { mode: 'bypass' }],
    ['No-Cache', { mode: 'refresh' }],
    ['max-age=0', { mode: 'refresh', control: { maxAgeMs: 0 } }],
    ['max-age=60', { mode: 'use', control: { maxAgeMs: 60_000 } }],
    ['max-age="60"', { mode: 'use', control: { maxAgeMs: 60_000 } }],
    ['max-age=60, max-age=5', { mode: 'use', control: { maxAgeMs: 60_000 } }],
    ['max-age=soon', { mode: 'refresh', control: { maxAgeMs: 0 } }],
    ['max-age=-1', { mode: 'refresh', control: { maxAgeMs: 0 } }],
    ['max-age=99999999999999999999', { mode: 'use', control: { maxAgeMs: 2 ** 31 * 1000 } }],
    ['max-stale', { mode: 'use', control: { maxStaleMs: Number.MAX_SAFE_INTEGER } }],
    ['max-stale=5 , min-fresh=7', { mode: 'use', control: { maxStaleMs: 5000, minFreshMs: 7000 } }],
    ['only-if-cached', { mode: 'use', control: { onlyIfCached: true } }],
    ['x="a, no-store", only-if-cached', { mode: 'use', control: { onlyIfCached: true } }],
    ['no-transform, private', { mode: 'use' }],
  ])('reads %j', (field, expected) => {
    expect(wishes(field)).toEqual(expected);
  });

  it('takes the stricter of body and header', () => {
    expect(wishes('no-cache', 'bypass').mode).toBe('bypass');
    expect(wishes('no-store', 'refresh').mode).toBe('bypass');
    expect(wishes('max-stale', 'refresh').mode).toBe('refresh');
  });

  it('reads Pragma only where there is no Cache-Control', () => {
    expect(cacheWishesOf(new Headers({ pragma: 'no-cache' })).mode).toBe('refresh');
    expect(cacheWishesOf(new Headers({ pragma: 'no-cache', 'cache-control': 'max-stale' })).mode).toBe('use');
  });

  it('takes any text', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', '=', ',', ' ', 'no-store', 'max-age', '9', 'x'),
    });
    fc.assert(
      fc.property(text, (field) => {
        const { mode, control } = wishes(field.trim());
        expect(['use', 'refresh', 'bypass']).toContain(mode);
        for (const value of Object.values(control ?? {})) expect(value === true || value >= 0).toBe(true);
      }),
    );
  });
});

describe('cacheStatusHeader', () => {
  it.each([
    [{ status: 'hit', reason: 'exact', ttlMs: 61_999, ageMs: 5 }, 'Nearfield; hit; ttl=61; detail=exact'],
    [{ status: 'stale', reason: 'similar', ttlMs: -1500 }, 'Nearfield; hit; ttl=-2; detail=similar'],
    [
      { status: 'hit', reason: 'coalesced', collapsed: true },
      'Nearfield; fwd=miss; collapsed; detail=coalesced',
    ],
    [{ status: 'miss', reason: 'far' }, 'Nearfield; fwd=miss; detail=far'],
    [{ status: 'miss', reason: 'expired' }, 'Nearfield; fwd=stale; detail=expired'],
    [{ status: 'miss', reason: 'asked-refresh' }, 'Nearfield; fwd=request; detail=asked-refresh'],
    [{ status: 'bypass', reason: 'policy' }, 'Nearfield; fwd=bypass; detail=policy'],
    [{ status: 'miss', reason: 'not a "token"' }, 'Nearfield; fwd=miss'],
  ] as const)('%j', (report, expected) => {
    expect(cacheStatusHeader(report)).toBe(expected);
  });
});

describe('the handler over a cache', () => {
  function setup() {
    const clock = createFakeClock();
    const tier = createFakeTier();
    const ttl = { defaultMs: 60_000, staleShare: 2 };
    const runtime = createRuntime({
      tiers: [tier],
      policy: createPolicy('balanced'),
      egress: createEgress({ allowHosts: [] }),
      receipts: createReceiptBook(),
      cache: createSemanticCache({ store: createMemoryCacheStore(), clock, ttl }),
      clock,
    });
    const handle = createOpenAiHandler(runtime);
    const ask = async (cacheControl?: string): Promise<Response> => {
      const headers = {
        'content-type': 'application/json',
        ...(cacheControl && { 'cache-control': cacheControl }),
      };
      const body = JSON.stringify({
        messages: [{ role: 'user', content: 'Explain how bridges carry weight' }],
      });
      return await handle(new Request('http://local/v1/chat/completions', { method: 'POST', headers, body }));
    };
    const status = async (cacheControl?: string) => (await ask(cacheControl)).headers.get('cache-status');
    return { clock, tier, ask, status };
  }

  it('says hit with its ttl and age, and keeps to max-age, min-fresh and max-stale', async () => {
    const { clock, tier, ask, status } = setup();
    expect(await status()).toBe('Nearfield; fwd=miss; detail=empty');
    clock.advance(20_000);
    const hit = await ask();
    expect(hit.headers.get('cache-status')).toBe('Nearfield; hit; ttl=40; detail=exact');
    expect(hit.headers.get('age')).toBe('20');
    expect(await status('max-age=20')).toContain('hit');
    expect(await status('min-fresh=40')).toContain('hit');
    expect(await status('max-age=30, min-fresh=10')).toContain('hit');
    expect(tier.calls).toHaveLength(1);
    expect(await status('min-fresh=41')).toBe('Nearfield; fwd=stale; detail=too-old');
    expect(tier.calls).toHaveLength(2);
    clock.advance(20_000);
    expect(await status('max-age=19')).toBe('Nearfield; fwd=stale; detail=too-old');
    // Refreshed twice and unchanged, such answers now last longer; past that they are stale.
    clock.advance(100_000);
    expect(await status('max-stale=1')).toBe('Nearfield; fwd=stale; detail=too-old');
    clock.advance(130_000);
    expect(await status('max-stale=60')).toMatch(/^Nearfield; hit; ttl=-\d+; detail=exact$/);
  });

  it('looks nothing up for no-cache and writes, neither for no-store', async () => {
    const { tier, status } = setup();
    expect(await status('no-store')).toBe('Nearfield; fwd=request; detail=asked-bypass');
    expect(await status()).toContain('fwd=miss');
    expect(await status('no-cache')).toBe('Nearfield; fwd=request; detail=asked-refresh');
    expect(await status()).toContain('hit');
    expect(tier.calls).toHaveLength(3);
  });

  it('answers only-if-cached from the cache or with 504, and asks no tier', async () => {
    const { tier, ask } = setup();
    const none = await ask('only-if-cached');
    expect(none.status).toBe(504);
    expect(none.headers.get('cache-status')).toBe('Nearfield; detail=only-if-cached');
    expect((await ask('only-if-cached, no-cache')).status).toBe(504);
    expect(tier.calls).toHaveLength(0);
    await ask();
    expect((await ask('only-if-cached')).status).toBe(200);
    expect(tier.calls).toHaveLength(1);
  });
});
