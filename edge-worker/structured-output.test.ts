// Structured outputs of a local model through the edge's HTTP surface, asked for as OpenAI's client asks: zod at one
// end, the grammar at the other.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createBookDecoder, hashedLogits } from '../runtime/engine/generation/fixtures/decoder-book.ts';
import { generatorOn, vocabulary } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { type BedrockEmulator, emulatorEnv, startBedrockEmulator } from '../scripts/emulators/bedrock.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import type { Env } from './env.ts';
import { type RunningEdge, startEdge } from './node.ts';

let running: RunningEdge | undefined;
afterEach(async () => await running?.stop());

async function clientOf(env: Env = {}): Promise<OpenAI> {
  const generator = generatorOn(
    createBookDecoder({ vocab: vocabulary.size }, hashedLogits(vocabulary.size, 7)),
  );
  running = await startEdge({ port: 0, env, embedder: createFakeEmbedder(), generator });
  return new OpenAI({ apiKey: 'none', baseURL: `${running.url}/v1`, maxRetries: 0 });
}

const Trip = z.object({
  city: z.string().max(8).describe('Where to.'),
  nights: z.number().int().min(1).max(9),
  mood: z.enum(['calm', 'busy']).nullable(),
  stops: z.array(z.object({ name: z.string().max(4) })).max(2),
});
const ask = {
  model: 'any',
  messages: [{ role: 'user' as const, content: 'Plan a trip.' }],
  response_format: zodResponseFormat(Trip, 'trip'),
  temperature: 1,
};
const fresh = { headers: { 'nearfield-cache': 'bypass' } };

it('are parsed by the client into what zod describes, whole and streamed, of a model that knows nothing', async () => {
  const client = await clientOf();
  for (const seed of [1, 2, 3]) {
    const whole = (await client.chat.completions.parse({ ...ask, seed }, fresh)).choices[0]!;
    expect(whole.finish_reason).toBe('stop');
    expect(Trip.parse(whole.message.parsed)).toEqual(JSON.parse(whole.message.content!));
    const streamed = await client.chat.completions.stream({ ...ask, seed }, fresh).finalChatCompletion();
    expect(streamed.choices[0]!.message.parsed).toEqual(whole.message.parsed);
  }
});

it('closed for want of tokens are whole, and told as cut: the client’s own parse takes no such answer', async () => {
  const client = await clientOf();
  const short = { ...ask, seed: 1, max_completion_tokens: 60 };
  const { message, finish_reason } = (await client.chat.completions.create(short, fresh)).choices[0]!;
  expect(finish_reason).toBe('length');
  expect(Trip.safeParse(JSON.parse(message.content!)).success).toBe(true);
  await expect(client.chat.completions.parse(short, fresh)).rejects.toThrow(/length/);
});

it('of a schema that cannot be kept to are refused, by the place in it', async () => {
  const client = await clientOf();
  const schema = { type: 'object', properties: { a: { not: { type: 'string' } } } };
  const response_format = { type: 'json_schema' as const, json_schema: { name: 's', schema } };
  await expect(client.chat.completions.create({ ...ask, response_format }, fresh)).rejects.toMatchObject({
    status: 400,
    param: expect.stringContaining('response_format.json_schema.schema'),
  });
});

describe('of a schema that the edge’s own model cannot keep to', () => {
  const schema = { type: 'object', properties: { a: { not: { type: 'string' } } } };
  const asked = {
    ...ask,
    response_format: { type: 'json_schema' as const, json_schema: { name: 's', schema } },
  };
  let bedrock: BedrockEmulator;
  afterEach(async () => await bedrock.stop());

  async function withBedrock(): Promise<OpenAI> {
    bedrock = await startBedrockEmulator();
    return await clientOf({
      NEARFIELD_POLICY: 'open',
      ...emulatorEnv(bedrock.url, 'anthropic.claude-emulated'),
    });
  }

  it('come from Bedrock, which gets the schema whole', async () => {
    const client = await withBedrock();
    const { response } = await client.chat.completions.create(asked, fresh).withResponse();
    expect(response.headers.get('nearfield-tier')).toBe('cloud');
    expect(bedrock.requests).toHaveLength(1);
    expect(bedrock.requests[0]!.body).toContain(JSON.stringify(JSON.stringify(schema)).slice(1, -1));
  });

  it('are refused by the place in it where the caller may go no farther than the edge', async () => {
    const client = await withBedrock();
    const near = { headers: { ...fresh.headers, 'nearfield-privacy': 'edge' } };
    await expect(client.chat.completions.create(asked, near)).rejects.toMatchObject({
      status: 400,
      param: 'response_format.json_schema.schema.properties.a',
      message: expect.stringContaining('keyword not'),
    });
    expect(bedrock.requests).toEqual([]);
  });
});
