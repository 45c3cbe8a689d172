import { describe, expect, it } from 'vitest';
import type { ChatRequest, TierPart } from '../../types.ts';
import { createBookDecoder, hashedLogits } from './fixtures/decoder-book.ts';
import {
  ask,
  babbler,
  collect,
  END,
  generatorOn,
  never,
  parrot,
  template,
  vocabulary,
} from './fixtures/tiny-generator.ts';
import { createTinyLlama } from './fixtures/tiny-llama.ts';
import { TINY_TEMPLATE } from './fixtures/tiny-tokenizer.ts';
import { createChatTemplate } from './template.ts';
import type { Decoder } from './types.ts';

describe('createGenerator', () => {
  it('answers in whole characters with usage, model and reason', async () => {
    const generator = generatorOn(parrot(['Hello 日本 😀!']));
    const { text, finish, all } = await collect(generator.stream(ask('Hi'), { signal: never }));
    expect(text).toBe('Hello 日本 😀!');
    const prompt = template.encode(ask('Hi')).length;
    expect(finish).toEqual({
      type: 'finish',
      finishReason: 'stop',
      model: 'tiny',
      usage: { promptTokens: prompt, completionTokens: vocabulary.encodePlain('Hello 日本 😀!').length },
    });
    for (const part of all) if (part.type === 'text-delta') expect(part.text.isWellFormed()).toBe(true);
    expect(all.at(-1)).toBe(finish);
  });

  it('says the same for the same seed, and tells queue, prefill and decode', async () => {
    const say = async (seed: number) => {
      const steps: string[] = [];
      const generator = generatorOn(createTinyLlama({ vocab: vocabulary.size }), {
        now: () => 1,
        guess: false,
      });
      const request = ask('Hi', { seed, max_completion_tokens: 12 });
      const step = (name: string, ms: number, facts: unknown) =>
        void steps.push(`${name} ${ms} ${JSON.stringify(facts)}`);
      return { ...(await collect(generator.stream(request, { signal: never, step }))), steps };
    };
    const [one, two, other] = [await say(4), await say(4), await say(5)];
    expect(one.text).toBe(two.text);
    expect(one.text).not.toBe(other.text);
    expect(one.finish).toMatchObject({ finishReason: 'length', usage: { completionTokens: 12 } });
    const prompt = template.encode(ask('Hi')).length;
    expect(one.steps).toEqual([
      'queue 0 {"waiting":0}',
      `prefill 0 {"tokens":${prompt},"reusedTokens":0}`,
      'decode 0 {"tokens":12,"guessed":0,"guessedRight":0}',
    ]);
  });

  it('stops at a stop sequence, wherever tokens cut it', async () => {
    for (const stop of ['world', 'o w', 'd', '日']) {
      const generator = generatorOn(parrot(['Hello world 日本']));
      const { text, finish } = await collect(
        generator.stream(ask('Hi', { stop: ['zzz', stop] }), { signal: never }),
      );
      expect(text).toBe('Hello world 日本'.split(stop)[0]);
      expect(finish).toMatchObject({ finishReason: 'stop' });
    }
  });

  it('computes a second turn from where the first ended, in its own scope only', async () => {
    const generator = generatorOn(parrot(['Hello world', 'Hello the world']));
    const facts: { tokens: number; reusedTokens: number }[] = [];
    const step = (name: string, _ms: number, told: unknown) =>
      name === 'prefill' && void facts.push(told as { tokens: number; reusedTokens: number });
    const turns = (scope: string): ChatRequest => ({
      scope,
      messages: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Hello world' },
        { role: 'user', content: 'And?' },
      ],
    });
    await collect(generator.stream(ask('Hello', { scope: 'a' }), { signal: never, step }));
    await collect(generator.stream(turns('a'), { signal: never, step }));
    await collect(generator.stream(turns('b'), { signal: never, step }));
    const [first, second, stranger] = facts;
    expect(second!.reusedTokens).toBe(first!.tokens + vocabulary.encodePlain('Hello world').length);
    expect(second!.tokens).toBeLessThan(first!.tokens + 6);
    expect(stranger!.reusedTokens).toBe(0);
  });

  it('ends within a token of an abort, keeps what was computed, and throws an AbortError', async () => {
    let steps = 0;
    const stop = new AbortController();
    const onForward = () => {
      steps += 1;
      if (steps === 4) stop.abort(new Error('some other reason'));
    };
    const generator = generatorOn(parrot(['Hello the world of the world'], { onForward }), { guess: false });
    const parts = collect(generator.stream(ask('Hi'), { signal: stop.signal }));
    await expect(parts).rejects.toMatchObject({ name: 'AbortError' });
    expect(steps).toBe(4);
    expect(generator.running()).toBe(0);
    const facts: unknown[] = [];
    const step = (name: string, _ms: number, told: unknown) => name === 'prefill' && void facts.push(told);
    await collect(generator.stream(ask('Hi'), { signal: never, step }));
    expect(facts).toEqual([expect.objectContaining({ tokens: 1 })]);
    const gone = AbortSignal.abort();
    await expect(collect(generator.stream(ask('Hi'), { signal: gone }))).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('lets the next one in when its reader leaves early', async () => {
    const generator = generatorOn(parrot(['Hello the world']), { maxRunning: 1 });
    for await (const _ of generator.stream(ask('Hi'), { signal: never })) break;
    expect(generator.running()).toBe(0);
    expect((await collect(generator.stream(ask('Hi'), { signal: never }))).text).toBe('Hello the world');
  });

  it('answers several at once as it answers each alone', async () => {
    const asks = ['a', 'b', 'c', 'd', 'e'].map((word, seed) =>
      ask(word.repeat(seed * 9 + 1), { seed, max_completion_tokens: 9, scope: word }),
    );
    const llama = () => createTinyLlama({ vocab: vocabulary.size });
    const alone: string[] = [];
    for (const request of asks)
      alone.push((await collect(generatorOn(llama()).stream(request, { signal: never }))).text);
    const generator = generatorOn(llama(), { maxRunning: 3, chunkTokens: 8 });
    const together = await Promise.all(
      asks.map((request) => collect(generator.stream(request, { signal: never }))),
    );
    expect(together.map(({ text }) => text)).toEqual(alone);
  });

  it('says context-overflow with its numbers, or leaves out the oldest turns when told to', async () => {
    const messages: ChatRequest['messages'] = [
      { role: 'system', content: 'Be kind.' },
      ...Array.from({ length: 6 }, (_, at) => ({
        role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
        content: `turn ${at} `.repeat(8),
      })),
      { role: 'user', content: 'The last.' },
    ];
    const plain = generatorOn(parrot(['Hello'], { context: 300 }));
    await expect(collect(plain.stream({ messages }, { signal: never }))).rejects.toMatchObject({
      code: 'context-overflow',
      message: expect.stringMatching(/has \d+ tokens and the model takes 300/),
    });
    const prompts: string[] = [];
    const seen = createChatTemplate({ source: TINY_TEMPLATE, vocabulary });
    const dropping = generatorOn(parrot(['Hello'], { context: 300 }), {
      overflow: 'drop-oldest',
      template: {
        ...seen,
        encode(talk) {
          prompts.push(seen.render(talk));
          return seen.encode(talk);
        },
      },
    });
    await collect(dropping.stream({ messages }, { signal: never }));
    const kept = prompts.at(-1)!;
    expect(kept).toContain('Be kind.');
    expect(kept).toContain('The last.');
    expect(kept).not.toContain('turn 0');
    expect(kept.match(/<\|im_start\|>(\w+)/g)![1]).toBe('<|im_start|>user');
  });

  it('tells log-probabilities with the text they belong to', async () => {
    const generator = generatorOn(parrot(['Hello 日!']));
    const request = ask('Hi', { logprobs: true, top_logprobs: 2 });
    const { all } = await collect(generator.stream(request, { signal: never }));
    const told = all.flatMap((part) => (part.type === 'text-delta' ? (part.logprobs ?? []) : []));
    const bytes = told.flatMap(({ bytes: of }) => [...of!]);
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe('Hello 日!');
    expect(told.every(({ logprob, top }) => logprob <= 0 && top.length === 2)).toBe(true);
  });

  it('tells the log-probability of each token whose text is said, and of no other', async () => {
    const said = (all: readonly TierPart[]): string => {
      const told = all.flatMap((part) => (part.type === 'text-delta' ? (part.logprobs ?? []) : []));
      return new TextDecoder().decode(Uint8Array.from(told.flatMap(({ bytes }) => [...bytes!])));
    };
    const answer = async (script: string, more: Partial<ChatRequest>) => {
      const request = ask('Hi', { logprobs: true, ...more });
      return await collect(generatorOn(parrot([script])).stream(request, { signal: never }));
    };
    const stopped = await answer('One two STOP three', { stop: [' STOP'] });
    expect([stopped.text, said(stopped.all)]).toEqual(['One two', 'One two']);
    const nearly = await answer('One two STO three', { stop: [' STOP'] });
    expect([nearly.text, said(nearly.all)]).toEqual(['One two STO three', 'One two STO three']);
    const tools = [{ type: 'function' as const, function: { name: 'f' } }];
    const called = await answer('Wait. <tool_call>\n{"name": "f", "arguments": {}}', { tools });
    expect(called.finish.finishReason).toBe('tool_calls');
    expect([called.text, said(called.all)]).toEqual(['Wait. ', 'Wait. ']);
  });

  it('says the same with log-probabilities as without, where a grammar holds it, and tells each token’s', async () => {
    const schema = {
      type: 'object',
      properties: { city: { enum: ['Lyon', 'Lima'] }, days: { type: 'array', items: { type: 'integer' } } },
      required: ['city', 'days'],
    };
    const format = { type: 'json_schema' as const, json_schema: { name: 's', schema } };
    const reasons = new Set<string>();
    for (const [seed, budget] of [5, 30, 35, 45, 60, 200].entries()) {
      const request = ask('Hi', { response_format: format, seed, max_completion_tokens: budget });
      const plain = await collect(babbler(seed).stream(request, { signal: never }));
      const told = await collect(babbler(seed).stream({ ...request, logprobs: true }, { signal: never }));
      expect([told.text, told.finish]).toEqual([plain.text, plain.finish]);
      const parts = told.all.flatMap((part) => (part.type === 'text-delta' ? (part.logprobs ?? []) : []));
      expect(parts.map(({ token }) => token).join('')).toBe(plain.text);
      reasons.add(told.finish.finishReason);
    }
    expect(reasons).toEqual(new Set(['stop', 'length']));
  });

  it('refuses what it can not do, naming the field', async () => {
    const generator = generatorOn(parrot(['Hello']));
    const refused = (more: Partial<ChatRequest>) =>
      collect(generator.stream(ask('Hi', more), { signal: never }));
    await expect(refused({ logit_bias: { '99999': 1 } })).rejects.toMatchObject({ param: 'logit_bias' });
    await expect(refused({ tool_choice: 'required' })).rejects.toMatchObject({ param: 'tool_choice' });
    await expect(refused({ stop: ['x'], response_format: { type: 'json_object' } })).rejects.toMatchObject({
      param: 'stop',
    });
    await generator.dispose();
    await expect(refused({})).rejects.toMatchObject({ code: 'backend-unavailable' });
  });

  it('gives everything back when disposed', async () => {
    const decoder = parrot(['Hello the world']);
    let disposed = 0;
    const generator = generatorOn(decoder, {
      onDispose() {
        disposed += 1;
      },
    });
    await collect(generator.stream(ask('Hi'), { signal: never }));
    expect(decoder.openSequences()).toBe(1);
    const running = collect(generator.stream(ask('Ho'), { signal: never }));
    const failed = expect(running).rejects.toMatchObject({ code: 'backend-unavailable' });
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([generator.dispose(), generator.dispose()]);
    await failed;
    expect(disposed).toBe(1);
    expect(decoder.openSequences()).toBe(0);
  });

  it('forgets idle conversations when a running one needs their room', async () => {
    const decoder = createBookDecoder(
      { vocab: vocabulary.size, maxCacheBytes: 260 },
      hashedLogits(vocabulary.size),
    );
    const tight: Decoder = {
      ...decoder,
      async forward(work, options) {
        const more = work.reduce((sum, { tokens }) => sum + tokens.length, 0);
        if (decoder.memory().cacheBytes + more > 260) {
          throw Object.assign(new (await import('../../errors.ts')).NearfieldError('out-of-memory', 'full'));
        }
        return await decoder.forward(work, options);
      },
    };
    const generator = generatorOn(tight);
    for (const scope of ['a', 'b', 'c', 'd', 'e']) {
      const request = ask('x'.repeat(60), { scope, max_completion_tokens: 20, logit_bias: { [END]: -100 } });
      const { finish } = await collect(generator.stream(request, { signal: never }));
      expect(finish).toMatchObject({ usage: { completionTokens: 20 } });
    }
    expect(decoder.openSequences()).toBeLessThan(4);
  });
});

describe('structured output', () => {
  it('keeps a model that knows nothing to the schema', async () => {
    const schema = {
      type: 'object',
      properties: { ok: { type: 'boolean' }, n: { type: 'integer', minimum: 0, maximum: 5 } },
      required: ['ok', 'n'],
    };
    for (let seed = 0; seed < 10; seed += 1) {
      const request = ask('Hi', {
        seed,
        response_format: { type: 'json_schema', json_schema: { name: 's', schema } },
      });
      const { text, finish } = await collect(babbler(seed).stream(request, { signal: never }));
      expect(JSON.parse(text)).toEqual({ ok: expect.any(Boolean), n: expect.any(Number) });
      expect(finish).toMatchObject({ finishReason: 'stop' });
    }
    const any = ask('Hi', { seed: 1, max_completion_tokens: 50, response_format: { type: 'json_object' } });
    expect(JSON.parse((await collect(babbler(1).stream(any, { signal: never }))).text)).toBeTypeOf('object');
  });

  it('tells the model of the form it is held to', async () => {
    const prompts: string[] = [];
    const seen = {
      ...template,
      encode(talk: Parameters<typeof template.encode>[0]) {
        prompts.push(template.render(talk));
        return template.encode(talk);
      },
    };
    const generator = generatorOn(parrot(['{"ok": true}']), { template: seen });
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
    const format = {
      type: 'json_schema' as const,
      json_schema: { name: 's', description: 'a verdict', schema },
    };
    const messages = [
      { role: 'system' as const, content: 'Be kind.' },
      { role: 'user' as const, content: 'Hi' },
    ];
    await collect(generator.stream({ messages, response_format: format }, { signal: never }));
    expect(prompts[0]).toContain(`system\nBe kind.\n\nReply with JSON of this schema (a verdict)`);
    expect(prompts[0]).toContain(JSON.stringify(schema));
  });
});
