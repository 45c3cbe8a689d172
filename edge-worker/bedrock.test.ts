// What a client of OpenAI's API may send and Converse does not take as it is: the OpenAI SDK at one end, an
// emulated Bedrock that validates as AWS does at the other, the edge between.
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type BedrockBehaviour,
  type BedrockEmulator,
  emulatorEnv,
  startBedrockEmulator,
} from '../scripts/emulators/bedrock.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { type RunningEdge, startEdge } from './node.ts';

let emulator: BedrockEmulator;
let running: RunningEdge;
let client: OpenAI;
beforeEach(async () => {
  emulator = await startBedrockEmulator();
  const env = {
    NEARFIELD_POLICY: 'open',
    ...emulatorEnv(emulator.url, 'anthropic.claude-emulated'),
  };
  running = await startEdge({ port: 0, env, embedder: createFakeEmbedder() });
  client = new OpenAI({ apiKey: 'none', baseURL: `${running.url}/v1`, maxRetries: 0 });
});
afterEach(async () => {
  await running?.stop();
  await emulator?.stop();
});

type Params = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;
type Message = OpenAI.Chat.ChatCompletionMessageParam;
const user: Message = { role: 'user', content: 'Is it warm in Lyon?' };
const toolOf = (name: string, more: object = {}) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties: {} }, ...more },
});
const called = (id: string, name: string): Message => ({
  role: 'assistant',
  content: null,
  tool_calls: [{ id, type: 'function', function: { name, arguments: '{}' } }],
});
const PAST: Message[] = [user, called('c1', 'look_up'), { role: 'tool', tool_call_id: 'c1', content: '28' }];

const ask = async (params: Partial<Params>, ...script: BedrockBehaviour[]) => {
  emulator.script(...script);
  const answer = await client.chat.completions.create({ model: 'any', messages: [user], ...params });
  return answer.choices[0]!;
};
const sent = () => JSON.parse(emulator.requests.at(-1)!.body) as Record<string, unknown>;
const namesOf = ({ message }: OpenAI.Chat.ChatCompletion.Choice) =>
  (message.tool_calls ?? []).map((call) => (call.type === 'function' ? call.function.name : ''));

describe('requests that Converse would refuse as they are', () => {
  it('take a temperature above its range as its highest', async () => {
    await ask({ temperature: 1.6 });
    expect(sent()).toMatchObject({ inferenceConfig: { temperature: 1 } });
    await ask({ temperature: 0.4 });
    expect(sent()).toMatchObject({ inferenceConfig: { temperature: 0.4 } });
  });

  it('may begin with the assistant’s greeting and end with its half sentence', async () => {
    await ask({
      messages: [
        { role: 'assistant', content: 'How can I help?' },
        user,
        { role: 'assistant', content: 'In Lyon it is  \n' },
      ],
    });
    const turns = sent().messages as { role: string; content: { text: string }[] }[];
    expect(turns.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(turns[1]!.content).toEqual([{ text: 'How can I help?' }]);
    expect(turns[3]!.content).toEqual([{ text: 'In Lyon it is' }]);
  });

  it('may be a system message alone', async () => {
    await ask({ messages: [{ role: 'system', content: 'Write a haiku.' }] });
    expect(sent()).toMatchObject({ system: [{ text: 'Write a haiku.' }], messages: [{ role: 'user' }] });
  });

  it('may ask Claude for temperature and top_p at once, though it takes one', async () => {
    await ask({ temperature: 0.2, top_p: 0.9 });
    expect(sent().inferenceConfig).toEqual({ temperature: 0.2 });
    await ask({ top_p: 0.9 });
    expect(sent().inferenceConfig).toEqual({ topP: 0.9 });
  });

  it('may hold empty stops, blank descriptions and parameters without a type', async () => {
    await ask({ stop: ['', 'END'], tools: [toolOf('now', { description: '', parameters: {} })] });
    expect(sent()).toMatchObject({ inferenceConfig: { stopSequences: ['END'] } });
    await ask({ stop: [''], tools: [toolOf('now', { description: ' Tells the time.' })] });
    expect(sent()).not.toHaveProperty('inferenceConfig');
    expect(JSON.stringify(sent().toolConfig)).toContain('Tells the time.');
  });
});

describe('a model by the name of a tier, as GET /v1/models lists it', () => {
  it('keeps a request from going farther than that tier', async () => {
    const listed = (await client.models.list()).data.map(({ id }) => id);
    expect(listed).toEqual(expect.arrayContaining(['device', 'bedrock']));
    await expect(ask({ model: 'device' })).rejects.toBeInstanceOf(OpenAI.APIError);
    expect(emulator.requests).toHaveLength(0);
    await expect(ask({ model: 'bedrock', ...{ privacy: 'edge' } })).rejects.toBeInstanceOf(OpenAI.APIError);
    expect(emulator.requests).toHaveLength(0);
    await ask({ model: 'bedrock' });
    await ask({ model: 'gpt-any' });
    expect(emulator.requests).toHaveLength(2);
  });
});

describe('tool calls nobody offered', () => {
  const calls = (...names: string[]): BedrockBehaviour => ({
    kind: 'tool',
    name: names[0]!,
    input: {},
    text: 'Well.',
    more: names.slice(1).map((name) => ({ name, input: {} })),
  });

  it('never reach a client that wants none, streamed or not', async () => {
    const params = { messages: PAST, tools: [toolOf('look_up')], tool_choice: 'none' as const };
    const choice = await ask(params, calls('look_up'), calls('look_up'));
    expect(choice).toMatchObject({ finish_reason: 'stop', message: { content: 'Well.' } });
    expect(choice.message.tool_calls).toBeUndefined();
    const streamed = await client.chat.completions.stream({ model: 'any', ...params }).finalChatCompletion();
    expect(streamed.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'Well.' } });
    expect(JSON.stringify(sent().system)).toContain('no tool');
  });

  it('never reach a client that offers none any more, or offers others', async () => {
    expect(namesOf(await ask({ messages: PAST }, calls('look_up')))).toEqual([]);
    const choice = await ask({ messages: PAST, tools: [toolOf('now')] }, calls('look_up', 'now', 'now'));
    expect(namesOf(choice)).toEqual(['now', 'now']);
    expect(choice.finish_reason).toBe('tool_calls');
  });

  it('leave those that were offered numbered from 0, as clients that stream count them', async () => {
    emulator.script(calls('look_up', 'now', 'now'));
    const indexes = new Set<number>();
    const params = { model: 'any', messages: PAST, tools: [toolOf('now')], stream: true as const };
    for await (const { choices } of await client.chat.completions.create(params))
      for (const { index } of choices[0]?.delta.tool_calls ?? []) indexes.add(index);
    expect([...indexes]).toEqual([0, 1]);
  });
});

describe('failures', () => {
  it.each([
    'Input is too long for requested model.',
    'prompt is too long: 213462 tokens > 200000 maximum',
    'Too many input tokens. Max input tokens: 8000, request input token count: 8013',
    'Input Tokens Exceeded: Number of input tokens exceeds maximum length.',
    "This model's maximum context length is 131072 tokens.",
  ])('tell a conversation too long by OpenAI’s name for it: %s', async (message) => {
    const failed = ask({}, { kind: 'error', status: 400, type: 'ValidationException', message });
    await expect(failed).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    await expect(failed).rejects.not.toThrow(message);
  });

  it('tell another refusal as one that no client asks again, and a broken-off tool call as no answer', async () => {
    const message = 'The provided model identifier is invalid.';
    const refused = ask({}, { kind: 'error', status: 400, type: 'ValidationException', message });
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'upstream-rejected' });
    await expect(refused).rejects.not.toThrow(message);
    const malformed = ask({}, { kind: 'text', deltas: ['Hm'], stopReason: 'malformed_tool_use' });
    await expect(malformed).rejects.toMatchObject({ status: 502, code: 'upstream-cut' });
  });
});
