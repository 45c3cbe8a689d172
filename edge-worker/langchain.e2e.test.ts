// LangChain's own ChatOpenAI and OpenAIEmbeddings as clients of an edge, and of a runtime in the same process.
import {
  type AIMessageChunk,
  HumanMessage,
  SystemMessage,
  type UsageMetadata,
} from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { OpenAIEmbeddings } from '@langchain/openai';
import type { Tier, TierPart } from 'nearfield';
import { createFakeTier } from 'nearfield/tiers/fake';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generatorOn, parrot } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { babbler, HOSTS, type Host, chatOpenAiOf as modelOf, Trip, written } from './clients.fixture.ts';

let host: Host | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

/** Its own type for it comes out as `never` under exact optional properties. */
const usageOf = ({ usage_metadata }: { readonly usage_metadata?: unknown }) =>
  usage_metadata as UsageMetadata;

const TWO = `Let me look.${written('get_weather', '{"city": "Lyon"}')}\n${written('get_weather', '{"city": "Faro"}')}`;
const weather = tool(async ({ city }) => (city === 'Faro' ? '28 degrees' : '17 degrees'), {
  name: 'get_weather',
  description: 'The weather now.',
  schema: z.object({ city: z.string() }),
});

describe.each(HOSTS)('ChatOpenAI and %s', (_name, start) => {
  it('invokes, with usage, model and reason', async () => {
    host = await start({ generator: generatorOn(parrot(['Hello there.'])) });
    const answer = await modelOf(host).invoke([new SystemMessage('Be brief.'), new HumanMessage('Hi')]);
    expect(answer.content).toBe('Hello there.');
    const { input_tokens, output_tokens, total_tokens } = usageOf(answer);
    expect(input_tokens).toBeGreaterThan(0);
    expect(output_tokens).toBeGreaterThan(0);
    expect(total_tokens).toBe(input_tokens + output_tokens);
    expect(answer.response_metadata).toMatchObject({ model_name: 'tiny', finish_reason: 'stop' });
    expect(answer.id).toMatch(/^chatcmpl-/);
  });

  it('streams, with usage, model and reason in what the chunks add up to', async () => {
    host = await start({ generator: generatorOn(parrot(['Hello there.'])) });
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await modelOf(host).stream('Hi')) chunks.push(chunk);
    expect(chunks.filter(({ content }) => content !== '').length).toBeGreaterThan(2);
    const whole = chunks.reduce((all, chunk) => all.concat(chunk));
    expect(whole.content).toBe('Hello there.');
    expect(usageOf(whole).output_tokens).toBeGreaterThan(0);
    expect(whole.response_metadata).toMatchObject({ model_name: 'tiny', finish_reason: 'stop' });
  });

  it('batches, no more at once than it is told', async () => {
    let inside = 0;
    let most = 0;
    const tier: Tier = {
      id: 'narrow',
      kind: 'device',
      can: () => true,
      async *stream({ messages }): AsyncGenerator<TierPart> {
        inside += 1;
        most = Math.max(most, inside);
        yield { type: 'text-delta', text: `${String(messages[0]?.content)}!` };
        inside -= 1;
        yield { type: 'finish', finishReason: 'stop' };
      },
    };
    host = await start({ tiers: [tier] });
    const asked = ['a', 'b', 'c', 'd', 'e', 'f'];
    const answers = await modelOf(host).batch(asked, { maxConcurrency: 2 });
    expect(answers.map(({ content }) => content)).toEqual(asked.map((text) => `${text}!`));
    expect(most).toBeLessThanOrEqual(2);
    expect(host.asked).toHaveLength(6);
  });

  it.each(['jsonSchema', 'functionCalling'] as const)('gives structured output by %s', async (method) => {
    host = await start({ generator: babbler() });
    const model = modelOf(host, { temperature: 0 }).withStructuredOutput(Trip, { name: 'trip', method });
    const trip = await model.invoke('Plan a trip.');
    expect(Trip.parse(trip)).toEqual(trip);
    let last: unknown;
    for await (const part of await model.stream('Plan a trip.')) last = part;
    expect(last).toEqual(trip);
    expect(host.asked.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('calls tools and takes their results, whole and streamed', async () => {
    host = await start({ generator: generatorOn(parrot([TWO, 'Faro, by far.'])) });
    const model = modelOf(host, { temperature: 0 }).bindTools([weather]);
    const question = new HumanMessage('Is it warmer in Lyon or in Faro?');
    const first = await model.invoke([question]);
    expect(first.content).toBe('Let me look.');
    expect(first.invalid_tool_calls).toEqual([]);
    expect(first.tool_calls?.map(({ name, args }) => [name, args])).toEqual([
      ['get_weather', { city: 'Lyon' }],
      ['get_weather', { city: 'Faro' }],
    ]);
    const results = await Promise.all(first.tool_calls!.map((call) => weather.invoke(call)));
    const last = await model.invoke([question, first, ...results]);
    expect(last.content).toBe('Faro, by far.');
    expect(host.asked[1]?.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: [{}, {}] },
      { role: 'tool', content: '17 degrees' },
      { role: 'tool', content: '28 degrees' },
    ]);
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await model.stream([question])) chunks.push(chunk);
    const streamed = chunks.reduce((all, chunk) => all.concat(chunk));
    expect(streamed.tool_calls?.map(({ args }) => args)).toEqual([{ city: 'Lyon' }, { city: 'Faro' }]);
  });

  it('reads a call for which the model said no arguments at all', async () => {
    const script: readonly TierPart[] = [
      { type: 'tool-call-delta', index: 0, id: 'call_1', name: 'now', argumentsText: '' },
      { type: 'finish', finishReason: 'tool_calls' },
    ];
    host = await start({ tiers: [createFakeTier({ script })] });
    const now = tool(async () => 'noon', { name: 'now', description: 'The time.', schema: z.object({}) });
    const model = modelOf(host).bindTools([now]);
    const { tool_calls, invalid_tool_calls } = await model.invoke('What time is it?');
    expect([tool_calls?.map(({ args }) => args), invalid_tool_calls]).toEqual([[{}], []]);
    const chunks: AIMessageChunk[] = [];
    for await (const chunk of await model.stream('What time is it?')) chunks.push(chunk);
    const streamed = chunks.reduce((all, chunk) => all.concat(chunk));
    expect([streamed.tool_calls?.map(({ args }) => args), streamed.invalid_tool_calls]).toEqual([[{}], []]);
  });

  it('sends Nearfield’s own fields by modelKwargs, and shows what came back by the raw response', async () => {
    host = await start();
    const documents = [{ id: 'lease', text: 'The flat has two rooms. The notice period is three months.' }];
    const model = modelOf(host, {
      modelKwargs: { documents, privacy: 'device' },
      __includeRawResponse: true,
    });
    const { content, additional_kwargs } = await model.invoke('How long is the notice period?');
    expect(content).toContain('three months');
    expect(additional_kwargs.__raw_response).toMatchObject({
      nearfield: { tier: { kind: 'device' }, receipt: { bytesOut: 0 }, sources: [{ documentId: 'lease' }] },
    });
  });

  it('stops the tier when the signal fires, before the first word and in the midst', async () => {
    for (const words of [0, 1]) {
      const tier = createFakeTier({
        script: [...Array<TierPart>(words).fill({ type: 'text-delta', text: 'one' }), { type: 'hang' }],
      });
      host = await start({ tiers: [tier] });
      const stop = new AbortController();
      const asked = (async () => {
        for await (const { content } of await modelOf(host!).stream('Hi', { signal: stop.signal })) {
          if (content !== '') stop.abort();
        }
      })();
      const ended = expect(asked).rejects.toThrow(/abort/i);
      if (words === 0) {
        await expect.poll(() => tier.calls.length).toBe(1);
        stop.abort();
      }
      await ended;
      await expect.poll(() => tier.calls[0]?.outcome).toBe('aborted');
      expect(host.asked).toHaveLength(1);
      await host.stop();
      host = undefined;
    }
  });
});

const TEXTS = ['The office opens at nine.', 'It rains often in the north, and seldom where the lemons grow.'];

describe.each(HOSTS)('OpenAIEmbeddings and %s', (_name, start) => {
  const embeddingsOf = (
    { baseURL, fetch }: Host,
    fields: { dimensions?: number; encodingFormat?: 'float' } = {},
  ) => new OpenAIEmbeddings({ model: 'any', apiKey: 'none', configuration: { baseURL, fetch }, ...fields });

  it('embeds texts and questions, the same numbers as floats and as base64', async () => {
    host = await start();
    const asBase64 = await embeddingsOf(host).embedDocuments(TEXTS);
    const asFloats = await embeddingsOf(host, { encodingFormat: 'float' }).embedDocuments(TEXTS);
    expect(host.asked.map(({ body }) => body.encoding_format)).toEqual(['base64', 'float']);
    expect(asBase64.map(({ length }) => length)).toEqual([128, 128]);
    expect(asFloats).toEqual(asBase64);
    expect(await embeddingsOf(host).embedQuery(TEXTS[0]!)).toEqual(asBase64[0]);
  });

  it('cuts them to the dimensions asked for, unit length again; more than there are is refused once', async () => {
    host = await start();
    const [vector] = await embeddingsOf(host, { dimensions: 64 }).embedDocuments([TEXTS.join(' ')]);
    expect(vector).toHaveLength(64);
    expect(Math.hypot(...vector!)).toBeCloseTo(1, 6);
    const tooMany = embeddingsOf(host, { dimensions: 4096 }).embedQuery('It rains often.');
    await expect(tooMany).rejects.toMatchObject({ status: 400, param: 'dimensions' });
    expect(host.asked).toHaveLength(2);
  });
});
