import fc from 'fast-check';
import { NearfieldError } from 'nearfield';
import { createCollector, createMemoryCollectorStore, encodeReport } from 'nearfield/telemetry';
import { describe, expect, it } from 'vitest';
import { createApp, type EdgeDeps } from './app.ts';
import { createMemoryAuditLog } from './audit.ts';
import { createFakeRuntime, type FakeRuntime } from './fake-runtime.fixture.ts';
import { type ApiKey, createApiKey, hashApiKey, parseApiKeys } from './keys.ts';

const KEY_A = createApiKey();
const KEY_B = createApiKey();
const keys: readonly ApiKey[] = [
  { tenant: 'a', hash: await hashApiKey(KEY_A) },
  { tenant: 'b', hash: await hashApiKey(KEY_B), farthest: 'edge' },
];

function setUp(changes: Partial<EdgeDeps> = {}, runtime: FakeRuntime = createFakeRuntime()) {
  const audit = createMemoryAuditLog();
  const app = createApp({ runtime, auth: { mode: 'keys', keys }, audit, ...changes });
  return { app, runtime, audit };
}

function chat(body: unknown, options: { key?: string; headers?: Record<string, string> } = {}): RequestInit {
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${options.key ?? KEY_A}`,
      ...options.headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  };
}

const HELLO = { messages: [{ role: 'user', content: 'hello' }] };

interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly code: string | null };
}

async function errorOf(response: Response): Promise<ErrorBody['error']> {
  return ((await response.json()) as ErrorBody).error;
}

describe('answers', () => {
  it('answers a chat, whole and streamed', async () => {
    const { app } = setUp();
    const whole = await app.request('/v1/chat/completions', chat(HELLO));
    expect(whole.status).toBe(200);
    expect(await whole.json()).toMatchObject({ choices: [{ message: { content: 'Hello' } }] });
    const streamed = await app.request('/v1/chat/completions', chat({ ...HELLO, stream: true }));
    expect(streamed.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await streamed.text()).toMatch(/"Hel".*"lo".*\[DONE\]/s);
  });

  it('embeds, lists models and says how it is', async () => {
    const { app } = setUp({
      health: () => ({ ready: false, model: 'm', backend: 'kernel', tiers: ['device'] }),
    });
    const embedded = await app.request('/v1/embeddings', chat({ model: 'm', input: 'hi' }));
    expect(await embedded.json()).toMatchObject({ data: [{ index: 0 }] });
    const models = await app.request('/v1/models', { headers: { authorization: `Bearer ${KEY_A}` } });
    expect(await models.json()).toMatchObject({ data: [{ id: 'fake' }] });
    expect((await app.request('/healthz')).status).toBe(200);
    const ready = await app.request('/healthz?ready');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ status: 'live', ready: false, backend: 'kernel' });
  });
});

describe('refusals, in the shape of the OpenAI API', () => {
  const bad: readonly [string, string, RequestInit, number, string][] = [
    ['no key', '/v1/chat/completions', { method: 'POST' }, 401, 'invalid_api_key'],
    ['a wrong key', '/v1/chat/completions', chat(HELLO, { key: createApiKey() }), 401, 'invalid_api_key'],
    [
      'another scheme',
      '/v1/chat/completions',
      chat(HELLO, { headers: { authorization: 'Basic abc' } }),
      401,
      'invalid_api_key',
    ],
    ['malformed JSON', '/v1/chat/completions', chat('{"messages": ['), 400, 'invalid-request'],
    [
      'another content type',
      '/v1/chat/completions',
      chat(HELLO, { headers: { 'content-type': 'text/plain' } }),
      415,
      'invalid-request',
    ],
    ['no messages', '/v1/chat/completions', chat({ messages: 'hi' }), 400, 'invalid-request'],
    [
      'an unknown privacy',
      '/v1/chat/completions',
      chat(HELLO, { headers: { 'nearfield-privacy': 'moon' } }),
      400,
      'invalid-request',
    ],
    [
      'a wrong method',
      '/v1/chat/completions',
      { method: 'DELETE', headers: { authorization: `Bearer ${KEY_A}` } },
      405,
      'invalid-request',
    ],
    ['an unknown path', '/v1/completions', chat(HELLO), 404, 'invalid-request'],
    ['a path outside', '/wp-admin', {}, 404, 'invalid-request'],
    [
      'a body too large',
      '/v1/chat/completions',
      chat({ messages: [{ role: 'user', content: 'x'.repeat(2000) }] }),
      413,
      'payload-too-large',
    ],
  ];
  it.each(bad)('refuses %s', async (_name, path, init, status, code) => {
    const { app } = setUp({ limits: { bodyBytes: 1000 } });
    const response = await app.request(path, init);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatchObject({ code, message: expect.any(String) });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses a body too large that does not say its length', async () => {
    const { app } = setUp({ limits: { bodyBytes: 1000 } });
    const chunk = new TextEncoder().encode('x'.repeat(600));
    const body = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 3; i += 1) controller.enqueue(chunk);
        controller.close();
      },
    });
    const init = { ...chat(''), body, duplex: 'half' };
    expect((await app.request('/v1/chat/completions', init)).status).toBe(413);
  });

  it('never says what an unexpected error said', async () => {
    const { app } = setUp({}, createFakeRuntime({ fail: new Error('leaks alice@example.com') }));
    const response = await app.request('/v1/chat/completions', chat(HELLO));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('alice');
  });

  it('maps the runtime’s own failures', async () => {
    const fail = new NearfieldError('no-tier', 'No tier may answer.');
    const { app, audit } = setUp({}, createFakeRuntime({ fail }));
    const response = await app.request('/v1/chat/completions', chat(HELLO));
    expect(response.status).toBe(400);
    await response.text();
    await expect.poll(() => audit.recent(1)).toMatchObject([{ status: 400, errorCode: 'no-tier' }]);
  });
});

describe('scopes and privacy', () => {
  it('keeps every caller under its own tenant, whatever it sends', async () => {
    const { app, runtime } = setUp({ limits: { requestsPerMinute: 1_000_000 } });
    const sub = fc.option(fc.string({ minLength: 1, maxLength: 100 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(sub, sub, fc.boolean(), async (scope, user, isA) => {
        const key = isA ? KEY_A : KEY_B;
        const init = chat({ ...HELLO, scope, user, tenant: 'b' }, { key });
        const response = await app.request('/v1/chat/completions', init);
        expect(response.status).toBe(200);
        await response.text();
        const asked = runtime.seen.at(-1)?.scope ?? '';
        expect(asked.slice(0, asked.indexOf('/'))).toBe(isA ? 'a' : 'b');
        expect(asked.slice(asked.indexOf('/') + 1)).toBe(scope ?? user ?? 'default');
      }),
      { numRuns: 200 },
    );
  });

  it('keeps people apart whom an app names by safety_identifier alone', async () => {
    const { app, runtime } = setUp();
    for (const safety_identifier of ['ann', 'bob'])
      await app.request('/v1/chat/completions', chat({ ...HELLO, safety_identifier }));
    expect(runtime.seen.map(({ scope }) => scope)).toEqual(['a/ann', 'a/bob']);
  });

  it('takes a scope header as a scope under the tenant', async () => {
    const { app, runtime } = setUp();
    await app.request('/v1/chat/completions', chat(HELLO, { headers: { 'nearfield-scope': 'b/x' } }));
    expect(runtime.seen[0]?.scope).toBe('a/b/x');
  });

  it('goes to the nearest of body, header and key', async () => {
    const { app, runtime } = setUp();
    const cases: readonly [string | undefined, string | undefined, string, string][] = [
      [undefined, undefined, KEY_A, 'cloud'],
      [undefined, 'edge', KEY_A, 'edge'],
      ['cloud', 'edge', KEY_A, 'edge'],
      ['device', 'cloud', KEY_A, 'device'],
      ['cloud', 'cloud', KEY_B, 'edge'],
      [undefined, undefined, KEY_B, 'edge'],
    ];
    for (const [privacy, header, key, expected] of cases) {
      const headers = header === undefined ? {} : { 'nearfield-privacy': header };
      await app.request('/v1/chat/completions', chat({ ...HELLO, privacy }, { key, headers }));
      expect(runtime.seen.at(-1)?.privacy).toBe(expected);
    }
  });

  it('refuses keys whose tenants could be mistaken for one another', () => {
    const hash = 'a'.repeat(64);
    expect(parseApiKeys(`acme:${hash}:edge:30, other:${hash}`)).toEqual([
      { tenant: 'acme', hash, farthest: 'edge', requestsPerMinute: 30 },
      { tenant: 'other', hash, farthest: undefined, requestsPerMinute: undefined },
    ]);
    for (const text of [`a/b:${hash}`, `a:${hash}:moon`, 'a:nothex', `a:${hash}:edge:0`]) {
      expect(() => parseApiKeys(text)).toThrow(/malformed/);
    }
  });
});

describe('limits', () => {
  it('holds each key to its rate and says when to come back', async () => {
    const clock = { at: 0, now: () => clock.at, monotonic: () => clock.at };
    const { app } = setUp({ clock, limits: { requestsPerMinute: 2 } });
    const ask = async (key = KEY_A) => await app.request('/v1/chat/completions', chat(HELLO, { key }));
    expect((await ask()).status).toBe(200);
    expect((await ask()).headers.get('x-ratelimit-remaining-requests')).toBe('0');
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('30');
    expect(await errorOf(refused)).toMatchObject({ code: 'rate_limit_exceeded' });
    expect((await ask(KEY_B)).status).toBe(200);
    clock.at += 30_000;
    expect((await ask()).status).toBe(200);
    expect((await ask()).status).toBe(429);
  });

  it('holds each key to its open answers until they are read or left', async () => {
    const never = (signal?: AbortSignal) =>
      new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    const runtime = createFakeRuntime({ pause: never });
    const { app } = setUp({ limits: { openAnswers: 1 } }, runtime);
    const open = await app.request('/v1/chat/completions', chat({ ...HELLO, stream: true }));
    expect((await app.request('/v1/chat/completions', chat(HELLO))).status).toBe(429);
    await open.body?.cancel();
    await runtime.closed;
    expect((await app.request('/v1/embeddings', chat({ input: 'x', model: 'm' }))).status).toBe(200);
  });

  it.each([
    ['GET', '/v1/chat/completions', 405],
    ['DELETE', '/v1/models', 405],
    ['HEAD', '/v1/models', 200],
    ['HEAD', '/v1/models/fake', 200],
    ['HEAD', '/v1/nothing', 404],
    ['GET', '/v1/nothing', 404],
    ['OPTIONS', '/v1/models', 204],
  ])(
    'counts no %s of %s as open once it is answered, though nobody reads a body',
    async (method, path, status) => {
      const { app, audit } = setUp({ limits: { openAnswers: 1 } });
      const headers = { authorization: `Bearer ${KEY_A}` };
      for (let time = 0; time < 3; time += 1) {
        const response = await app.request(path, { method, headers });
        expect(response.status).toBe(status);
        await response.text();
      }
      expect((await app.request('/v1/models', { headers })).status).toBe(200);
      if (method !== 'OPTIONS')
        await expect.poll(async () => (await audit.recent(9))[0]).toMatchObject({ status });
    },
  );
});

describe('aborts', () => {
  it('reach the runtime when the reader leaves a stream', async () => {
    const runtime = createFakeRuntime({
      pause: (signal) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    });
    const { app, audit } = setUp({}, runtime);
    const response = await app.request('/v1/chat/completions', chat({ ...HELLO, stream: true }));
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await runtime.closed;
    expect(runtime.signals[0]?.aborted).toBe(true);
    await expect.poll(async () => (await audit.recent(1))[0]?.errorCode).toBe('aborted');
  });

  it('reach the runtime when the request is aborted', async () => {
    const stop = new AbortController();
    const runtime = createFakeRuntime({
      async pause(signal) {
        stop.abort();
        signal?.throwIfAborted();
      },
    });
    const { app } = setUp({}, runtime);
    await app.request('/v1/chat/completions', { ...chat(HELLO), signal: stop.signal });
    await runtime.closed;
    expect(runtime.signals[0]?.aborted).toBe(true);
  });
});

describe('the audit', () => {
  it('keeps facts and no content', async () => {
    const { app, audit } = setUp({ auditSecret: 's' });
    const secret = 'my-iban-DE89370400440532013000';
    const body = { messages: [{ role: 'user', content: secret }], scope: secret };
    const init = chat(body, { headers: { 'x-request-id': secret, 'content-length': '123' } });
    await (await app.request('/v1/chat/completions', init)).text();
    await (await app.request(`/v1/models/${secret}`, { headers: init.headers! })).text();
    await expect.poll(async () => (await audit.recent(9)).length).toBe(2);
    const rows = await audit.recent(9);
    expect(rows[1]).toMatchObject({
      route: '/v1/chat/completions',
      status: 200,
      tier: 'fake',
      cache: 'miss',
      egressBytes: 77,
      promptTokens: 3,
      completionTokens: 2,
      bytesIn: 123,
      scopeHash: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(rows[1]?.bytesOut).toBeGreaterThan(100);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  it('never fails a request when it cannot be written', async () => {
    const audit = {
      ...createMemoryAuditLog(),
      write: async () => {
        throw new Error('disk full');
      },
    };
    const { app } = setUp({ audit });
    const response = await app.request('/v1/chat/completions', chat(HELLO));
    expect(response.status).toBe(200);
    await response.text();
    await expect
      .poll(async () => (await (await app.request('/healthz')).json()) as object)
      .toMatchObject({ auditFailures: 1 });
  });
});

describe('without keys', () => {
  const loopback = { auth: { mode: 'loopback' }, origins: ['http://localhost:5173'] } as const;
  const plain = (headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(HELLO),
  });

  it('serves this machine and the pages it lists, and nobody else', async () => {
    const { app, runtime } = setUp(loopback);
    const url = 'http://127.0.0.1:8787/v1/chat/completions';
    expect((await app.request(url, plain())).status).toBe(200);
    expect(runtime.seen[0]?.scope).toBe('local/default');
    const listed = await app.request(url, plain({ origin: 'http://localhost:5173' }));
    expect(listed.status).toBe(200);
    expect(listed.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    const other = await app.request(url, plain({ origin: 'https://evil.example' }));
    expect(other.status).toBe(403);
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const rebound = await app.request('http://evil.example:8787/v1/chat/completions', plain());
    expect(rebound.status).toBe(403);
    expect(runtime.seen).toHaveLength(2);
  });

  it.each<[number, string, string | undefined, Record<string, string>]>([
    [200, 'this machine', '127.0.0.1', {}],
    [200, 'this machine, by IPv6', '::1', {}],
    [200, 'this machine, by IPv4 in IPv6', '::ffff:127.0.0.1', {}],
    [403, 'another machine', '203.0.113.9', {}],
    [403, 'another machine, by IPv6', '2001:db8::1', {}],
    [403, 'a proxy on this machine', '127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }],
    [403, 'a proxy over a pipe', undefined, { 'x-real-ip': '203.0.113.9' }],
    [403, 'a proxy, by the standard', '127.0.0.1', { forwarded: 'for=203.0.113.9' }],
  ])('answers %s to %s, whatever name it calls by', async (status, _who, remoteAddress, headers) => {
    const { app } = setUp(loopback);
    const url = 'http://localhost/v1/chat/completions';
    const answer = await app.request(url, plain(headers), { incoming: { socket: { remoteAddress } } });
    expect(answer.status).toBe(status);
  });
});

describe('pages of other origins', () => {
  const origins = ['https://app.example.com'];
  const from = (origin: string, init: RequestInit): RequestInit => ({
    ...init,
    headers: { ...(init.headers as Record<string, string>), origin },
  });

  it('are told before they ask, without a key, what they may send', async () => {
    const { app } = setUp({ origins });
    const headers = {
      'access-control-request-method': 'POST',
      'access-control-request-headers':
        'authorization,content-type,x-stainless-retry-count,nearfield-privacy',
    };
    const asked = { method: 'OPTIONS', headers };
    const yes = await app.request('/v1/chat/completions', from(origins[0]!, asked));
    expect(yes.status).toBe(204);
    expect(yes.headers.get('access-control-allow-origin')).toBe(origins[0]);
    expect(yes.headers.get('access-control-allow-headers')).toContain('x-stainless-retry-count');
    const no = await app.request('/v1/chat/completions', from('https://evil.example', asked));
    expect(no.headers.get('access-control-allow-origin')).toBeNull();
  });

  it.each([
    [200, '/v1/chat/completions', chat(HELLO)],
    [400, '/v1/chat/completions', chat({})],
    [401, '/v1/chat/completions', chat(HELLO, { key: 'nf-none' })],
    [404, '/v1/responses', chat(HELLO)],
    [405, '/v1/chat/completions', { headers: { authorization: `Bearer ${KEY_A}` } }],
    [413, '/v1/chat/completions', chat('x'.repeat(2000))],
    [415, '/v1/chat/completions', chat(HELLO, { headers: { 'content-type': 'text/plain' } })],
  ])('may read an answer of %s, and the headers by which the OpenAI SDK goes', async (status, path, init) => {
    const { app } = setUp({ origins, limits: { bodyBytes: 1000 } });
    const response = await app.request(path, from(origins[0]!, init));
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe(origins[0]);
    const exposed = (response.headers.get('access-control-expose-headers') ?? '').split(',');
    for (const name of [
      'x-should-retry',
      'retry-after',
      'retry-after-ms',
      'x-request-id',
      'age',
      'cache-status',
    ])
      expect(exposed).toContain(name);
  });
});

describe('telemetry', () => {
  const day = Math.floor(Date.UTC(2026, 10, 2) / 86_400_000);
  const clock = { at: Date.UTC(2026, 10, 2), now: () => clock.at, monotonic: () => clock.at };
  const report = (at: number): string =>
    encodeReport({ v: 1, day, metric: 'tier', value: 'edge', nonce: String(at).padStart(22, 'A') });

  it('takes reports without a key, and publishes only with one', async () => {
    const telemetry = createCollector({ store: createMemoryCollectorStore(), clock, k: 2, perSourceDay: 4 });
    const { app } = setUp({ telemetry, clock });
    const post = async (body: string) =>
      (await app.request('/v1/telemetry', { method: 'POST', body })).status;
    expect(await post(report(1))).toBe(202);
    expect(await post(report(1))).toBe(202);
    expect(await post('{"v":1}')).toBe(400);
    expect(await post(report(2))).toBe(202);
    expect(await post(report(3))).toBe(429);
    expect(await post('x'.repeat(2000))).toBe(413);
    expect((await app.request('/v1/telemetry/report')).status).toBe(401);
    clock.at += 30 * 86_400_000;
    const published = await app.request('/v1/telemetry/report', {
      headers: { authorization: `Bearer ${KEY_A}` },
    });
    expect(await published.json()).toMatchObject({
      k: 2,
      metrics: [{ metric: 'tier', reports: 2, cells: [{ value: 'edge', reports: 2 }] }],
    });
  });
});
