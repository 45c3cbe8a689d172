// Tool calls of a local model through the edge's HTTP surface, with OpenAI's own client at the other end.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Timings } from 'nearfield';
import type { LocalGenerator } from 'nearfield/tiers/device';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { createBookDecoder, hashedLogits } from '../runtime/engine/generation/fixtures/decoder-book.ts';
import { drawnSchema } from '../runtime/engine/generation/fixtures/schemas.ts';
import { generatorOn, parrot, vocabulary } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { type RunningEdge, startEdge } from './node.ts';

const written = (name: string, args: string) =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;
const TWO = `Let me look.${written('get_weather', '{"city": "Lyon"}')}\n${written('get_weather', '{"city": "Faro"}')}`;

const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const weather = {
  type: 'function' as const,
  function: { name: 'get_weather', description: 'Now.', parameters },
};
const messages = [{ role: 'user' as const, content: 'Is it warmer in Lyon or in Faro?' }];

let running: RunningEdge | undefined;
let asked = 0;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function clientOf(generator: LocalGenerator): Promise<OpenAI> {
  asked = 0;
  const counted: LocalGenerator = {
    can: (request) => generator.can(request),
    stream(request, options) {
      asked += 1;
      return generator.stream(request, options);
    },
  };
  running = await startEdge({ port: 0, env: {}, embedder: createFakeEmbedder(), generator: counted });
  return new OpenAI({ apiKey: 'none', baseURL: `${running.url}/v1`, maxRetries: 0 });
}

const ask = { model: 'any', messages, tools: [weather], temperature: 0 };
const fresh = { headers: { 'nearfield-cache': 'bypass' } };
const functionsOf = (calls: readonly OpenAI.Chat.ChatCompletionMessageToolCall[] = []) =>
  calls.flatMap((call) => (call.type === 'function' ? [call] : []));

describe('the same tool call', () => {
  const lyon = written('get_weather', '{"city": "Lyon"}');

  it('said over and over is one, and the answer says why it ended', async () => {
    const client = await clientOf(generatorOn(parrot([Array(40).fill(lyon).join('\n')])));
    const answer = await client.chat.completions.create({ ...ask, max_completion_tokens: 2000 });
    expect(answer.choices[0]!.finish_reason).toBe('tool_calls');
    expect(answer.choices[0]!.message.tool_calls).toHaveLength(1);
    const { nearfield } = answer as unknown as { nearfield: { timings: Timings } };
    expect(nearfield.timings.steps.find(({ name }) => name === 'decode')).toMatchObject({
      facts: { repeatedCalls: 2, ended: 'repeated-calls' },
    });
  });

  it('is made again in a later turn, by an agent that wants it again', async () => {
    const client = await clientOf(generatorOn(parrot([lyon, lyon, 'Warm, both times.'])));
    let calls = 0;
    const runner = client.chat.completions.runTools({
      ...ask,
      tools: [
        {
          type: 'function',
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: () => {
              calls += 1;
              return '28';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('Warm, both times.');
    expect(calls).toBe(2);
  });
});

describe('several tool calls', () => {
  it('arrive whole, with an id each', async () => {
    const client = await clientOf(generatorOn(parrot([TWO])));
    const { choices } = await client.chat.completions.create(ask);
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: 'Let me look.' } });
    const calls = functionsOf(choices[0]!.message.tool_calls);
    expect(calls.map(({ function: { name, arguments: json } }) => [name, JSON.parse(json)])).toEqual([
      ['get_weather', { city: 'Lyon' }],
      ['get_weather', { city: 'Faro' }],
    ]);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  });

  it('stream as deltas: index, id and name once a call, then arguments, then the reason', async () => {
    const client = await clientOf(generatorOn(parrot([TWO])));
    const deltas: OpenAI.Chat.ChatCompletionChunk.Choice.Delta.ToolCall[] = [];
    const reasons: unknown[] = [];
    for await (const { choices } of await client.chat.completions.create({ ...ask, stream: true })) {
      deltas.push(...(choices[0]?.delta.tool_calls ?? []));
      reasons.push(choices[0]?.finish_reason ?? null);
    }
    expect(reasons.filter((reason) => reason !== null)).toEqual(['tool_calls']);
    expect(reasons.at(-1)).toBe('tool_calls');
    const heads = deltas.filter(({ id }) => id !== undefined);
    expect(heads).toEqual(
      [0, 1].map((index) => ({
        index,
        type: 'function',
        id: expect.stringMatching(/^call_/),
        function: { name: 'get_weather', arguments: '' },
      })),
    );
    expect(deltas.map(({ index }) => index)).toEqual(deltas.map(({ index }) => index).sort());
    for (const delta of deltas) {
      if (delta.id === undefined) expect(delta.function).toEqual({ arguments: expect.any(String) });
    }
    expect(deltas.length).toBeGreaterThan(6);
  });

  it('are run by the client and go back with their results, until the model answers', async () => {
    const client = await clientOf(generatorOn(parrot([TWO, 'Faro, by far.'])));
    const cities: string[] = [];
    const runner = client.chat.completions.runTools({
      ...ask,
      tools: [
        {
          type: 'function',
          function: {
            ...weather.function,
            function: async (json: string) => {
              const { city } = JSON.parse(json) as { city: string };
              cities.push(city);
              return city === 'Faro' ? '28 degrees' : '17 degrees';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('Faro, by far.');
    expect(cities.sort()).toEqual(['Faro', 'Lyon']);
    expect(runner.messages.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'tool',
      'assistant',
    ]);
  });

  it('are one where parallel_tool_calls is false or one function is named, none where none is wanted', async () => {
    const client = await clientOf(generatorOn(parrot([TWO])));
    const countOf = async (more: Partial<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming>) => {
      const { choices } = await client.chat.completions.create({ ...ask, ...more }, fresh);
      return [choices[0]!.message.tool_calls?.length ?? 0, choices[0]!.finish_reason];
    };
    const named = { type: 'function' as const, function: { name: 'get_weather' } };
    expect(await countOf({})).toEqual([2, 'tool_calls']);
    expect(await countOf({ parallel_tool_calls: true, tool_choice: 'auto' })).toEqual([2, 'tool_calls']);
    expect(await countOf({ parallel_tool_calls: false })).toEqual([1, 'tool_calls']);
    expect(await countOf({ tool_choice: named })).toEqual([1, 'tool_calls']);
    expect(await countOf({ tool_choice: 'none' })).toEqual([0, 'stop']);
    await expect(
      client.chat.completions.create({ ...ask, parallel_tool_calls: 'yes' as unknown as boolean }),
    ).rejects.toMatchObject({ status: 400, param: 'parallel_tool_calls' });
  });

  it('are kept and told again as they were, to whoever asks the same of the model and allows as many', async () => {
    const client = await clientOf(generatorOn(parrot([TWO])));
    const first = (await client.chat.completions.create(ask)).choices[0]!;
    const again = (await client.chat.completions.create(ask)).choices[0]!;
    expect(asked).toBe(1);
    expect(again).toEqual(first);
    const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
    expect(asked).toBe(1);
    expect(streamed.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: first.message.tool_calls! },
    });
    const one = await client.chat.completions.create({ ...ask, parallel_tool_calls: false });
    expect(asked).toBe(2);
    expect(one.choices[0]!.message.tool_calls).toHaveLength(1);
  });

  it('cut short by the budget are told as such, whole as far as they go, and not kept', async () => {
    const client = await clientOf(generatorOn(parrot([TWO])));
    const lengths = new Set<number>();
    const whole = vocabulary.encodePlain(TWO).length;
    for (const max_completion_tokens of [12, whole >> 1, whole - 30, whole - 18, whole - 2]) {
      const { choices } = await client.chat.completions.create({ ...ask, max_completion_tokens });
      const calls = functionsOf(choices[0]!.message.tool_calls);
      for (const call of calls)
        expect(JSON.parse(call.function.arguments)).toEqual({ city: expect.any(String) });
      lengths.add(calls.length);
      expect(choices[0]!.finish_reason).toBe('length');
    }
    expect(lengths).toEqual(new Set([0, 1, 2]));
    await client.chat.completions.create({ ...ask, max_completion_tokens: whole >> 1 });
    expect(asked).toBe(6);
  });
});

it('a model that knows nothing makes only calls that their schemas take, streamed and whole', async () => {
  const ajv = new Ajv2020({ strict: false });
  let most = 0;
  for (let seed = 1; seed <= 24; seed += 1) {
    const random = hashedLogits(vocabulary.size, seed);
    const free = seed % 2 === 0;
    const client = await clientOf(
      generatorOn(
        free
          ? parrot(['Hello <tool_call>'], { otherwise: random })
          : createBookDecoder({ vocab: vocabulary.size }, random),
      ),
    );
    const schemas = [drawnSchema(seed), drawnSchema(seed + 100)];
    const request = {
      ...ask,
      temperature: 1,
      seed,
      max_completion_tokens: 40 + seed * 12,
      tool_choice: free ? ('auto' as const) : ('required' as const),
      tools: schemas.map((schema, index) => ({
        type: 'function' as const,
        function: { name: `tool_${index}`, parameters: schema as Record<string, unknown> },
      })),
    };
    const whole = (await client.chat.completions.create(request, fresh)).choices[0]!;
    const streamed = (await client.chat.completions.stream(request, fresh).finalChatCompletion()).choices[0]!;
    const functions = [whole, streamed].map(({ message }) =>
      functionsOf(message.tool_calls).map((call) => call.function),
    );
    expect(functions[1]).toMatchObject(functions[0]!);
    expect(streamed.finish_reason).toBe(whole.finish_reason);
    for (const { name, arguments: json } of functions[0]!) {
      const valid = ajv.validate(schemas[Number(name.slice(5))]!, JSON.parse(json));
      expect(valid, `${json} ${ajv.errorsText()}`).toBe(true);
    }
    most = Math.max(most, functions[0]!.length);
    await running?.stop();
    running = undefined;
  }
  expect(most).toBeGreaterThan(1);
});
