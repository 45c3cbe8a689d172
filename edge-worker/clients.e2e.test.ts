// What holds for LangChain and the AI SDK alike: a prompt that the cloud has refused leaves once, and the snippets of
// docs/embedding.md do what the page says, word for word.
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as aiSdkProvider from '@ai-sdk/openai-compatible';
import * as langchain from '@langchain/openai';
import * as aiSdk from 'ai';
import * as express from 'express';
import type { TierPart } from 'nearfield';
import * as nearfieldExpress from 'nearfield/edge/express';
import * as nearfieldNode from 'nearfield/node';
import { createFakeTier } from 'nearfield/tiers/fake';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { emulatorEnv, startBedrockEmulator } from '../scripts/emulators/bedrock.ts';
import { chatOpenAiOf, HOSTS, type Host, startEdgeHost } from './clients.fixture.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MODULES: Readonly<Record<string, object>> = {
  '@ai-sdk/openai-compatible': aiSdkProvider,
  '@langchain/openai': langchain,
  ai: aiSdk,
  express,
  'nearfield/edge/express': nearfieldExpress,
  'nearfield/node': nearfieldNode,
};

const AsyncFunction = (async () => {}).constructor as new (
  ...namesAndBody: string[]
) => (...values: unknown[]) => Promise<Record<string, unknown>>;

/** Runs the nth snippet under a heading with these names given, and gives back the names it defines. */
async function snippet(heading: string, nth: number, given: object, edits: Record<string, string> = {}) {
  const page = await readFile(new URL('../docs/embedding.md', import.meta.url), 'utf8');
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  let code = [...section.matchAll(/^```ts\n(.*?)^```/gms)][nth]?.[1] ?? '';
  for (const [from, to] of Object.entries(edits)) {
    expect(code).toContain(from);
    code = code.replaceAll(from, to);
  }
  const names = [...code.matchAll(/^const (?:\{ (\w+) \}|(\w+)) =/gm)].map((match) => match[1] ?? match[2]);
  const body = code.replace(/^import (\{.*\}|\w+) from '(.+)';$/gm, (_, what: string, from: string) => {
    const named = what.startsWith('{') ? what : `{ default: ${what} }`;
    return `const ${named} = modules['${from}'];`;
  });
  const run = new AsyncFunction('modules', ...Object.keys(given), `${body}\nreturn { ${names.join(', ')} };`);
  return await run(MODULES, ...Object.values(given));
}

const documents = [{ id: 'lease', text: 'The flat has two rooms. The notice period is three months.' }];
const texts = ['The office opens at nine.', 'It rains often.'];

async function hostOf(start: () => Promise<Host>): Promise<Host> {
  const host = await start();
  closing.push(host.stop);
  return host;
}

describe('the snippets of docs/embedding.md', () => {
  it('run from LangChain and the AI SDK against an edge', async () => {
    const { baseURL } = await hostOf(startEdgeHost);
    const edits = { 'https://edge.example/v1': baseURL };
    const given = { key: 'none', documents, texts };
    const heading = 'From LangChain and the AI SDK';
    const { content, vectors } = await snippet(heading, 0, given, edits);
    expect(content).toContain('three months');
    expect(vectors).toHaveLength(2);
    expect((await snippet(heading, 1, given, edits)).text).toContain('three months');
  });

  it('run from both against a runtime in the same process', async () => {
    const nearfield = await hostOf(HOSTS[1]![1]);
    const { local, model } = await snippet('From LangChain and the AI SDK', 2, { nearfield });
    const ask = { prompt: 'How long is the notice period?', providerOptions: { nearfield: { documents } } };
    const asked = aiSdk.generateText({
      ...ask,
      model: (local as aiSdkProvider.OpenAICompatibleProvider)('any'),
    });
    expect((await asked).text).toContain('three months');
    await expect((model as langchain.ChatOpenAI).invoke('Hi')).rejects.toMatchObject({ code: 'no-tier' });
  });

  it('run in an Express app, for the user who is signed in', async () => {
    const cloud = createFakeTier({ kind: 'cloud', host: 'cloud.example' });
    const signedIn: express.RequestHandler = (request, response, next) => {
      if (request.headers.authorization !== 'Bearer ann') return void response.sendStatus(401);
      Object.assign(request, { user: { id: 'ann' } });
      next();
    };
    const edits = { 'file:cache.db': ':memory:' };
    const { app, nearfield } = await snippet('In an Express app', 0, { cloud, signedIn }, edits);
    closing.push(() => (nearfield as nearfieldNode.NodeRuntime).close());
    const server = createServer(app as RequestListener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ai/v1`;
    const ask = { model: 'any', messages: [{ role: 'user' as const, content: 'Hi' }], ...{ documents } };
    const clientOf = (apiKey: string) => new OpenAI({ apiKey, baseURL, maxRetries: 0 });
    const answer = await clientOf('ann').chat.completions.create(ask);
    expect(answer.choices[0]?.message.content).toEqual(expect.any(String));
    await expect(clientOf('bob').chat.completions.create(ask)).rejects.toMatchObject({ status: 401 });
    const other = clientOf('ann').chat.completions.create({ ...ask, ...{ scope: 'bob' } });
    await expect(other).rejects.toMatchObject({ status: 400, param: 'scope' });
  });
});

describe('a kept answer', () => {
  it('comes to both as the first did, text and tool calls, whole and streamed', async () => {
    const script: readonly TierPart[] = [
      { type: 'text-delta', text: 'Let me look.' },
      { type: 'tool-call-delta', index: 0, id: 'call_1', name: 'now', argumentsText: '{"zone":' },
      { type: 'tool-call-delta', index: 0, argumentsText: '"CET"}' },
      { type: 'finish', finishReason: 'tool_calls', usage: { promptTokens: 3, completionTokens: 5 } },
    ];
    const tier = createFakeTier({ script });
    const { baseURL, fetch } = await hostOf(() => startEdgeHost({ tiers: [tier] }));
    const parameters = { type: 'object', properties: { zone: { type: 'string' } } };
    const tools = [
      { type: 'function' as const, function: { name: 'now', description: 'The time.', parameters } },
    ];
    const model = new langchain.ChatOpenAI({
      model: 'any',
      apiKey: 'none',
      configuration: { baseURL, fetch },
    });
    const bound = model.bindTools(tools);
    const first = await bound.invoke('What time is it?');
    const again = await bound.invoke('What time is it?');
    const chunks = await Array.fromAsync(await bound.stream('What time is it?'));
    const streamed = chunks.reduce((all, chunk) => all.concat(chunk));
    for (const { content, tool_calls, usage_metadata } of [first, again, streamed]) {
      expect(content).toBe('Let me look.');
      expect(tool_calls).toMatchObject([{ name: 'now', args: { zone: 'CET' }, id: 'call_1' }]);
      expect(usage_metadata).toMatchObject({ input_tokens: 3, output_tokens: 5 });
    }
    expect(tier.calls).toHaveLength(1);

    const provider = aiSdkProvider.createOpenAICompatible({ name: 'nearfield', baseURL, fetch });
    const ask = { model: provider('any'), prompt: 'And what day?' };
    const made = await aiSdk.generateText(ask);
    const kept = await aiSdk.generateText(ask);
    expect(made.response.headers?.['cache-status']).toMatch(/fwd=miss/);
    expect(kept.response.headers?.['cache-status']).toMatch(/hit/);
    expect([kept.text, kept.toolCalls]).toEqual([made.text, made.toolCalls]);
    expect(await aiSdk.streamText(ask).text).toBe(made.text);
    expect(tier.calls).toHaveLength(2);
  });
});

describe('a prompt that the cloud has refused', () => {
  const REFUSALS = [
    [400, 'ValidationException'],
    [403, 'AccessDeniedException'],
    [404, 'ResourceNotFoundException'],
  ] as const;
  const clients: readonly (readonly [string, (host: Host) => Promise<unknown>])[] = [
    ['LangChain', async (host) => await chatOpenAiOf(host).invoke('Hi')],
    ['LangChain, streamed', async (host) => await chatOpenAiOf(host).stream('Hi')],
    [
      'the AI SDK',
      async ({ baseURL, fetch }) => {
        const provider = aiSdkProvider.createOpenAICompatible({ name: 'nearfield', baseURL, fetch });
        return await aiSdk.generateText({ model: provider('any'), prompt: 'Hi' });
      },
    ],
  ];
  it.each(clients)('by %s leaves the edge once', async (_name, ask) => {
    const emulator = await startBedrockEmulator();
    closing.push(emulator.stop);
    const env = emulatorEnv(emulator.url, 'anthropic.claude-emulated');
    const host = await hostOf(() => startEdgeHost({ env }));
    for (const [at, [status, type]] of REFUSALS.entries()) {
      emulator.script({ kind: 'error', status, type });
      await expect(ask(host)).rejects.toThrow();
      expect(emulator.requests).toHaveLength(at + 1);
      expect(host.asked).toHaveLength(at + 1);
    }
  });
});
