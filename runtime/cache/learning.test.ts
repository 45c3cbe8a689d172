// What outcomes teach a cache, through its public door.
import { describe, expect, it } from 'vitest';
import { type ControllableCache, createSemanticCache, type SemanticCacheOptions } from './index.ts';
import { createMemoryCacheStore } from './memory.ts';
import type { CacheStore } from './store.ts';
import { answerOf, ask, embedWords } from './testing.fixture.ts';

function create(options: Partial<SemanticCacheOptions> = {}): ControllableCache {
  return createSemanticCache({
    store: createMemoryCacheStore(),
    embed: embedWords,
    shipped: false,
    random: () => 0.5,
    ...options,
  });
}

/** One question in two wordings, the second asked and answered anew. */
async function askTwice(cache: ControllableCache, at: number, second = `answer ${at}`): Promise<string> {
  const subject = `subject${at} matter${at} affair${at}`;
  await cache.write(ask(`tell me about the ${subject}`), answerOf(`answer ${at}`));
  const rewording = ask(`please tell me about ${subject}`);
  const found = await cache.lookup(rewording);
  if (found.status === 'miss') await cache.write(rewording, answerOf(second));
  return `${found.status} ${found.reason}`;
}

describe('a cache without a calibration', () => {
  it('is uncertain until answers made again have shown that its matches are right', async () => {
    const cache = create();
    const seen: string[] = [];
    for (let at = 0; at < 420; at += 1) seen.push(await askTwice(cache, at));
    expect(new Set(seen.slice(0, 408))).toEqual(new Set(['miss uncertain']));
    expect(seen.at(-1)).toBe('hit similar');
  });

  it('stays uncertain when answers made again differ', async () => {
    const cache = create({ embed: embedWords });
    const seen: string[] = [];
    for (let at = 0; at < 450; at += 1)
      seen.push(await askTwice(cache, at, at % 9 === 0 ? 'other words entirely' : undefined));
    expect(new Set(seen)).toEqual(new Set(['miss uncertain']));
  });

  it('asks a sure match again now and then', async () => {
    let drawn = 0.5;
    const cache = create({ shipped: true, random: () => drawn });
    await cache.write(ask('what is the capital of France'), answerOf('Paris'));
    drawn = 0.001;
    expect((await cache.lookup(ask('the capital of France: what is it'))).reason).toBe('explored');
    drawn = 0.5;
    expect((await cache.lookup(ask('the capital of France, what is it'))).reason).toBe('similar');
  });
});

describe('feedback', () => {
  it('never serves a match reported wrong again, after reopening either, but keeps the entry', async () => {
    const store = createMemoryCacheStore();
    const keep: CacheStore = { ...store, close: async () => undefined };
    const cache = create({ store: keep, threshold: 0.7 });
    const question = ask('what is the capital of France');
    const other = ask('the capital of France what is it');
    const id = (await cache.write(question, answerOf('Paris'))) ?? '';
    expect((await cache.lookup(other)).status).toBe('hit');
    await cache.feedback(id, 'wrong');
    expect(await cache.lookup(other)).toMatchObject({ status: 'miss', reason: 'reported-wrong' });
    expect((await cache.lookup(question)).status).toBe('hit');
    await cache.close();
    const again = create({ store: keep, threshold: 0.7 });
    expect((await again.lookup(other)).reason).toBe('reported-wrong');
  });

  it('serves the answer reported wrong to that question from no other wording either', async () => {
    const store = createMemoryCacheStore();
    const keep: CacheStore = { ...store, close: async () => undefined };
    const cache = create({ store: keep, threshold: 0.7 });
    const question = ask('what is the capital of France');
    const other = ask('the capital of France what is it');
    const id = (await cache.write(question, answerOf('Lyon'))) ?? '';
    await cache.write(other, answerOf('  Lyon '));
    expect((await cache.lookup(question)).reason).toBe('exact');
    await cache.feedback(id, 'wrong');
    expect((await cache.lookup(question)).reason).toBe('reported-wrong');
    expect((await cache.lookup(other)).reason).toBe('exact');
    await cache.close();

    const again = create({ store: keep, threshold: 0.7 });
    expect((await again.lookup(question)).reason).toBe('reported-wrong');
    await again.write(ask('the capital of France what is'), answerOf('Paris'));
    expect((await again.lookup(question)).answer).toEqual(answerOf('Paris'));
  });

  it('gives up an entry reported wrong for three wordings', async () => {
    const cache = create({ threshold: 0.6 });
    const id = (await cache.write(ask('what is the capital of France'), answerOf('Lyon'))) ?? '';
    for (const text of ['capital of France is what', 'what is France capital', 'the capital of France']) {
      expect((await cache.lookup(ask(text))).status).toBe('hit');
      await cache.feedback(id, 'wrong');
    }
    expect((await cache.stats()).entries).toBe(0);
  });

  it('learns from what is right, and forgets it with the scope', async () => {
    const cache = create();
    for (let at = 0; at < 420; at += 1) await askTwice(cache, at);
    expect(await askTwice(cache, 1_000)).toBe('hit similar');
    await cache.erase('alice');
    expect(await askTwice(cache, 1_001)).toBe('miss uncertain');
  });

  it('asks the guard, and refuses with it', async () => {
    const asked: string[][] = [];
    const cache = create({
      threshold: 0.7,
      guard: async (a, b) => {
        asked.push([a, b]);
        return 0.2;
      },
    });
    await cache.write(ask('what is the capital of France'), answerOf('Paris'));
    expect((await cache.lookup(ask('the capital of France, what is it'))).reason).toBe('guard');
    expect(asked).toEqual([['the capital of France, what is it', 'what is the capital of France']]);
  });

  it('lets no start overrule a guard that refuses; what the scope has shown may', async () => {
    // Nearer than any start asks for, and the guard is not even sure.
    const start = create({ shipped: true, guard: async () => 0.45 });
    await start.write(ask('what is the capital of France'), answerOf('Paris'));
    expect((await start.lookup(ask('the capital of France, what is it'))).reason).toBe('guard');

    const learned = create({ guard: async () => 0.45 });
    const seen: string[] = [];
    for (let at = 0; at < 420; at += 1) seen.push(await askTwice(learned, at));
    expect(new Set(seen.slice(0, 408))).toEqual(new Set(['miss guard']));
    expect(seen.at(-1)).toBe('hit similar');
  });

  it('weighs similarity and guard together: neither a sure guard nor a near text is enough alone', async () => {
    const [kept, asked] = [
      'red green blue white black pink grey',
      'red green blue white black pink grey now',
    ];
    const answered = async (guard: number, text: string): Promise<string> => {
      const cache = create({ shipped: true, guard: async () => guard });
      await cache.write(ask(kept), answerOf('answer'));
      return (await cache.lookup(ask(text))).reason;
    };
    expect(await answered(0.99, asked)).toBe('similar');
    expect(await answered(0.01, asked)).toBe('guard');
    expect(await answered(0.99, 'red green blue brown')).toBe('uncertain');
  });

  it('asks about a few neighbours and takes the surest', async () => {
    const cache = create({
      threshold: 0.5,
      guard: async (_asked, kept) => (kept.endsWith('gamma') ? 0.9 : 0.1),
    });
    for (const last of ['alpha', 'beta', 'gamma'])
      await cache.write(ask(`one two three four ${last}`), answerOf(last));
    const found = await cache.lookup(ask('one two three four'));
    expect(found.answer).toEqual(answerOf('gamma'));
  });

  it.each([
    ['fails', async () => Promise.reject(new Error('no model'))],
    ['says what is no certainty', async () => Number.NaN],
  ])('keeps to exact hits when the guard %s', async (_how, guard) => {
    const cache = create({ threshold: 0.7, guard });
    await cache.write(ask('what is the capital of France'), answerOf('Paris'));
    expect((await cache.lookup(ask('the capital of France, what is it'))).reason).toBe('guard-failed');
    expect((await cache.lookup(ask('what is the capital of France'))).reason).toBe('exact');
  });

  it('lets an abort through the guard', async () => {
    const abort = new AbortController();
    const guard = async (): Promise<number> => {
      abort.abort();
      throw abort.signal.reason;
    };
    const cache = create({ threshold: 0.7, guard });
    await cache.write(ask('what is the capital of France'), answerOf('Paris'));
    const left = cache.lookup(ask('the capital of France, what is it'), { signal: abort.signal });
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  });
});
