import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatMessage, ChatRequest, ToolDefinition } from '../../types.ts';
import { createBookDecoder, hashedLogits } from './fixtures/decoder-book.ts';
import { drawnSchema } from './fixtures/schemas.ts';
import {
  ask,
  babbler,
  type Collected,
  collect,
  END,
  generatorOn,
  never,
  parrot,
  vocabulary,
} from './fixtures/tiny-generator.ts';
import { TINY_TEMPLATE, tinyTokenizerJson } from './fixtures/tiny-tokenizer.ts';
import { createChatTemplate } from './template.ts';
import { createVocabulary } from './vocabulary.ts';

const toolOf = (name: string, parameters: object): ToolDefinition => ({
  type: 'function',
  function: { name, parameters: parameters as Record<string, unknown> },
});
const weather = toolOf('get_weather', {
  type: 'object',
  properties: {
    city: { type: 'string', maxLength: 9 },
    days: { type: 'integer', minimum: 1, maximum: 9 },
  },
  required: ['city', 'days'],
});
const sum = toolOf('sum', { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] });
const ONE = { parallel_tool_calls: false };

interface Call {
  readonly id: string;
  readonly name: string;
  readonly args: string;
}

/** Calls as a client puts them together; fails where a delta comes out of turn. */
function callsOf({ calls: deltas }: Collected): readonly Call[] {
  const calls: { id: string; name: string; args: string }[] = [];
  for (const { index, id, name, argumentsText } of deltas) {
    if (id === undefined) expect(index).toBe(calls.length - 1);
    else {
      expect(index).toBe(calls.length);
      expect(id).toMatch(/^call_\w{24}$/);
      calls.push({ id, name: name!, args: '' });
    }
    calls[index]!.args += argumentsText;
  }
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  return calls;
}

describe('one call', () => {
  it('is made where one is required, with arguments that fit', async () => {
    const names = new Set<string>();
    for (let seed = 0; seed < 20; seed += 1) {
      const request = ask('Hi', { seed, tools: [weather, sum], tool_choice: 'required', ...ONE });
      const answer = await collect(babbler(seed).stream(request, { signal: never }));
      expect(answer.text).toBe('');
      const [call, ...others] = callsOf(answer);
      expect(others).toEqual([]);
      names.add(call!.name);
      const expected =
        call!.name === 'sum'
          ? { a: expect.any(Number) }
          : { city: expect.any(String), days: expect.any(Number) };
      expect(JSON.parse(call!.args)).toEqual(expected);
      expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
    }
    expect([...names].sort()).toEqual(['get_weather', 'sum']);
  });

  it('is all that is made of a function that was named', async () => {
    const tool_choice = { type: 'function' as const, function: { name: 'sum' } };
    for (let seed = 0; seed < 10; seed += 1) {
      const request = ask('Hi', { seed, tools: [weather, sum], tool_choice, parallel_tool_calls: true });
      const calls = callsOf(await collect(babbler(seed).stream(request, { signal: never })));
      expect(calls.map(({ name }) => name)).toEqual(['sum']);
    }
  });

  it.each(['', '\n', '\n{"name": "sum", "arguments": {"a": 1', 'nonsense', '\n{"name": "none"'])(
    'is held to its form from its mark on, where the model goes on with %j',
    async (after) => {
      const generator = generatorOn(parrot([`Hello world<tool_call>${after}`]));
      const request = ask('Hi', { tools: [weather, sum] });
      const answer = await collect(generator.stream(request, { signal: never }));
      expect(answer.text).toBe('Hello world');
      const [call] = callsOf(answer);
      expect(['get_weather', 'sum']).toContain(call!.name);
      expect(JSON.parse(call!.args)).toBeTypeOf('object');
      expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
    },
  );

  it('takes back what a token said beyond the mark and no call can say', async () => {
    // One token spells the end of the mark and something no call begins with.
    const odd = createVocabulary(tinyTokenizerJson(['>"x']));
    const script = [...odd.encodePlain('a<tool_call'), odd.idOf('>"x')!];
    const decoder = createBookDecoder({ vocab: odd.size }, (tokens) => {
      const row = new Float32Array(odd.size);
      const said = tokens.length - prompt;
      row[script[said] ?? odd.idOf('}')!] = 9;
      return row;
    });
    const ours = createChatTemplate({ source: TINY_TEMPLATE, vocabulary: odd });
    const request = ask('Hi', { tools: [sum], temperature: 0, ...ONE });
    const prompt = ours.encode({ messages: request.messages, tools: [sum] }).length;
    const generator = generatorOn(decoder, { vocabulary: odd, template: ours });
    const { text, calls, args } = await collect(generator.stream(request, { signal: never }));
    expect(text).toBe('a');
    expect(calls[0]!.name).toBe('sum');
    expect(JSON.parse(args)).toEqual({ a: expect.any(Number) });
  });

  it('is none where no tool is wanted', async () => {
    const generator = generatorOn(parrot(['no <tool_call> here']));
    const request = ask('Hi', { tools: [sum], tool_choice: 'none' });
    expect((await collect(generator.stream(request, { signal: never }))).text).toBe('no <tool_call> here');
  });
});

const written = (name: string, args: string) =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;
const TWO = `${written('get_weather', '{"city": "a}\\"]", "days": 3}')}\n${written('sum', '{"a": 1}')}`;

describe('several calls', () => {
  it('come one after another, behind what was said', async () => {
    const generator = generatorOn(parrot([`Hello world${TWO}`]));
    const request = ask('Hi', { tools: [weather, sum], temperature: 0 });
    const answer = await collect(generator.stream(request, { signal: never }));
    expect(answer.text).toBe('Hello world');
    expect(callsOf(answer)).toMatchObject([
      { name: 'get_weather', args: '{"city": "a}\\"]", "days": 3}' },
      { name: 'sum', args: '{"a": 1}' },
    ]);
    expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
  });

  it('are one where the request wants no more', async () => {
    const generator = generatorOn(parrot([TWO]));
    const request = ask('Hi', { tools: [weather, sum], temperature: 0, ...ONE });
    const answer = await collect(generator.stream(request, { signal: never }));
    expect(callsOf(answer).map(({ name }) => name)).toEqual(['get_weather']);
    expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
  });

  it('are as many as a message may bring back, and no more', async () => {
    const many = Array.from({ length: 140 }, (_, n) => written('count', String(n))).join('\n');
    const generator = generatorOn(parrot([many], { context: 40_000 }));
    const tools = [toolOf('count', { type: 'integer' })];
    const request = ask('Hi', { tools, temperature: 0, max_completion_tokens: 30_000 });
    const answer = await collect(generator.stream(request, { signal: never }));
    const calls = callsOf(answer);
    expect(calls).toHaveLength(128);
    expect(calls.map(({ args }) => Number(args))).toEqual(calls.map((_, n) => n));
    expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
  });

  describe('said again', () => {
    /** What is told of these calls, and of their end. */
    async function counted(numbers: readonly number[], maxSameCalls?: number) {
      const said = numbers.map((n) => written('count', String(n))).join('\n');
      const facts: unknown[] = [];
      const step = (name: string, _ms: number, more: unknown) => name === 'decode' && void facts.push(more);
      const tools = [toolOf('count', { type: 'integer' })];
      const request = ask('Hi', { tools, temperature: 0, max_completion_tokens: 3000 });
      const generator = generatorOn(parrot([said]), { maxSameCalls });
      const answer = await collect(generator.stream(request, { signal: never, step }));
      expect(answer.finish).toMatchObject({ finishReason: 'tool_calls' });
      return { told: callsOf(answer).map(({ args }) => Number(args)), facts: facts[0] };
    }

    it.each([0, -1, 1.5, Number.NaN])('cannot be allowed %s times', (maxSameCalls) => {
      expect(() => generatorOn(parrot(['']), { maxSameCalls })).toThrow(
        expect.objectContaining({ code: 'invalid-request', message: expect.stringContaining('from 1 up') }),
      );
    });

    it('are left out, and what is said behind them is not', async () => {
      // Numbers: one that begins like another is not the other.
      const { told, facts } = await counted([12, 1, 123, 1, 5]);
      expect(told).toEqual([12, 1, 123, 5]);
      expect(facts).toMatchObject({ repeatedCalls: 1 });
      expect(facts).not.toHaveProperty('ended');
      expect((await counted([1, 2])).facts).not.toHaveProperty('repeatedCalls');
    });

    it.each([
      ['one for ever', [7, ...Array<number>(60).fill(7)], [7]],
      ['several in turn', Array.from({ length: 60 }, (_, at) => at % 3), [0, 1, 2]],
    ])('end the answer where nothing else comes, and the trace says so: %s', async (_what, said, told) => {
      const loop = await counted(said);
      expect(loop.told).toEqual(told);
      expect(loop.facts).toMatchObject({ repeatedCalls: 2, ended: 'repeated-calls' });
    });

    it('are told as often as the app means them to be, and loops end all the same', async () => {
      expect((await counted([6, 6, 6, 2], 3)).told).toEqual([6, 6, 6, 2]);
      const { told, facts } = await counted(Array<number>(60).fill(6), 3);
      expect(told).toEqual([6, 6, 6]);
      expect(facts).toMatchObject({ ended: 'repeated-calls' });
    });
  });

  it('go back with their results, and what was said is not computed again', async () => {
    const generator = generatorOn(parrot([TWO, 'Hello']));
    const reused: number[] = [];
    const step = (name: string, _ms: number, facts: unknown) =>
      name === 'prefill' && void reused.push((facts as { reusedTokens: number }).reusedTokens);
    const request = ask('Hi', { tools: [weather, sum], temperature: 0 });
    const first = await collect(generator.stream(request, { signal: never, step }));
    const calls = callsOf(first);
    const messages: ChatMessage[] = [
      ...request.messages,
      {
        role: 'assistant',
        content: null,
        tool_calls: calls.map(({ id, name, args }) => ({
          id,
          type: 'function',
          function: { name, arguments: args },
        })),
      },
      ...calls.map(({ id }): ChatMessage => ({ role: 'tool', tool_call_id: id, content: 'fine' })),
    ];
    const second = await collect(generator.stream({ ...request, messages }, { signal: never, step }));
    expect(second.text).toBe('Hello');
    const { promptTokens, completionTokens } = first.finish.usage!;
    expect(reused).toEqual([0, promptTokens + completionTokens]);
  });
});

it('marks calls with the model’s own tokens for it, where it has some', async () => {
  const json = tinyTokenizerJson() as { added_tokens: object[]; model: { vocab: Record<string, number> } };
  const first = Object.keys(json.model.vocab).length;
  const marks = ['<tool_call>', '</tool_call>'].map((content, at) => ({ id: first + at, content }));
  const added = [
    ...json.added_tokens,
    ...marks.map((mark) => ({ ...mark, special: false, normalized: false })),
  ];
  const own = createVocabulary({ ...json, added_tokens: added });
  const random = hashedLogits(own.size, 5);
  let heard: readonly number[] = [];
  const decoder = createBookDecoder({ vocab: own.size, context: 4000 }, (tokens) => {
    heard = [...tokens];
    const row = random(tokens);
    // As a trained model would: its own tokens first, and on to the next call.
    for (const { id } of marks) row[id] = 100;
    row[own.encodePlain('\n')[0]!] = 50;
    return row;
  });
  const ours = createChatTemplate({ source: TINY_TEMPLATE, vocabulary: own });
  const generator = generatorOn(decoder, { vocabulary: own, template: ours });
  // Seeded: a first call drawn twice would end the answer.
  const request = ask('Hi', { seed: 1, tools: [sum], tool_choice: 'required', max_completion_tokens: 300 });
  const calls = callsOf(await collect(generator.stream(request, { signal: never })));
  expect(calls.length).toBeGreaterThan(1);
  const answer = heard.slice(
    ours.encode({ messages: request.messages, tools: [sum], severalCalls: true }).length,
  );
  const begun = answer.filter((id) => id === marks[0]!.id).length;
  expect(begun).toBe(calls.length);
  expect(answer.filter((id) => id === marks[1]!.id).length).toBeGreaterThanOrEqual(begun - 1);
  const brackets = answer.filter((id) => new TextDecoder().decode(own.bytesOf(id)).startsWith('<'));
  expect(brackets.every((id) => marks.some((mark) => mark.id === id))).toBe(true);
});

describe('a budget', () => {
  const whole = (answer: Collected) => {
    for (const { name, args } of callsOf(answer)) {
      expect(name).toBe('sum');
      expect(JSON.parse(args)).toEqual({ a: expect.any(Number) });
    }
  };

  it('of any size leaves calls whole: what could not be ended is not begun', async () => {
    const counts = new Map<number, string>();
    const twice = `Hello ${written('sum', '{"a": 1234567}')}\n${written('sum', '{"a": 7}')}`;
    const least = vocabulary.encodePlain(twice).length;
    for (let budget = 1; budget <= least + 4; budget += 1) {
      const request = ask('Hi', { tools: [sum], temperature: 0, max_completion_tokens: budget });
      const answer = await collect(generatorOn(parrot([twice])).stream(request, { signal: never }));
      whole(answer);
      expect(answer.finish.usage!.completionTokens).toBeLessThanOrEqual(budget);
      counts.set(callsOf(answer).length, answer.finish.finishReason);
    }
    expect([...counts]).toEqual([
      [0, 'length'],
      [1, 'length'],
      [2, 'tool_calls'],
    ]);
  });

  it('too small for the call that is required makes none', async () => {
    for (let budget = 1; budget < 60; budget += 1) {
      const request = ask('Hi', { tools: [sum], tool_choice: 'required', max_completion_tokens: budget });
      const answer = await collect(babbler(budget).stream(request, { signal: never }));
      expect(answer.text).toBe('');
      whole(answer);
      if (budget < 20) expect(answer.finish).toMatchObject({ finishReason: 'length' });
      if (answer.finish.finishReason === 'tool_calls') expect(callsOf(answer).length).toBeGreaterThan(0);
    }
  });
});

describe('a model that knows nothing', () => {
  const ajv = new Ajv2020({ strict: false });

  it('makes no call that its schema does not take, at any budget, whichever way calls are asked for', async () => {
    const seen = { tool_calls: 0, length: 0, stop: 0, several: 0 };
    const drawn = fc.record({
      schemas: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 3 }),
      seed: fc.nat({ max: 1e6 }),
      budget: fc.oneof(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 120, max: 500 })),
      mode: fc.constantFrom('auto', 'required', 'named'),
      several: fc.boolean(),
      temperature: fc.constantFrom(0.3, 1, 2),
    });
    await fc.assert(
      fc.asyncProperty(drawn, async ({ schemas, seed, budget, mode, several, temperature }) => {
        const tools = schemas.map((of, index) => toolOf(`tool "${index}"`, drawnSchema(of)));
        const request: Partial<ChatRequest> = {
          seed,
          tools,
          temperature,
          max_completion_tokens: budget,
          parallel_tool_calls: several,
          tool_choice:
            mode === 'named' ? { type: 'function', function: { name: 'tool "0"' } } : (mode as 'auto'),
        };
        const logits = hashedLogits(vocabulary.size, seed);
        const random = (given: readonly number[]) => {
          const row = logits(given);
          row[END]! -= 6; // else it would seldom go on to a second call
          return row;
        };
        const decoder =
          mode === 'auto'
            ? parrot(['the world <tool_call>'], { otherwise: random })
            : createBookDecoder({ vocab: vocabulary.size, context: 6000 }, random);
        const answer = await collect(generatorOn(decoder).stream(ask('Hi', request), { signal: never }));
        const calls = callsOf(answer);
        for (const { name, args } of calls) {
          const tool = tools.find(({ function: { name: own } }) => own === name);
          const value: unknown = JSON.parse(args);
          expect(ajv.validate(tool!.function.parameters!, value), `${args} ${ajv.errorsText()}`).toBe(true);
        }
        const { finishReason, usage } = answer.finish;
        expect(usage!.completionTokens).toBeLessThanOrEqual(budget);
        if (finishReason === 'tool_calls') expect(calls.length).toBeGreaterThan(0);
        if (!several || mode === 'named') expect(calls.length).toBeLessThanOrEqual(1);
        seen[finishReason as 'length'] += 1;
        if (calls.length > 1) seen.several += 1;
      }),
      { numRuns: 250 },
    );
    expect(seen.tool_calls).toBeGreaterThan(30);
    expect(seen.length).toBeGreaterThan(30);
    // One run in twelve makes several; none at all would come by chance once in 1e9 tests.
    expect(seen.several).toBeGreaterThan(0);
  }, 120_000);
});
