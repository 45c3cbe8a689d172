// The edge in a real workerd: the OpenAI SDK, the real model, Bedrock behind it.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { streamText } from 'ai';
import { Response as MiniflareResponse } from 'miniflare';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type BedrockEmulator, emulatorEnv, startBedrockEmulator } from '../scripts/emulators/bedrock.ts';
import { type LibsqlEmulator, startLibsqlEmulator } from '../scripts/emulators/libsql.ts';
import { type RunningWorkerd, startWorkerd } from '../scripts/testing/workerd.ts';
import { createApiKey, hashApiKey } from './keys.ts';

const MODELS = new URL('../models/', import.meta.url);
const golden = JSON.parse(readFileSync(new URL('all-minilm-l6-v2/golden.json', MODELS), 'utf8')) as {
  texts: string[];
  embeddings: number[][];
};
const KEY = createApiKey();
let emulator: BedrockEmulator;
let database: LibsqlEmulator;
let cache: LibsqlEmulator;
let workerd: RunningWorkerd;
let client: OpenAI;

beforeAll(async () => {
  emulator = await startBedrockEmulator();
  database = await startLibsqlEmulator({ token: 'db-token' });
  cache = await startLibsqlEmulator();
  workerd = await startWorkerd({
    entry: new URL('worker.ts', import.meta.url),
    compatibilityFlags: ['enable_request_signal'],
    vars: {
      NEARFIELD_API_KEYS: `acme:${await hashApiKey(KEY)}`,
      NEARFIELD_POLICY: 'balanced',
      NEARFIELD_DATABASE_URL: database.url,
      NEARFIELD_DATABASE_TOKEN: 'db-token',
      NEARFIELD_CACHE_URL: cache.url,
      ...emulatorEnv(emulator.url, 'anthropic.claude-emulated'),
    },
    bindings: {
      serviceBindings: {
        MODEL: async (request: { url: string }) =>
          new MiniflareResponse(await readFile(new URL(`.${new URL(request.url).pathname}`, MODELS))),
      },
    },
    outbound: (request) => fetch(request),
  });
  client = new OpenAI({
    apiKey: KEY,
    baseURL: `${workerd.url}/v1`,
    maxRetries: 0,
    fetch: openly,
  });
});
afterAll(async () => {
  await workerd?.stop();
  await emulator?.stop();
  await database?.stop();
  await cache?.stop();
});

/** Which keeps no connection that could go stale. */
const openly = (url: Request | URL | string, init?: RequestInit): Promise<Response> =>
  workerd.fetch(String(url), init);

async function read(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  return text;
}

describe('the edge in workerd', () => {
  it('gives the golden embeddings through the OpenAI SDK', async () => {
    const { data } = await client.embeddings.create({
      model: 'all-minilm-l6-v2',
      input: golden.texts.slice(0, 4),
    });
    data.forEach(({ embedding }, row) => {
      const expected = golden.embeddings[row] ?? [];
      const cosine = embedding.reduce((sum, value, at) => sum + value * (expected[at] ?? 0), 0);
      expect(cosine).toBeGreaterThan(0.995);
    });
  });

  it('streams a chat from Bedrock, which never sees what was redacted', async () => {
    const stream = await client.chat.completions.create({
      model: 'any',
      messages: [{ role: 'user', content: 'Write to ann.lee@example.com about lunch.' }],
      stream: true,
    });
    expect(await read(stream)).toContain('ann.lee@example.com');
    expect(emulator.requests.at(-1)?.signature).toBe('valid');
    expect(emulator.received().includes('ann.lee')).toBe(false);
  });

  it('finds a name and an address that no pattern knows', async () => {
    const answer = await client.chat.completions.create({
      model: 'any',
      messages: [
        { role: 'user', content: 'Remind Katarzyna Wojciechowska of 48 Willow Lane that rent is due.' },
      ],
    });
    expect(answer.choices[0]?.message.content).toContain('Katarzyna Wojciechowska');
    expect(emulator.received().toString()).not.toMatch(/Katarzyna|Wojciechowska|Willow/);
  });

  it('does not go to Bedrock for a page that allows the edge only', async () => {
    const before = emulator.requests.length;
    const asked = client.chat.completions.create(
      { model: 'any', messages: [{ role: 'user', content: 'hello' }] },
      { headers: { 'nearfield-privacy': 'edge' } },
    );
    await expect(asked).rejects.toBeInstanceOf(OpenAI.APIError);
    expect(emulator.requests).toHaveLength(before);
  });

  it('answers from documents in the worker, sending nothing', async () => {
    const before = emulator.requests.length;
    const answer = await client.chat.completions.create({
      model: 'any',
      messages: [{ role: 'user', content: 'When is the office open?' }],
      ...{
        privacy: 'edge',
        documents: [{ id: 'd', text: 'Cats sleep a lot. The office is open from nine to five on weekdays.' }],
      },
    });
    expect(answer.choices[0]?.message.content).toContain('nine to five');
    expect(emulator.requests).toHaveLength(before);
  });

  it('keeps its audit and its cache in remote libSQL, without the words of a redacted answer', async () => {
    const ask = async () =>
      await client.chat.completions
        .create({ model: 'any', messages: [{ role: 'user', content: 'What is a lease?' }], seed: 7 })
        .withResponse();
    expect((await ask()).response.headers.get('cache-status')).toContain('miss');
    const before = emulator.requests.length;
    expect((await ask()).response.headers.get('cache-status')).toContain('hit');
    expect(emulator.requests).toHaveLength(before);
    const rows = () => database.database.prepare('SELECT route, status, tier FROM audits').all();
    await expect.poll(() => rows().length).toBeGreaterThanOrEqual(5);
    expect(rows()).toContainEqual({ route: '/v1/chat/completions', status: 200, tier: 'bedrock' });
    expect(database.received()).not.toMatch(/lease|ann\.lee|office/);
  });

  it('answers LangChain and the AI SDK: tools by Bedrock, vectors, and leaves it when they leave', async () => {
    const connection = { apiKey: KEY, baseURL: `${workerd.url}/v1`, fetch: openly };
    const { apiKey, ...configuration } = connection;
    const model = new ChatOpenAI({ model: 'any', apiKey, configuration });
    const weather = { name: 'get_weather', description: 'Now.', schema: z.object({ city: z.string() }) };
    const bound = model.bindTools([tool(async ({ city }) => `17 degrees in ${city}`, weather)]);
    emulator.script({ kind: 'tool', name: 'get_weather', input: { city: 'Lyon' } });
    const { tool_calls } = await bound.invoke('How is Lyon?');
    expect(tool_calls).toMatchObject([{ name: 'get_weather', args: { city: 'Lyon' } }]);
    const embeddings = new OpenAIEmbeddings({ model: 'any', apiKey, configuration });
    expect((await embeddings.embedDocuments(['a', 'b'])).map(({ length }) => length)).toEqual([384, 384]);

    const provider = createOpenAICompatible({ name: 'nearfield', includeUsage: true, ...connection });
    const streamed = streamText({ model: provider('any'), prompt: 'What is a deed?' });
    expect(await streamed.text).not.toBe('');
    expect((await streamed.usage).outputTokens).toBeGreaterThan(0);
    const words = Array<string>(2000).fill('on ');
    emulator.script({ kind: 'text', deltas: words, delayMs: 20 });
    const stop = new AbortController();
    const asked = streamText({ model: provider('any'), prompt: 'Go on and on.', abortSignal: stop.signal });
    for await (const _piece of asked.textStream) stop.abort();
    // workerd notices one who has left when it writes to them.
    const newest = () => database.database.prepare('SELECT error_code FROM audits ORDER BY at_ms DESC').get();
    await expect.poll(newest).toMatchObject({ error_code: 'aborted' });
  });

  it('refuses strangers, and says that it is ready', async () => {
    const stranger = new OpenAI({ apiKey: 'sk-none', baseURL: client.baseURL, maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const health = await workerd.fetch('/healthz?ready');
    expect([health.status, await health.json()]).toMatchObject([
      200,
      { ready: true, model: 'all-minilm-l6-v2', tiers: ['device', 'bedrock'] },
    ]);
  });
});
