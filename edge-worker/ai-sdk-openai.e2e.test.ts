// Vercel's own provider for OpenAI as a client: stricter about what comes back than its openai-compatible one, and a
// speaker of the Responses API unless told otherwise.
import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import {
  APICallError,
  embed,
  generateObject,
  generateText,
  stepCountIs,
  streamObject,
  streamText,
  tool,
} from 'ai';
import type { TierPart } from 'nearfield';
import { createFakeTier, fails } from 'nearfield/tiers/fake';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generatorOn, parrot } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { babbler, HOSTS, type Host, Trip } from './clients.fixture.ts';

let host: Host | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

function openaiOf({ baseURL, fetch }: Host): OpenAIProvider {
  return createOpenAI({ apiKey: 'none', baseURL, fetch, headers: { 'nearfield-cache': 'bypass' } });
}

const tools = { now: tool({ inputSchema: z.object({}), execute: async () => ({ hour: 12 }) }) };

describe.each(HOSTS)('openai.chat and %s', (_name, start) => {
  it.each(['any', 'gpt-4o', 'gpt-5'])('chats as it does with %s, whole and streamed', async (name) => {
    host = await start({ generator: generatorOn(parrot(['Hello there.'])) });
    const ask = { model: openaiOf(host).chat(name), system: 'Be brief.', prompt: 'Hi', maxOutputTokens: 50 };
    const whole = await generateText(ask);
    expect([whole.text, whole.finishReason]).toEqual(['Hello there.', 'stop']);
    const streamed = streamText(ask);
    expect(await streamed.text).toBe('Hello there.');
    expect(await streamed.usage).toEqual(whole.usage);
    expect(host.asked.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('makes objects of a schema, whole and streamed', async () => {
    host = await start({ generator: babbler() });
    const ask = { model: openaiOf(host).chat('any'), prompt: 'Plan.', schema: Trip, temperature: 0 };
    const { object } = await generateObject(ask);
    expect(Trip.parse(object)).toEqual(object);
    const { partialObjectStream } = streamObject(ask);
    expect((await Array.fromAsync(partialObjectStream)).at(-1)).toEqual(object);
  });

  it('calls tools step by step, one without arguments too', async () => {
    host = await start({
      generator: generatorOn(
        parrot(['<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>', 'Noon.']),
      ),
    });
    const ask = { model: openaiOf(host).chat('any'), prompt: 'What time is it?', tools, temperature: 0 };
    const streamed = streamText({ ...ask, stopWhen: stepCountIs(3) });
    expect(await streamed.text).toBe('Noon.');
    expect((await streamed.steps)[0]?.toolResults).toMatchObject([{ output: { hour: 12 } }]);
    await host.stop();

    const script: readonly TierPart[] = [
      { type: 'tool-call-delta', index: 0, id: 'call_1', name: 'now', argumentsText: '' },
      { type: 'finish', finishReason: 'tool_calls' },
    ];
    host = await start({ tiers: [createFakeTier({ script })] });
    const model = openaiOf(host).chat('any');
    const bare = [await generateText({ ...ask, model }), streamText({ ...ask, model })];
    for (const { toolResults } of bare) expect(await toolResults).toMatchObject([{ output: { hour: 12 } }]);
  });

  it('embeds; is told of the Responses API that there is none, and of a refusal, once each', async () => {
    host = await start({ tiers: [createFakeTier({ script: fails('upstream-rejected') })] });
    const openai = openaiOf(host);
    expect((await embed({ model: openai.embedding('any'), value: 'Hi' })).embedding).toHaveLength(128);
    const asked = generateText({ model: openai('any'), prompt: 'Hi' });
    await expect(asked).rejects.toMatchObject({
      statusCode: 404,
      message: expect.stringContaining('there is no Responses API'),
    });
    const failure = await generateText({ model: openai.chat('any'), prompt: 'Hi' }).catch((e: unknown) => e);
    expect(APICallError.isInstance(failure)).toBe(true);
    expect(host.asked).toHaveLength(3);
  });
});
