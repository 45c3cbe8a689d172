import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBookDecoder, hashedLogits } from './fixtures/decoder-book.ts';
import { createPrefixPool } from './prefix-pool.ts';
import type { DecoderSequence } from './types.ts';

const tokensOf = (length: number, from = 0) => Array.from({ length }, (_, at) => (from + at) % 50);

function world(options: { maxCacheBytes?: number; decoderBytes?: number; maxIdle?: number } = {}) {
  const decoder = createBookDecoder(
    { vocab: 50, ...(options.decoderBytes && { maxCacheBytes: options.decoderBytes }) },
    hashedLogits(50),
  );
  const pool = createPrefixPool({ decoder, ...options });
  const say = async (scope: string, tokens: readonly number[]) => {
    const { sequence, reused } = pool.take(scope, tokens);
    expect(sequence.length).toBe(reused);
    await decoder.forward([{ sequence, tokens: tokens.slice(reused), logits: 'none' }]);
    return { sequence, reused };
  };
  return { decoder, pool, say };
}

describe('createPrefixPool', () => {
  it('goes on where the last turn stood', async () => {
    const { pool, say, decoder } = world();
    const first = tokensOf(40);
    const one = await say('a', first);
    pool.give('a', one.sequence, first);
    const two = await say('a', [...first, 1, 2, 3]);
    expect(two).toMatchObject({ sequence: one.sequence, reused: 40 });
    expect(decoder.openSequences()).toBe(1);
  });

  it('leaves a token to compute when the very same prompt comes again', async () => {
    const { pool, say } = world();
    pool.give('a', (await say('a', tokensOf(40))).sequence, tokensOf(40));
    expect((await say('a', tokensOf(40))).reused).toBe(39);
  });

  it('finds nothing of another scope', async () => {
    const { pool, say } = world();
    pool.give('a', (await say('a', tokensOf(40))).sequence, tokensOf(40));
    expect((await say('b', tokensOf(40))).reused).toBe(0);
    pool.clear('b');
    expect(pool.idle()).toBe(1);
    pool.clear('a');
    expect(pool.idle()).toBe(0);
  });

  it('copies a shared beginning, so that both conversations go on', async () => {
    const { pool, say } = world();
    const one = [...tokensOf(30), ...tokensOf(60, 7)];
    const two = [...tokensOf(30), ...tokensOf(60, 8)];
    pool.give('a', (await say('a', one)).sequence, one);
    const other = await say('a', two);
    expect(other.reused).toBe(30);
    pool.give('a', other.sequence, two);
    expect((await say('a', [...one, 3])).reused).toBe(90);
  });

  it('forgets the longest unused when the decoder has no room, and none that runs', async () => {
    const { pool, say, decoder } = world({ decoderBytes: 100 });
    for (const scope of ['a', 'b']) {
      pool.give(scope, (await say(scope, tokensOf(40))).sequence, tokensOf(40));
    }
    const running = await say('c', tokensOf(40));
    expect(pool.idle()).toBe(2);
    const next = pool.take('d', tokensOf(40));
    expect(next.reused).toBe(0);
    expect(pool.idle()).toBe(1);
    expect((await say('b', [...tokensOf(40), 1])).reused).toBe(40);
    await decoder.forward([{ sequence: next.sequence, tokens: tokensOf(40), logits: 'none' }]);
    expect(() => pool.take('e', tokensOf(40))).toThrow(/budget/);
    expect(running.sequence.length).toBe(40);
    expect(pool.forget()).toBe(false);
  });

  it('keeps within its own bounds of sequences and bytes', async () => {
    const few = world({ maxIdle: 2 });
    for (const scope of ['a', 'b', 'c']) {
      few.pool.give(scope, (await few.say(scope, tokensOf(40))).sequence, tokensOf(40));
    }
    expect(few.pool.idle()).toBe(2);
    const small = world({ maxCacheBytes: 90 });
    for (const scope of ['a', 'b', 'c']) {
      small.pool.give(scope, (await small.say(scope, tokensOf(40))).sequence, tokensOf(40));
    }
    expect(small.pool.idle()).toBe(2);
    expect(small.decoder.memory().cacheBytes).toBeLessThanOrEqual(90);
  });

  it('always hands out exactly a proper prefix of the prompt, kept in its own scope', async () => {
    const short = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), short), { maxLength: 20 }),
        async (turns) => {
          const { pool, say } = world({ maxIdle: 3, decoderBytes: 150 });
          const said: { scope: string; tokens: readonly number[] }[] = [];
          for (const [scope, tokens] of turns) {
            const { sequence, reused } = await say(scope, tokens);
            const held = (sequence as DecoderSequence & { tokens: number[] }).tokens;
            expect(held).toEqual(tokens);
            expect(reused).toBeLessThan(tokens.length);
            if (reused > 0) {
              const start = tokens.slice(0, reused).join();
              expect(
                said.some((turn) => turn.scope === scope && `${turn.tokens.join()},`.startsWith(`${start},`)),
              ).toBe(true);
            }
            said.push({ scope, tokens });
            pool.give(scope, sequence, tokens);
          }
        },
      ),
    );
  });
});
