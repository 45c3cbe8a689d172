// The Vercel AI SDK as a client of an edge, and of a runtime in the same process, by its openai-compatible provider.

import { setImmediate as turn } from 'node:timers/promises';
import { createOpenAICompatible, type OpenAICompatibleProvider } from '@ai-sdk/openai-compatible';
import {
  APICallError,
  embed,
  embedMany,
  generateObject,
  generateText,
  Output,
  RetryError,
  stepCountIs,
  streamObject,
  streamText,
  tool,
} from 'ai';
import { NearfieldError, type TierPart } from 'nearfield';
import { createFakeTier, fails, says } from 'nearfield/tiers/fake';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generatorOn, parrot } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { babbler, createEndlessTier, HOSTS, type Host, Trip, written } from './clients.fixture.ts';

let host: Host | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

/** Nearfield's own facts, as the SDK wants to be told of a provider's. */
interface Told {
  readonly nearfield?: Readonly<Record<string, never>>;
}
const metadataExtractor = {
  extractMetadata: async ({ parsedBody }: { parsedBody: unknown }) => ({
    nearfield: (parsedBody as Told).nearfield ?? {},
  }),
  createStreamExtractor() {
    let facts: Told['nearfield'];
    return {
      processChunk(chunk: unknown) {
        facts = (chunk as Told).nearfield ?? facts;
      },
      buildMetadata: () => ({ nearfield: facts ?? {} }),
    };
  },
};

function providerOf({ baseURL, fetch }: Host): OpenAICompatibleProvider {
  return createOpenAICompatible({
    name: 'nearfield',
    baseURL,
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
    metadataExtractor,
    headers: { 'nearfield-cache': 'bypass' },
  });
}
const modelOf = (at: Host) => providerOf(at)('any');

const TWO = `Let me look.${written('get_weather', '{"city": "Lyon"}')}\n${written('now', '{}')}`;
const tools = {
  get_weather: tool({
    description: 'The weather now.',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `17 degrees in ${city}`,
  }),
  now: tool({ inputSchema: z.object({}), execute: async () => ({ hour: 12 }) }),
};

describe.each(HOSTS)('the AI SDK and %s', (_name, start) => {
  it('generates and streams text, with usage, reason and who answered', async () => {
    host = await start({ generator: generatorOn(parrot(['Hello there.'])) });
    const whole = await generateText({ model: modelOf(host), system: 'Be brief.', prompt: 'Hi' });
    expect([whole.text, whole.finishReason, whole.response.modelId]).toEqual([
      'Hello there.',
      'stop',
      'tiny',
    ]);
    expect(whole.warnings).toEqual([]);
    const streamed = streamText({ model: modelOf(host), system: 'Be brief.', prompt: 'Hi' });
    const pieces: string[] = [];
    for await (const piece of streamed.textStream) pieces.push(piece);
    expect(pieces.join('')).toBe('Hello there.');
    expect(pieces.length).toBeGreaterThan(2);
    expect(await streamed.finishReason).toBe('stop');
    expect(await streamed.usage).toEqual(whole.usage);
    expect(whole.usage.totalTokens).toBe(whole.usage.inputTokens! + whole.usage.outputTokens!);
  });

  it('sends Nearfield’s own fields by providerOptions, and has its facts as metadata, whole and streamed', async () => {
    host = await start();
    const documents = [{ id: 'lease', text: 'The flat has two rooms. The notice period is three months.' }];
    const ask = {
      model: modelOf(host),
      prompt: 'How long is the notice period?',
      providerOptions: { nearfield: { documents, privacy: 'device' } },
    };
    const whole = await generateText(ask);
    expect(whole.text).toContain('three months');
    const told = { nearfield: { tier: { kind: 'device' }, receipt: { bytesOut: 0 } } };
    expect(whole.providerMetadata).toMatchObject(told);
    const streamed = streamText(ask);
    expect(await streamed.text).toBe(whole.text);
    expect(await streamed.providerMetadata).toMatchObject(told);
  });

  it('makes objects of a schema, whole and streamed, arrays and choices too', async () => {
    host = await start({ generator: babbler() });
    const ask = { model: modelOf(host), prompt: 'Plan a trip.', temperature: 0 };
    const { object } = await generateObject({ ...ask, schema: Trip });
    expect(Trip.parse(object)).toEqual(object);
    const streamed = streamObject({ ...ask, schema: Trip });
    let parts = 0;
    for await (const _part of streamed.partialObjectStream) parts += 1;
    expect(parts).toBeGreaterThan(1);
    expect(await streamed.object).toEqual(object);
    const { output } = await generateText({ ...ask, output: Output.object({ schema: Trip }) });
    expect(output).toEqual(object);
    const colour = await generateObject({ ...ask, output: 'enum', enum: ['red', 'blue'] });
    expect(['red', 'blue']).toContain(colour.object);
    expect(host.asked.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it('calls tools step by step until the model answers, whole and streamed', async () => {
    host = await start({ generator: generatorOn(parrot([TWO, 'Mild.'])) });
    const ask = {
      model: modelOf(host),
      prompt: 'How is Lyon?',
      tools,
      temperature: 0,
      stopWhen: stepCountIs(4),
    };
    const whole = await generateText(ask);
    const streamed = streamText(ask);
    await streamed.consumeStream();
    for (const { text, steps } of [whole, { text: await streamed.text, steps: await streamed.steps }]) {
      expect(text).toBe('Mild.');
      expect(steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
      expect(steps[0]?.text).toBe('Let me look.');
      expect(steps[0]?.toolResults.map(({ output }) => output)).toEqual(['17 degrees in Lyon', { hour: 12 }]);
    }
    expect(host.asked[1]?.body.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', tool_calls: [{}, {}] },
      { role: 'tool', content: '17 degrees in Lyon' },
      { role: 'tool', content: '{"hour":12}' },
    ]);
    expect(host.asked).toHaveLength(4);
  });

  it('embeds one and many, cut where asked', async () => {
    host = await start();
    const model = providerOf(host).embeddingModel('any');
    const values = ['The office opens at nine.', 'It rains often.'];
    const { embeddings, usage } = await embedMany({ model, values });
    expect(embeddings.map(({ length }) => length)).toEqual([128, 128]);
    expect(usage.tokens).toBe(2);
    expect((await embed({ model, value: values[0]! })).embedding).toEqual(embeddings[0]);
    const providerOptions = { nearfield: { dimensions: 64 } };
    expect((await embed({ model, value: values[0]!, providerOptions })).embedding).toHaveLength(64);
  });

  it('stops the tier when the signal fires, before the first word and in the midst', async () => {
    for (const words of [0, 1]) {
      const tier = createFakeTier({
        script: [...Array<TierPart>(words).fill({ type: 'text-delta', text: 'one' }), { type: 'hang' }],
      });
      host = await start({ tiers: [tier] });
      const stop = new AbortController();
      const { fullStream } = streamText({ model: modelOf(host), prompt: 'Hi', abortSignal: stop.signal });
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { type } of fullStream) {
          seen.push(type);
          if (type === 'text-delta') stop.abort();
        }
      })();
      if (words === 0) {
        await expect.poll(() => tier.calls.length).toBe(1);
        stop.abort();
      }
      await reading;
      expect(seen.at(-1)).toBe('abort');
      await expect.poll(() => tier.calls[0]?.outcome).toBe('aborted');
      expect(host.asked).toHaveLength(1);
      await host.stop();
      host = undefined;
    }
  });

  // Its provider's own stream: `streamText` above it reads whatever comes, as fast as it comes.
  it('reads slowly, and no more is made than what lies between takes; leaves, and nothing more is', async () => {
    const PART_BYTES = 16 * 1024;
    const MOST_AHEAD = (24 * 1024 * 1024) / PART_BYTES;
    const tier = createEndlessTier('x'.repeat(PART_BYTES));
    host = await start({ tiers: [tier] });
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hi' }] }];
    const reader = (await modelOf(host).doStream({ prompt })).stream.getReader();
    let ahead = 0;
    for (let read = 0; read < 100; read += 1) {
      await reader.read();
      ahead = Math.max(ahead, tier.made() - read);
      // As many turns as an answer made without end would need to get too far.
      for (let turns = 0; turns < 100; turns += 1) await turn();
    }
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThan(MOST_AHEAD);
    await reader.cancel();
    await tier.left;
  });
});

describe.each(HOSTS)('a refusal, told to the AI SDK by %s', (_name, start) => {
  const final: readonly (readonly [string, () => Parameters<typeof start>[0], object])[] = [
    [
      'of the upstream',
      () => ({ tiers: [createFakeTier({ script: fails('upstream-rejected') })] }),
      { statusCode: 400 },
    ],
    ['for want of a tier', () => ({ tiers: [createFakeTier({ can: () => false })] }), { statusCode: 400 }],
    [
      'for length',
      () => ({ tiers: [createFakeTier({ script: fails('context-overflow') })] }),
      { statusCode: 400 },
    ],
    [
      'by the policy',
      () => ({ tiers: [createFakeTier({ kind: 'cloud', host: 'cloud.example' })] }),
      { statusCode: 403 },
    ],
  ];
  it.each(final)('%s is final: the prompt is sent once', async (_why, options, error) => {
    host = await start(options());
    const ask = { model: modelOf(host), prompt: 'Hi', providerOptions: { nearfield: { privacy: 'device' } } };
    const failure = await generateText(ask).catch((thrown: unknown) => thrown);
    expect(APICallError.isInstance(failure)).toBe(true);
    expect(failure).toMatchObject({ ...error, isRetryable: false });
    const streamed = streamText({ ...ask, onError: () => {} });
    const parts = await Array.fromAsync(streamed.fullStream);
    expect(parts.at(-1)).toMatchObject({ type: 'error', error });
    expect(host.asked).toHaveLength(2);
  });

  it('of a device too busy just now is asked again, twice at most', async () => {
    const tier = createFakeTier({ script: says('Now.') });
    tier.next(fails('queue-full'));
    host = await start({ tiers: [tier] });
    expect((await generateText({ model: modelOf(host), prompt: 'Hi' })).text).toBe('Now.');
    expect(host.asked.map(({ status }) => status)).toEqual([503, 200]);
    tier.next(fails('queue-full'), fails('queue-full'));
    const failure = await generateText({ model: modelOf(host), prompt: 'Hi', maxRetries: 1 }).catch(
      (e: unknown) => e,
    );
    expect(RetryError.isInstance(failure)).toBe(true);
  });

  it('in the midst of an answer is an error part after what was said, and nothing is asked again', async () => {
    const broken = new NearfieldError('upstream-cut', 'Broke off.');
    const tier = createFakeTier({
      script: [
        { type: 'text-delta', text: 'Half' },
        { type: 'throw', error: broken },
      ],
    });
    host = await start({ tiers: [tier] });
    const { fullStream } = streamText({ model: modelOf(host), prompt: 'Hi', onError: () => {} });
    const parts = await Array.fromAsync(fullStream);
    expect(parts.find(({ type }) => type === 'text-delta')).toMatchObject({ text: 'Half' });
    expect(parts.find(({ type }) => type === 'error')).toMatchObject({
      error: { message: expect.any(String), code: 'upstream-cut' },
    });
    expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'error' });
    expect(host.asked).toHaveLength(1);
  });
});
