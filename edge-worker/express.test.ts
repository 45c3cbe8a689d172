// Nearfield inside an Express app, over real sockets, with parsers before it as apps have them.
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import express from 'express';
import { createRuntime, type Tier, type TierPart } from 'nearfield';
import { createApp } from 'nearfield/edge';
import { expressHandler } from 'nearfield/edge/express';
import { createEgress, createPolicy, createReceiptBook } from 'nearfield/policy';
import { createFakeTier, type FakeTier } from 'nearfield/tiers/fake';
import OpenAI from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { createFakeRuntime } from './fake-runtime.fixture.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(app: RequestListener): Promise<string> {
  const server = createServer(app);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function runtimeOn(tier: Tier = createFakeTier()) {
  return createRuntime({
    tiers: [tier],
    policy: createPolicy('open'),
    egress: createEgress({ allowHosts: [] }),
    receipts: createReceiptBook(),
    embedder: createFakeEmbedder(),
  });
}

const clientOf = (baseURL: string) => new OpenAI({ apiKey: 'none', baseURL, maxRetries: 0 });
const messages = [{ role: 'user' as const, content: 'Grüße 🌍' }];
const ask = { model: 'any', messages };
const promptOf = (tier: FakeTier) => tier.calls.at(-1)?.request.messages;

describe('a runtime in an Express app', () => {
  it('answers under the path it is mounted at, whole and streamed, embeds and lists', async () => {
    const tier = createFakeTier();
    const app = express();
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const client = clientOf(`${await listen(app)}/ai/v1`);
    const whole = await client.chat.completions.create(ask);
    expect(whole.choices[0]?.message.content).toBe('Fake answer.');
    expect(promptOf(tier)).toEqual(messages);
    let text = '';
    for await (const { choices } of await client.chat.completions.create({ ...ask, stream: true })) {
      text += choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('Fake answer.');
    expect((await client.embeddings.create({ model: 'any', input: 'a' })).data[0]?.embedding).toHaveLength(
      128,
    );
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('fake-device');
  });

  it.each(['/', '/v1', '/api/v1', '/deep/down'])('answers when mounted at %s', async (mount) => {
    const app = express();
    app.use(mount, expressHandler(runtimeOn()));
    app.get('/healthz', (_request, response) => void response.send('the app’s own'));
    const url = await listen(app);
    const base = mount.endsWith('/v1') ? mount : `${mount === '/' ? '' : mount}/v1`;
    expect((await clientOf(`${url}${base}`).models.list()).data).toHaveLength(2);
    expect(await (await fetch(`${url}/healthz`)).text()).toBe('the app’s own');
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  });

  it('lets the app say whose request it is, by a header that no client can change', async () => {
    const tier = createFakeTier();
    const app = express();
    app.use('/ai', (request, _response, next) => {
      request.headers['nearfield-scope'] = 'ann';
      delete request.headers['nearfield-cache'];
      next();
    });
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const client = clientOf(`${await listen(app)}/ai/v1`);
    await client.chat.completions.create(ask, {
      headers: { 'nearfield-scope': 'bob', 'nearfield-cache': 'nonsense' },
    });
    expect(tier.calls.at(-1)?.request.scope).toBe('ann');
    const other = client.chat.completions.create({ ...ask, ...{ scope: 'bob' } });
    await expect(other).rejects.toMatchObject({ status: 400, param: 'scope' });
  });

  it.each([undefined, null])('answers nobody for whom the app sets the scope %s', async (scope) => {
    const tier = createFakeTier();
    const app = express();
    app.use('/ai', (request, _response, next) => {
      Object.assign(request.headers, { 'nearfield-scope': scope });
      next();
    });
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const client = clientOf(`${await listen(app)}/ai/v1`);
    const asked = client.chat.completions.create(
      { ...ask, user: 'bob' },
      { headers: { 'nearfield-scope': 'bob' } },
    );
    await expect(asked).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining('nearfield-scope'),
    });
    expect(tier.calls).toHaveLength(0);
  });

  it('leaves the process its own Request and Response', async () => {
    const { Request: before, Response: answerBefore } = globalThis;
    expressHandler(runtimeOn());
    expect([globalThis.Request, globalThis.Response]).toEqual([before, answerBefore]);
  });
});

describe('a body that was read before', () => {
  it.each([
    ['express.json()', express.json()],
    ['express.text()', express.text({ type: 'application/json' })],
    ['express.raw()', express.raw({ type: 'application/json' })],
  ])('by %s is taken as it was read', async (_name, parser) => {
    const tier = createFakeTier();
    const app = express();
    app.use(parser);
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const url = `${await listen(app)}/ai/v1`;
    await clientOf(url).chat.completions.create(ask);
    expect(promptOf(tier)).toEqual(messages);
    const squeezed = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify({ ...ask, user: 'zip' })),
    });
    expect(squeezed.status).toBe(200);
    expect(tier.calls.at(-1)?.request.user).toBe('zip');
  });

  const keepsBytes = express.json({
    verify: (request, _response, bytes) => void Object.assign(request, { rawBody: bytes }),
  });
  it.each([undefined, {}])(
    'is taken by its bytes where a hook has kept them and nothing else: %o',
    async (left) => {
      const tier = createFakeTier();
      const app = express();
      app.use(keepsBytes);
      app.use((request, _response, next) => {
        request.body = left;
        next();
      });
      app.use('/ai', expressHandler(runtimeOn(tier)));
      await clientOf(`${await listen(app)}/ai/v1`).chat.completions.create(ask);
      expect(promptOf(tier)).toEqual(messages);
    },
  );

  it('counts as the app has changed it, though a hook has kept the bytes that came', async () => {
    const tier = createFakeTier();
    const app = express();
    app.use(keepsBytes);
    app.use((request, _response, next) => {
      request.body.privacy = 'device';
      delete request.body.stop;
      next();
    });
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const wide = { ...ask, stop: ['x'], ...{ privacy: 'cloud' } };
    await clientOf(`${await listen(app)}/ai/v1`).chat.completions.create(wide);
    expect(tier.calls[0]?.request).toMatchObject({ privacy: 'device' });
    expect(tier.calls[0]?.request.stop).toBeUndefined();
  });

  it('and left nowhere is refused in words that say what to do', async () => {
    const app = express();
    app.use((request, _response, next) => {
      request.resume().on('end', next);
    });
    app.use('/ai', expressHandler(runtimeOn()));
    const asked = clientOf(`${await listen(app)}/ai/v1`).chat.completions.create(ask);
    await expect(asked).rejects.toMatchObject({
      status: 500,
      message: expect.stringContaining('Mount Nearfield before'),
    });
  });

  it('is not looked for in the empty object that Express 4 sets, read or not', async () => {
    const tier = createFakeTier();
    const handler = expressHandler(runtimeOn(tier));
    const url = await listen((request, response) => {
      Object.assign(request, { body: {} });
      handler(request, response, () => response.writeHead(404).end());
    });
    await clientOf(`${url}/v1`).chat.completions.create(ask);
    expect(promptOf(tier)).toEqual(messages);
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });

  it('or not, is JSON or refused: a form of another site cannot send that', async () => {
    const tier = createFakeTier();
    const app = express();
    app.use(express.urlencoded({ extended: true }), express.text());
    app.use('/ai', expressHandler(runtimeOn(tier)));
    const url = `${await listen(app)}/ai/v1/chat/completions`;
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', 'messages[0][role]=user&messages[0][content]=x'],
      ['text/plain', JSON.stringify(ask)],
    ] as const) {
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body });
      expect(response.status).toBe(415);
    }
    expect(tier.calls).toHaveLength(0);
  });
});

describe('over a real socket', () => {
  it('answers over HTTP/2 as well', async () => {
    const tier = createFakeTier();
    const handler = expressHandler(runtimeOn(tier)) as unknown as (...of: unknown[]) => void;
    const server = http2.createServer((request, response) =>
      handler(request, response, () => response.end()),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const path = '/v1/chat/completions';
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/json' };
    const asked = session.request(headers);
    asked.end(JSON.stringify(ask));
    expect(await json(asked)).toMatchObject({ choices: [{ message: { content: 'Fake answer.' } }] });
    expect(promptOf(tier)).toEqual(messages);
    session.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('refuses a body too large by its status, though most of it is still on its way', async () => {
    const app = express();
    app.use('/ai', expressHandler(runtimeOn()));
    const content = 'x'.repeat(24 * 1024 * 1024);
    const asked = clientOf(`${await listen(app)}/ai/v1`).chat.completions.create({
      model: 'any',
      messages: [{ role: 'user', content }],
    });
    await expect(asked).rejects.toMatchObject({ status: 413, code: 'payload-too-large' });
  });

  it('stops the tier when its client leaves, before the answer and in the midst of it, without a word', async () => {
    const printed = vi.spyOn(console, 'error').mockReturnValue();
    for (const parsers of [[], [express.json()]]) {
      for (const deltas of [0, 1]) {
        const tier = createFakeTier({
          script: [...Array<TierPart>(deltas).fill({ type: 'text-delta', text: 'one' }), { type: 'hang' }],
        });
        const app = express();
        app.use('/ai', ...parsers, expressHandler(runtimeOn(tier)));
        const client = clientOf(`${await listen(app)}/ai/v1`);
        const stop = new AbortController();
        const asked = client.chat.completions.create({ ...ask, stream: true }, { signal: stop.signal });
        if (deltas > 0) for await (const { choices } of await asked) if (choices[0]?.delta.content) break;
        await expect.poll(() => tier.calls.length).toBe(1);
        if (deltas === 0) {
          stop.abort();
          await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
        }
        await expect.poll(() => tier.calls[0]?.outcome).toBe('aborted');
      }
    }
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });

  it('makes no more than the socket takes while its reader does not read', async () => {
    const PART_BYTES = 64 * 1024;
    const MOST_AHEAD = (24 * 1024 * 1024) / PART_BYTES;
    let made = 0;
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const endless: Tier = {
      id: 'endless',
      kind: 'device',
      can: () => true,
      async *stream(): AsyncGenerator<TierPart> {
        try {
          for (;;) {
            made += 1;
            yield { type: 'text-delta', text: 'x'.repeat(PART_BYTES) };
          }
        } finally {
          leave();
        }
      },
    };
    const app = express();
    app.use('/ai', express.json(), expressHandler(runtimeOn(endless)));
    const url = `${await listen(app)}/ai/v1/chat/completions`;
    const socket = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json' } });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      socket.on('response', resolve).on('error', reject);
    });
    socket.end(JSON.stringify({ ...ask, stream: true }));
    const response = await answer;
    // As many turns as an answer made without end would need to get far ahead of the sockets' buffers.
    for (let waited = 0; waited < 20 * MOST_AHEAD; waited += 1) await turn();
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(MOST_AHEAD);
    response.destroy();
    await left;
  });
});

describe('methods', () => {
  it('are those of the API, each with its answer', async () => {
    const app = express();
    app.use('/ai', expressHandler(runtimeOn()));
    const url = `${await listen(app)}/ai/v1`;
    const statusOf = async (method: string, path: string): Promise<number | undefined> =>
      await new Promise((resolve, reject) => {
        const asked = httpRequest(`${url}${path}`, { method }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        });
        asked.on('error', reject).end();
      });
    expect(await statusOf('HEAD', '/models')).toBe(200);
    expect(await statusOf('GET', '/chat/completions')).toBe(405);
    expect(await statusOf('DELETE', '/chat/completions')).toBe(405);
    expect(await statusOf('TRACE', '/models')).toBe(405);
    expect(await statusOf('POST', '/embeddings')).toBe(415);
  });
});

describe('an edge in an Express app', () => {
  it('lets the pages that it lists in, preflight and all', async () => {
    const origins = ['https://app.example'];
    const edge = createApp({ runtime: createFakeRuntime(), auth: { mode: 'loopback' }, origins });
    const app = express();
    app.use('/ai', expressHandler(edge));
    const url = `${await listen(app)}/ai/v1/chat/completions`;
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const preflight = await fetch(url, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });

  it('keeps its own doors: keys, health, and names of this machine alone without keys', async () => {
    const edge = createApp({ runtime: createFakeRuntime(), auth: { mode: 'loopback' } });
    const app = express();
    app.use('/unparsed', expressHandler(edge));
    app.use(express.json());
    app.use('/ai', expressHandler(edge));
    const url = await listen(app);
    expect((await clientOf(`${url}/ai/v1`).chat.completions.create(ask)).choices[0]?.message.content).toBe(
      'Hello',
    );
    expect(await (await fetch(`${url}/ai/healthz?ready`)).json()).toMatchObject({ status: 'live' });
    const body = new Blob([JSON.stringify(ask)]).stream();
    const pieces = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' };
    for (const mount of ['ai', 'unparsed']) {
      const [one, other] = pieces.body.tee();
      pieces.body = other;
      const answered = await fetch(`${url}/${mount}/v1/chat/completions`, { ...pieces, body: one });
      expect(answered.status).toBe(200);
    }
    const strange = await new Promise<IncomingMessage>((resolve) => {
      httpRequest(`${url}/ai/v1/models`, { headers: { host: 'evil.example' } }, resolve).end();
    });
    expect(strange.resume().statusCode).toBe(403);

    const locked = createApp({ runtime: createFakeRuntime(), auth: { mode: 'keys', keys: [] } });
    const door = express();
    door.use('/ai', expressHandler(locked));
    await expect(clientOf(`${await listen(door)}/ai/v1`).models.list()).rejects.toMatchObject({
      status: 401,
    });
  });
});
