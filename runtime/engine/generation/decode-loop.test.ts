import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecodeLoop, type DecodeOptions, type Token } from './decode-loop.ts';
import { createBookDecoder, hashedLogits } from './fixtures/decoder-book.ts';
import { createTinyLlama } from './fixtures/tiny-llama.ts';
import { createGuesser } from './guess.ts';
import { createSampler, type Sampling } from './sampler.ts';
import type { TokenGrammar } from './token-grammar.ts';
import type { Decoder, ForwardWork } from './types.ts';

const VOCAB = 24;

function loopOn(decoder: Decoder, options: Partial<DecodeOptions> & { sampling?: Partial<Sampling> }) {
  const sequence = options.sequence ?? decoder.open();
  return {
    sequence,
    loop: createDecodeLoop({
      sequence,
      prompt: [1, 2, 3],
      vocab: decoder.vocab,
      maxTokens: 40,
      sampler: createSampler({ seed: 5, temperature: 0, ...options.sampling }),
      endIds: new Set([0]),
      now: () => performance.now(),
      forward: async (tokens, logits) => (await decoder.forward([{ sequence, tokens, logits }]))[0]!,
      ...options,
    }),
  };
}

async function say(tokens: AsyncIterable<Token>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of tokens) ids.push(id);
  return ids;
}

describe('createDecodeLoop', () => {
  it('says what one step after another would, with guesses and without, at every temperature', async () => {
    // Few words and a short memory: it repeats itself, so guesses come and are right about half the time.
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 50 }),
        fc.constantFrom(0, 0.4, 1),
        fc.constantFrom(1, 1.3),
        async (prompt, seed, temperature, repetitionPenalty) => {
          const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6, seed, 2));
          const sampling = { temperature, repetitionPenalty, seed };
          const plain = loopOn(decoder, { prompt, sampling });
          const guessing = loopOn(decoder, { prompt, sampling, guesser: createGuesser() });
          const expected = await say(plain.loop.tokens);
          expect(await say(guessing.loop.tokens)).toEqual(expected);
          expect(guessing.loop.finishReason()).toBe(plain.loop.finishReason());
          const held = (guessing.sequence as unknown as { tokens: number[] }).tokens;
          expect(held).toEqual(guessing.loop.history().slice(0, held.length));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('guesses right on a model that repeats itself, in fewer steps', async () => {
    let steps = 0;
    const onForward = () => {
      steps += 1;
    };
    const decoder = createTinyLlama({ vocab: VOCAB, onForward });
    const common = { maxTokens: 48, endIds: new Set<number>(), now: () => steps };
    const plain = await say(loopOn(decoder, common).loop.tokens);
    const plainSteps = steps;
    steps = 0;
    const { loop } = loopOn(decoder, { ...common, guesser: createGuesser() });
    expect(await say(loop.tokens)).toEqual(plain);
    expect(steps).toBeLessThan(plainSteps * 0.6);
    // Each step says one token and what was guessed right; the budget may end the last one early.
    expect([48, 49]).toContain(loop.stats().guessedRight + steps);
  });

  it('stops guessing where a step costs as much as its tokens, and tries again later', async () => {
    let ms = 0;
    const guessedAt: number[] = [];
    const onForward = (work: readonly ForwardWork[]) => {
      const count = work.reduce((sum, { tokens }) => sum + tokens.length, 0);
      ms += count; // no gain in batching at all
      if (count > 1 && work[0]!.logits === 'all') guessedAt.push(work[0]!.sequence.length);
    };
    const decoder = createBookDecoder({ vocab: 6, onForward }, hashedLogits(6, 3, 2));
    const { loop } = loopOn(decoder, {
      maxTokens: 400,
      endIds: new Set(),
      sampling: { temperature: 0.7 },
      guesser: createGuesser(),
      now: () => ms,
    });
    await say(loop.tokens);
    expect(guessedAt.length).toBeGreaterThan(8);
    expect(guessedAt.length).toBeLessThan(60);
    expect(Math.max(...guessedAt)).toBeGreaterThan(200);
  });

  it('ends with the budget, or with the model’s own end', async () => {
    const decoder = createBookDecoder({ vocab: 6 }, (tokens) =>
      Float32Array.from({ length: 6 }, (_, id) => (id === (tokens.length >= 8 ? 0 : 4) ? 1 : 0)),
    );
    const short = loopOn(decoder, { maxTokens: 2 });
    expect(await say(short.loop.tokens)).toEqual([4, 4]);
    expect(short.loop.finishReason()).toBe('length');
    const whole = loopOn(decoder, { maxTokens: 20 });
    expect(await say(whole.loop.tokens)).toEqual([4, 4, 4, 4, 4]);
    expect(whole.loop.finishReason()).toBe('stop');
    expect(whole.loop.stats()).toMatchObject({ prefillTokens: 3, answerTokens: 5 });
  });

  it('leaves nothing but the history in the sequence when its reader leaves', async () => {
    const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6, 9, 2));
    for (let length = 1; length < 30; length += 1) {
      const { loop, sequence } = loopOn(decoder, { endIds: new Set(), guesser: createGuesser() });
      let count = 0;
      for await (const _ of loop.tokens) if (++count === length) break;
      const held = (sequence as unknown as { tokens: number[] }).tokens;
      expect(held).toEqual(loop.history().slice(0, held.length));
    }
  });

  it('tells how likely each token was', async () => {
    const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6));
    const { loop } = loopOn(decoder, { logprobs: 2, maxTokens: 3, endIds: new Set() });
    for await (const { id, likelihood } of loop.tokens) {
      expect(likelihood!.chosen.id).toBe(id);
      expect(likelihood!.top).toHaveLength(2);
      expect(likelihood!.top[0]).toEqual(likelihood!.chosen);
    }
  });

  describe('with a grammar', () => {
    /** 1, then any number of 2 and 3, then 4 4 4, then the end; state: 0 start, 1 free, 5…7 closing, 8 end. */
    const grammar: TokenGrammar = {
      start: 0,
      mask: (state) =>
        Uint32Array.of(state === 0 ? 0b10 : state === 1 ? 0b11100 : state === 8 ? 0b1 : 0b10000),
      next(state, id) {
        if (state === 0) return id === 1 ? 1 : undefined;
        if (state === 1) return id === 2 || id === 3 ? 1 : id === 4 ? 6 : undefined;
        return id === 4 ? state + 1 : undefined;
      },
      nextText: () => undefined,
      mustEnd: (state) => state === 8,
      forced: (state) => (state === 6 ? [4] : []),
      closing: (state) => (state === 0 ? [1, 4, 4, 4] : state === 1 ? [4, 4, 4] : Array(8 - state).fill(4)),
    };

    it('says only what the grammar allows, closes within the budget, and guesses no other tokens', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 4, max: 30 }),
          fc.nat({ max: 1000 }),
          fc.boolean(),
          async (maxTokens, seed, guesses) => {
            const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6, seed, 2));
            const guesser = guesses ? createGuesser() : undefined;
            const { loop } = loopOn(decoder, {
              grammar,
              maxTokens,
              sampling: { temperature: 1, seed },
              endIds: new Set([0]),
              guesser,
            });
            const said = (await say(loop.tokens)).join('');
            expect(said).toMatch(/^1[23]*444$/);
            expect(said.length).toBeLessThanOrEqual(maxTokens);
          },
        ),
      );
    });

    it('says plainly that the budget was too small for any end', async () => {
      const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6, 1, 2));
      const { loop } = loopOn(decoder, { grammar, maxTokens: 3 });
      expect(await say(loop.tokens)).toHaveLength(3);
      expect(loop.finishReason()).toBe('length');
    });

    it('computes forced tokens in one step', async () => {
      const fed: number[] = [];
      const onForward = (work: readonly ForwardWork[]) => void fed.push(work[0]!.tokens.length);
      const decoder = createBookDecoder({ vocab: 6, onForward }, () => Float32Array.of(0, 0, 0, 0, 9, 0));
      const { loop } = loopOn(decoder, { grammar });
      expect(await say(loop.tokens)).toEqual([1, 4, 4, 4]);
      // Prompt, `1`, then `4 4` together; the last `4` ends it.
      expect(fed).toEqual([3, 1, 2]);
    });

    it('takes a token back for others when told so', async () => {
      const decoder = createBookDecoder({ vocab: 6 }, hashedLogits(6, 2, 2));
      const { loop, sequence } = loopOn(decoder, {
        endIds: new Set(),
        guesser: createGuesser(),
        maxTokens: 30,
      });
      let count = 0;
      const said: number[] = [];
      for await (const { id } of loop.tokens) {
        count += 1;
        if (count === 12) loop.constrain(grammar, 1, [5, 1]);
        else said.push(id);
      }
      expect(loop.history().slice(3 + 11, 3 + 13)).toEqual([5, 1]);
      expect(said.slice(11).join('')).toMatch(/^[23]*444$/);
      const held = (sequence as unknown as { tokens: number[] }).tokens;
      expect(held).toEqual(loop.history().slice(0, held.length));
    });
  });
});
