import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import type { Receipt, Tier, TierPart } from 'nearfield';
import { verifyReceipts } from 'nearfield/policy';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { createApiKey, hashApiKey } from './keys.ts';
import { type RunningEdge, type StartEdgeOptions, startEdge } from './node.ts';

const KEY = createApiKey();
const env = { NEARFIELD_API_KEYS: `acme:${await hashApiKey(KEY)}`, NEARFIELD_POLICY: 'open' };

/** A tier in this process whose answer waits for its signal when told to. */
function createSlowTier(): Tier & { readonly entered: Promise<void>; readonly left: Promise<void> } {
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  return {
    id: 'slow',
    kind: 'device',
    entered,
    left,
    can: (request) => request.documents === undefined,
    async *stream(request, { signal }): AsyncGenerator<TierPart> {
      yield { type: 'text-delta', text: 'one ' };
      if (request.model === 'hang') {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            leave();
            reject(signal.reason);
          });
          enter();
        });
      }
      yield { type: 'text-delta', text: 'two' };
      yield { type: 'finish', finishReason: 'stop', usage: { promptTokens: 1, completionTokens: 2 } };
    },
  };
}

let running: RunningEdge | undefined;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edge-node-'));
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await rm(folder, { recursive: true });
});

async function start(options: StartEdgeOptions = {}): Promise<OpenAI> {
  running = await startEdge({
    port: 0,
    env,
    embedder: createFakeEmbedder(),
    tiers: [createSlowTier()],
    ...options,
  });
  return new OpenAI({ apiKey: KEY, baseURL: `${running.url}/v1`, maxRetries: 0 });
}

describe('the OpenAI SDK, unchanged', () => {
  it('chats, streams, embeds and lists', async () => {
    const client = await start();
    const messages = [{ role: 'user' as const, content: 'hello' }];
    const whole = await client.chat.completions.create({ model: 'any', messages });
    expect(whole.choices[0]?.message.content).toBe('one two');
    expect(whole._request_id).toMatch(/^[0-9a-f-]{36}$/);
    const stream = await client.chat.completions.create({
      model: 'any',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let total = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      total = chunk.usage?.total_tokens ?? total;
    }
    expect([text, total]).toEqual(['one two', 3]);
    const embedded = await client.embeddings.create({ model: 'any', input: ['a b', 'c'] });
    expect(embedded.data.map((entry) => entry.embedding.length)).toEqual([128, 128]);
    const models = await client.models.list();
    expect(models.data.map((model) => model.id)).toContain('fake-embedder');
  });

  it('gets its own error classes for every refusal', async () => {
    const client = await start({ env: { ...env, NEARFIELD_REQUESTS_PER_MINUTE: '2' } });
    const stranger = new OpenAI({ apiKey: 'sk-no', baseURL: client.baseURL, maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(client.chat.completions.create({ model: 'x', messages: [] })).rejects.toBeInstanceOf(
      OpenAI.BadRequestError,
    );
    await client.models.list();
    await expect(client.models.list()).rejects.toBeInstanceOf(OpenAI.RateLimitError);
  });

  it('answers from documents on the edge itself, and from the cache the second time', async () => {
    const client = await start();
    const ask = async (scope: string) =>
      (await client.chat.completions.create({
        model: 'any',
        messages: [{ role: 'user', content: 'When does the office open?' }],
        // The edge's own fields, beside OpenAI's.
        ...{ documents: [{ id: 'd', text: 'The office opens at nine. It rains often.' }], scope },
      })) as OpenAI.ChatCompletion & { nearfield: { cache: { status: string } } };
    expect((await ask('one')).nearfield.cache.status).toBe('miss');
    expect((await ask('one')).nearfield.cache.status).toBe('hit');
    expect((await ask('two')).nearfield.cache.status).toBe('miss');
    expect(await running!.edge.erase('acme', 'one')).toBe(1);
    expect((await ask('one')).nearfield.cache.status).toBe('miss');
    expect((await ask('two')).nearfield.cache.status).toBe('hit');
  });
});

describe('a client that goes away', () => {
  it('stops the tier at work, and the audit says so', async () => {
    const tier = createSlowTier();
    const client = await start({ tiers: [tier] });
    const stream = await client.chat.completions.create({
      model: 'hang',
      messages: [{ role: 'user', content: 'hello' }],
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'one ') break;
    await tier.left;
    await expect
      .poll(async () => (await running!.edge.audit.recent(1))[0])
      .toMatchObject({ errorCode: 'aborted', route: '/v1/chat/completions' });
  });

  it('stops the tier at work when its socket is cut before an unstreamed answer', async () => {
    const tier = createSlowTier();
    await start({ tiers: [tier] });
    const socket = httpRequest(`${running!.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    });
    socket.on('error', () => {});
    socket.end(JSON.stringify({ model: 'hang', messages: [{ role: 'user', content: 'hello' }] }));
    await tier.entered;
    socket.destroy();
    await tier.left;
  });
});

/** A request as no client sends it: any bytes, any headers, a socket in the test's own hands. */
function raw(bytes: readonly (string | Uint8Array)[], headers: Record<string, string> = {}) {
  const socket = httpRequest(`${running!.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    socket.on('response', resolve);
    socket.on('error', reject);
  });
  for (const chunk of bytes) socket.write(chunk);
  return { socket, answer };
}

describe('over a real socket', () => {
  it('takes a byte order mark, a charset and a body in pieces cut inside a character', async () => {
    await start();
    const body = Buffer.from(
      `\ufeff${JSON.stringify({ messages: [{ role: 'user', content: 'Grüße 🌍' }] })}`,
    );
    const pieces = Array.from({ length: Math.ceil(body.length / 3) }, (_, at) =>
      body.subarray(at * 3, at * 3 + 3),
    );
    const { socket, answer } = raw(pieces, { 'content-type': 'application/json; charset=utf-8' });
    socket.end();
    const response = await answer;
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  it('refuses a body too large by its status, though most of it is still on its way', async () => {
    const client = await start();
    const content = 'x'.repeat(24 * 1024 * 1024);
    const asked = client.chat.completions.create({ model: 'any', messages: [{ role: 'user', content }] });
    await expect(asked).rejects.toMatchObject({ status: 413, code: 'payload-too-large' });
    const chunk = content.slice(0, 1024 * 1024);
    const { socket, answer } = raw(Array<string>(8).fill(chunk), { 'transfer-encoding': 'chunked' });
    socket.end();
    const response = await answer;
    expect(response.statusCode).toBe(413);
    response.resume();
  });

  it('keeps connections longer than what stands before it does, so that none is reused as it closes', async () => {
    await start();
    const response = await fetch(`${running!.url}/healthz`);
    expect(response.headers.get('keep-alive')).toBe('timeout=75');
  });

  it('answers a body nested beyond reason without falling over', async () => {
    await start();
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const schema = `{"type":"object","default":${deep}}`;
    for (const [status, body] of [
      [400, deep],
      [400, `{"messages":${deep}}`],
      // Too deep to look through, so it stays where it is.
      [
        200,
        `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`,
      ],
    ] as const) {
      const { socket, answer } = raw([body]);
      socket.end();
      const response = await answer;
      expect(response.statusCode).toBe(status);
      response.resume();
    }
    expect((await fetch(`${running!.url}/healthz`)).status).toBe(200);
  });

  it('stops making an answer that its reader does not read, and drops it when the reader goes', async () => {
    let made = 0;
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const eager: Tier = {
      id: 'eager',
      kind: 'device',
      can: () => true,
      async *stream(): AsyncGenerator<TierPart> {
        try {
          for (;;) {
            made += 1;
            yield { type: 'text-delta', text: 'x'.repeat(64 * 1024) };
          }
        } finally {
          leave();
        }
      },
    };
    await start({ tiers: [eager] });
    const { socket, answer } = raw([
      JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], stream: true }),
    ]);
    socket.end();
    const response = await answer;
    response.pause();
    let before = -1;
    // The kernel's buffers fill first; after that nothing more is made.
    await expect
      .poll(
        () => {
          const still = made > 0 && made === before;
          before = made;
          return still;
        },
        { interval: 300, timeout: 10_000 },
      )
      .toBe(true);
    expect(made * 64).toBeLessThan(32 * 1024);
    socket.destroy();
    await left;
  });

  it('stops the tier of a body in pieces too, when its socket is cut', async () => {
    const tier = createSlowTier();
    await start({ tiers: [tier] });
    const body = JSON.stringify({ model: 'hang', messages: [{ role: 'user', content: 'hello' }] });
    const { socket, answer } = raw([body.slice(0, 9), body.slice(9)], { 'transfer-encoding': 'chunked' });
    answer.catch(() => {});
    socket.end();
    await tier.entered;
    socket.destroy();
    await tier.left;
  });

  it('forgets a request whose body never came whole', async () => {
    const client = await start();
    for (let time = 0; time < 17; time += 1) {
      const { socket, answer } = raw(['{"messages":'], { 'transfer-encoding': 'chunked' });
      answer.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    await expect
      .poll(async () => (await client.models.list().catch(() => undefined))?.data.length)
      .toBeGreaterThan(0);
  });
});

describe('what is kept', () => {
  it('is in files, over a restart, with the chain of receipts whole', async () => {
    const first = await start({ dataFolder: folder });
    await first.embeddings.create({ model: 'any', input: 'a' });
    await running!.stop();
    const second = await start({ dataFolder: folder });
    await second.chat.completions.create({ model: 'any', messages: [{ role: 'user', content: 'hi' }] });
    await expect.poll(async () => (await running!.edge.audit.recent(9)).length).toBe(2);
    const receipts = await running!.edge.receipts();
    expect(receipts).toHaveLength(2);
    expect(await verifyReceipts(receipts)).toMatchObject({ ok: true });
  });
});

describe('receipts', () => {
  const other = createApiKey();
  type Told = OpenAI.ChatCompletion & { nearfield: { receipt: Receipt } };

  it('tell a tenant of its own requests alone, in a chain of its own, over a restart and an erasure', async () => {
    const keys = {
      ...env,
      NEARFIELD_API_KEYS: `${env.NEARFIELD_API_KEYS},initech:${await hashApiKey(other)}`,
    };
    const clients = async () => {
      const acme = await start({ dataFolder: folder, env: keys });
      return { acme, initech: new OpenAI({ apiKey: other, baseURL: acme.baseURL, maxRetries: 0 }) };
    };
    const ask = async (client: OpenAI, scope: string) => {
      const params = { model: 'any', messages: [{ role: 'user' as const, content: 'hi' }], ...{ scope } };
      return ((await client.chat.completions.create(params)) as Told).nearfield.receipt;
    };
    const { acme, initech } = await clients();
    const first = await ask(initech, 'ann');
    for (const scope of ['ann', 'bob', 'ann']) await ask(acme, scope);
    await acme.embeddings.create({ model: 'any', input: 'a' });
    const second = await ask(initech, 'ann');
    expect([first.sequence, second.sequence]).toEqual([1, 2]);
    expect(second.previous).toBe(first.hash);
    await running!.edge.erase('acme', 'ann');
    await running!.stop();

    const third = await ask((await clients()).initech, 'bob');
    expect(await verifyReceipts([first, second, third])).toMatchObject({
      ok: true,
      first: 1,
      head: third.hash,
    });
    expect(await running!.edge.receipts('initech')).toEqual([first, second, third]);
    const acmes = await running!.edge.receipts('acme');
    expect(acmes.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(JSON.stringify(acmes)).not.toMatch(/ann|bob|initech/);
    expect(await verifyReceipts(await running!.edge.receipts())).toMatchObject({ ok: true, count: 7 });
  });
});

describe('a database that fails', () => {
  it('is told of by its receipts, which are then kept in memory', async () => {
    const client = await start({ dataFolder: folder });
    const messages = [{ role: 'user' as const, content: 'hi' }];
    const health = async () => (await (await fetch(`${running!.url}/healthz`)).json()) as object;
    await client.chat.completions.create({ model: 'any', messages });
    expect(await health()).toMatchObject({ receiptsDurable: true });
    // Nothing else writes by then.
    await expect.poll(async () => (await running!.edge.audit.recent(9)).length).toBe(1);
    const files = (await readdir(folder)).filter((name) => name.endsWith('.db'));
    for (const name of files) {
      const database = createClient({ url: `file:${join(folder, name)}` });
      await database.execute('PRAGMA busy_timeout = 30000');
      await database.execute('DROP TABLE IF EXISTS receipt_chains');
      database.close();
    }
    const { choices } = await client.chat.completions.create({ model: 'other', messages });
    expect(choices[0]?.message.content).toBe('one two');
    expect(await health()).toMatchObject({ receiptsDurable: false });
  });
});

describe('pages', () => {
  it('are served beside the API, isolated, from their folder alone', async () => {
    const pages = join(folder, 'site');
    await mkdir(join(pages, 'assets'), { recursive: true });
    await writeFile(join(pages, 'index.html'), '<h1>here</h1>');
    await writeFile(join(pages, 'assets', 'a-1.wasm'), 'wasm');
    await writeFile(join(folder, 'secret.txt'), 'no');
    const client = await start({ pages });
    const { url } = running!;
    const page = await fetch(`${url}/`);
    expect(await page.text()).toBe('<h1>here</h1>');
    expect(page.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
    expect(page.headers.get('content-security-policy')).toBeNull();
    const asset = await fetch(`${url}/assets/a-1.wasm`);
    expect(asset.headers.get('content-type')).toBe('application/wasm');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    for (const path of ['/..%2fsecret.txt', '/%2e%2e/secret.txt', '/nothing.js']) {
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    }
    expect((await client.models.list()).data.length).toBeGreaterThan(0);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/v1/chat/completions`)).status).toBe(401);
  });
});

describe('settings', () => {
  it('refuse to listen beyond this machine without keys', async () => {
    await expect(
      startEdge({ env: {}, host: '0.0.0.0', embedder: createFakeEmbedder() }),
    ).rejects.toMatchObject({
      code: 'invalid-request',
      param: 'NEARFIELD_API_KEYS',
    });
  });

  it('refuse values they do not know, naming the setting and not the value', async () => {
    const bad: Readonly<Record<string, string>> = {
      NEARFIELD_POLICY: 'lenient-XYZ',
      NEARFIELD_ORIGINS: 'https://app.example/path-XYZ',
      NEARFIELD_REQUESTS_PER_MINUTE: 'XYZ',
      NEARFIELD_API_KEYS: 'XYZ',
      NEARFIELD_BEDROCK_MODEL: 'XYZ',
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: 'XYZ',
    };
    for (const [name, value] of Object.entries(bad)) {
      const failure = await startEdge({ env: { [name]: value }, embedder: createFakeEmbedder() }).catch(
        (error: Error) => error,
      );
      expect(failure).toMatchObject({ code: 'invalid-request', param: name });
      expect((failure as Error).message).not.toContain('XYZ');
    }
  });
});
