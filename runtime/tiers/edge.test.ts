import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ServedHandler, serveHandler } from '../../scripts/testing/http.ts';
import { allowsFallback, isAbortError, NearfieldError } from '../errors.ts';
import { createOpenAiHandler, errorResponse, type OpenAiRuntime } from '../openai.ts';
import type { ChatRequest, Receipt, StreamPart, Tier, TierPart } from '../types.ts';
import { createEdgeTier, type EdgeTierOptions } from './edge.ts';
import { eventsOf, partsOf } from './edge-stream.ts';
import { createFakeTier, type FakeTier, says } from './fake.ts';
import { scriptOf } from './scenario.fixture.ts';
import { tierContract } from './tier.contract.ts';
import { retryAfterMsOf } from './upstream.ts';

const request: ChatRequest = { messages: [{ role: 'user', content: 'Hello?' }] };

/** The shortest runtime there is: one tier, its parts between a start and an end. */
function runtimeOver(tier: FakeTier): OpenAiRuntime {
  const facts = { id: 'chatcmpl-1', model: 'far-model', tier: { id: tier.id, kind: tier.kind } };
  return {
    async *generate(asked, { signal }): AsyncGenerator<StreamPart> {
      const parts = tier.stream(asked, { signal, fetch });
      let started = false;
      for await (const part of parts) {
        if (!started) yield { type: 'response-start', ...facts, cache: 'miss', createdMs: 0 };
        started = true;
        if (part.type !== 'finish') yield part;
        else {
          yield {
            type: 'response-end',
            ...facts,
            finishReason: part.finishReason,
            usage: part.usage ?? { promptTokens: 0, completionTokens: 0 },
            cache: { status: 'miss', reason: 'none' },
            timings: { totalMs: 1, steps: [] },
            receipt: {} as Receipt,
          };
        }
      }
    },
    embed: () => Promise.reject(new Error('Not asked.')),
    models: () => [],
  };
}

/** An answer whose socket dies after so many of its chunks. */
function breaking(response: Response, chunks: number): Response {
  let left = chunks;
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      left -= 1;
      if (left >= 0) return controller.enqueue(chunk);
      // A client throws away what it has not read when its socket dies; let it read.
      await new Promise((resolve) => setTimeout(resolve, 200));
      controller.error(new Error('The socket died.'));
    },
  });
  return new Response(response.body?.pipeThrough(cut) ?? null, response);
}

tierContract('edge tier', async () => {
  const behind = createFakeTier();
  const breaks: (number | undefined)[] = [];
  const handler = createOpenAiHandler(runtimeOver(behind));
  const server = await serveHandler(async (http) => {
    const after = breaks.shift();
    const response = await handler(http);
    // One chunk more than texts: the first says the role alone.
    return after === undefined ? response : breaking(response, after + 1);
  });
  return {
    tier: createEdgeTier({ baseUrl: `${server.url}/v1` }),
    fetch,
    next(...scenarios) {
      for (const scenario of scenarios) {
        const cut = scenario.kind === 'breaks';
        breaks.push(cut ? scenario.afterTexts : undefined);
        behind.next(cut ? says('one ', 'two ', 'three ', 'four ') : scriptOf(scenario));
      }
    },
    asked: () => server.requests(),
    left: () => behind.calls.at(-1)?.outcome === 'aborted',
    close: async () => await server.stop(),
  };
});

describe('edge tier', () => {
  const servers: ServedHandler[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map(async (server) => await server.stop()));
  });

  async function read(tier: Tier, asked = request): Promise<TierPart[]> {
    const parts: TierPart[] = [];
    const context = { signal: new AbortController().signal, fetch };
    for await (const part of tier.stream(asked, context)) parts.push(part);
    return parts;
  }
  async function serve(handler: (http: Request) => Promise<Response>): Promise<ServedHandler> {
    const server = await serveHandler(handler);
    servers.push(server);
    return server;
  }
  /** A server that keeps what it is sent and answers `ok`. */
  async function witness(options: Partial<EdgeTierOptions> = {}) {
    const seen: { body: Record<string, unknown>; headers: Headers }[] = [];
    const server = await serve(async (http) => {
      seen.push({ body: (await http.json()) as Record<string, unknown>, headers: http.headers });
      return sse('{"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}', '[DONE]');
    });
    return { tier: createEdgeTier({ baseUrl: `${server.url}/v1/`, ...options }), seen, server };
  }
  function sse(...events: string[]): Response {
    const headers = { 'content-type': 'text/event-stream' };
    return new Response(events.map((data) => `data: ${data}\n\n`).join(''), { headers });
  }
  async function failing(
    response: () => Response,
    options: Partial<EdgeTierOptions> = {},
  ): Promise<NearfieldError> {
    const server = await serve(async () => response());
    return await read(createEdgeTier({ baseUrl: `${server.url}/v1`, ...options })).then(
      () => Promise.reject(new Error('Expected a failure.')),
      (error: NearfieldError) => error,
    );
  }

  it('sends known fields alone, to the edge with what it may do, and a key asked for each time', async () => {
    const apiKey = vi.fn(async () => 'key-1');
    const { tier, seen, server } = await witness({ apiKey, model: 'small' });
    const extra = { secretField: 'heron-42', user: 'ann@example.com' };
    const asked = { ...request, ...extra, seed: 3, privacy: 'cloud' as const, cache: 'refresh' as const };
    await read(tier, asked);
    await read(tier, asked);
    expect(apiKey).toHaveBeenCalledTimes(2);
    expect(seen[0]?.body).toEqual({
      model: 'small',
      messages: request.messages,
      seed: 3,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(Object.fromEntries(seen[0]!.headers)).toMatchObject({
      authorization: 'Bearer key-1',
      'nearfield-privacy': 'cloud',
      'nearfield-cache': 'bypass',
    });
    expect(server.received()).not.toMatch(/heron-42|ann@example/);
  });

  it('lets the edge go no further unless the request says how far', async () => {
    const { tier, seen } = await witness();
    await read(tier);
    await read(tier, { ...request, privacy: 'edge' });
    expect(seen.map(({ headers }) => headers.get('nearfield-privacy'))).toEqual(['edge', 'edge']);
  });

  it('keeps the scope at home and the edge cache out of it, unless told to forward', async () => {
    const asked = { ...request, scope: 'ann' };
    const kept = await witness();
    await read(kept.tier, asked);
    expect(kept.seen[0]?.headers.get('nearfield-cache')).toBe('bypass');
    expect(kept.server.received()).not.toContain('ann');
    await read(kept.tier, { ...request, user: 'ann' });
    expect(kept.seen[1]?.headers.get('nearfield-cache')).toBe('bypass');
    await read(kept.tier, { ...request, scope: 'default' });
    expect(kept.seen[2]?.headers.get('nearfield-cache')).toBeNull();
    const told = await witness({ forwardScope: true });
    await read(told.tier, { ...asked, scope: 'Анна/日本' });
    expect(told.seen[0]?.body.scope).toBe('Анна/日本');
    expect(told.seen[0]?.headers.get('nearfield-cache')).toBeNull();
  });

  it('hands documents to our edge as they are, to another endpoint as a message, and no wishes there', async () => {
    const asked = { ...request, documents: [{ id: 'd', text: 'Words.' }], scope: 'ann' };
    const edge = await witness();
    await read(edge.tier, asked);
    expect(edge.seen[0]?.body.documents).toEqual([{ id: 'd', text: 'Words.' }]);
    const cloud = await witness({ kind: 'cloud' });
    await read(cloud.tier, asked);
    expect(cloud.seen[0]?.body).not.toHaveProperty('documents');
    expect(cloud.seen[0]?.body.messages).toEqual([
      { role: 'system', content: expect.stringContaining('Words.') },
      ...request.messages,
    ]);
    expect([...cloud.seen[0]!.headers.keys()].filter((name) => name.startsWith('nearfield'))).toEqual([]);
  });

  it('refuses a request that may not come so far, and sends nothing', async () => {
    const { tier, server } = await witness();
    const asking = read(tier, { ...request, privacy: 'device' });
    await expect(asking).rejects.toMatchObject({ code: 'egress-denied' });
    const cloud = createEdgeTier({ kind: 'cloud', baseUrl: server.url });
    await expect(read(cloud, { ...request, privacy: 'edge' })).rejects.toMatchObject({
      code: 'egress-denied',
    });
    expect(server.requests()).toBe(0);
  });

  it('hands on the sources an edge found, and its model', async () => {
    const passages = [{ documentId: 'd', title: 'T', start: 0, end: 2, text: 'So', similarity: 0.5 }];
    const behind = createFakeTier();
    behind.next([{ type: 'sources', passages }, ...says('So')]);
    const server = await serve(createOpenAiHandler(runtimeOver(behind)));
    const parts = await read(createEdgeTier({ baseUrl: `${server.url}/v1` }));
    expect(parts[0]).toEqual({ type: 'sources', passages });
    expect(parts.at(-1)).toMatchObject({ type: 'finish', model: 'far-model' });
  });

  const json =
    (status: number, body: unknown, headers: Record<string, string> = {}) =>
    () =>
      Response.json(body, { status, headers });
  it.each([
    ['a bad request', json(400, { error: { code: 'x' } }), 'upstream-rejected'],
    ['a long context', json(400, { error: { code: 'context_length_exceeded' } }), 'context-overflow'],
    ['a wrong key', json(401, { error: { code: 'invalid_api_key' } }), 'upstream-rejected'],
    ['an unknown model', json(404, { error: { code: 'model_not_found' } }), 'model-not-found'],
    ['a timeout', json(408, {}), 'upstream-timeout'],
    ['a large body', json(413, {}), 'upstream-rejected'],
    ['throttling', json(429, null), 'upstream-throttled'],
    ['an account without credit', json(429, { error: { code: 'insufficient_quota' } }), 'upstream-rejected'],
    ['no tier at the edge', json(400, {}, { 'nearfield-error': 'no-tier' }), 'upstream-rejected'],
    ['no tier there just now', json(503, {}, { 'nearfield-error': 'no-tier' }), 'upstream-unavailable'],
    ['a page instead of JSON', () => new Response('<html>', { status: 502 }), 'upstream-unavailable'],
    ['a prototype name', json(500, { error: { code: 'constructor' } }), 'upstream-unavailable'],
    ['JSON instead of a stream', json(200, { choices: [] }), 'upstream-rejected'],
    [
      'a redirect',
      () => new Response(null, { status: 302, headers: { location: '/' } }),
      'upstream-rejected',
    ],
    ['an error as first event', () => sse('{"error":{"code":"rate_limit_exceeded"}}'), 'upstream-throttled'],
    ['no event at all', () => sse(), 'upstream-unavailable'],
    ['[DONE] alone', () => sse('[DONE]'), 'upstream-unavailable'],
    ['events that are no JSON', () => sse('{"cho'), 'upstream-unavailable'],
    ['events of another shape', () => sse('{"choices":[{"delta":{"content":7}}]}'), 'upstream-unavailable'],
  ] as const)('takes %s as a reason to go on: %s', async (_, response, code) => {
    const error = await failing(response);
    expect(error.code).toBe(code);
    expect(allowsFallback(error)).toBe(true);
  });

  it.each(['egress-denied', 'redaction-failed'] as const)(
    'never goes round an edge whose policy let nothing on: %s',
    async (code) => {
      const refusals = [
        () => errorResponse(new NearfieldError(code, 'No.')),
        json(403, { error: { code } }),
        () => sse(JSON.stringify({ error: { code } })),
      ];
      for (const refusal of refusals) {
        const error = await failing(refusal);
        expect(error.code).toBe('egress-denied');
        expect(allowsFallback(error)).toBe(false);
      }
    },
  );

  it('never repeats what the other side said', async () => {
    const said = { error: { message: 'Invalid prompt: ann@example.com', code: 'ann@example.com' } };
    expect((await failing(json(400, said))).message).not.toContain('ann');
    expect((await failing(() => sse(JSON.stringify(said)))).message).not.toContain('ann');
  });

  it('names the field that the other side refuses, if it is one of those it was sent', async () => {
    const refusing = async (param: unknown) => await failing(json(400, { error: { message: 'No.', param } }));
    expect(await refusing('messages[0].content')).toMatchObject({
      code: 'upstream-rejected',
      param: 'messages[0].content',
      message: expect.stringContaining('refuses messages[0].content'),
    });
    for (const param of [
      'ann@example.com',
      'Hello?',
      'messages[7]',
      'messages.0.__proto__',
      'constructor',
      'seed',
      7,
      null,
    ]) {
      const error = await refusing(param);
      expect(error.param).toBeUndefined();
      expect(error.message).toMatch(/answered with status 400\.$/);
    }
  });

  it('calls an error after good events a cut', async () => {
    const error = await failing(() =>
      sse('{"choices":[{"delta":{"content":"a"}}]}', '{"error":{"code":"x"}}'),
    );
    expect(error.code).toBe('upstream-cut');
  });

  it('does without [DONE] and usage where a finish reason came', async () => {
    const server = await serve(async () =>
      sse('{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}'),
    );
    const parts = await read(createEdgeTier({ baseUrl: server.url }));
    expect(parts.map(({ type }) => type)).toEqual(['text-delta', 'finish']);
  });

  it('speaks as system to another endpoint, for few know OpenAI’s developer', async () => {
    const asked: ChatRequest = {
      messages: [{ role: 'developer', content: 'Be brief.' }, ...request.messages],
    };
    const cloud = await witness({ kind: 'cloud' });
    await read(cloud.tier, asked);
    expect(cloud.seen[0]?.body.messages).toMatchObject([{ role: 'system' }, { role: 'user' }]);
    const edge = await witness();
    await read(edge.tier, asked);
    expect(edge.seen[0]?.body.messages).toMatchObject([{ role: 'developer' }, { role: 'user' }]);
  });

  it('reads calls without an index or an id, as some endpoints have them, one after another', async () => {
    const call = (more: object) => JSON.stringify({ choices: [{ delta: { tool_calls: [more] } }] });
    const server = await serve(async () =>
      sse(
        call({ id: '', type: 'function', function: { name: 'now', arguments: '{"at":' } }),
        call({ function: { arguments: '1}' } }),
        call({ id: 'b', function: { name: 'now', arguments: '{}' } }),
        '{"choices":[{"delta":{"role":""},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":4,"completion_tokens":null}}',
      ),
    );
    const tools: ChatRequest['tools'] = [{ type: 'function', function: { name: 'now' } }];
    const tier = createEdgeTier({ kind: 'cloud', baseUrl: server.url });
    const parts = await read(tier, { ...request, tools });
    expect(await read(tier)).toMatchObject([{ type: 'finish', finishReason: 'stop' }]);
    expect(await read(tier, { ...request, tools, parallel_tool_calls: false })).toHaveLength(3);
    expect(parts).toMatchObject([
      { index: 0, id: expect.stringMatching(/^call_/), name: 'now', argumentsText: '{"at":' },
      { index: 0, argumentsText: '1}' },
      { index: 1, id: 'b', name: 'now', argumentsText: '{}' },
      { type: 'finish', finishReason: 'tool_calls', usage: { promptTokens: 4, completionTokens: 0 } },
    ]);
    expect(parts[1]).toMatchObject({ id: undefined, name: undefined });
  });

  it('waits for the name of a call that an endpoint tells late', async () => {
    const call = (more: object) =>
      JSON.stringify({ choices: [{ delta: { tool_calls: [{ index: 3, ...more }] } }] });
    const server = await serve(async () =>
      sse(
        call({ id: 'a', function: { arguments: '{' } }),
        call({ function: { name: 'now' } }),
        call({ function: { arguments: '}' } }),
        '{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}',
      ),
    );
    const tools: ChatRequest['tools'] = [{ type: 'function', function: { name: 'now' } }];
    const parts = await read(createEdgeTier({ kind: 'cloud', baseUrl: server.url }), { ...request, tools });
    expect(parts).toMatchObject([
      { index: 0, id: 'a', name: 'now', argumentsText: '{' },
      { index: 0, argumentsText: '}' },
      { type: 'finish', finishReason: 'tool_calls' },
    ]);
  });

  it('gives up on a first part that is late, though headers and comments came', async () => {
    const controller = new AbortController();
    const slow = (): Response => {
      const body = new ReadableStream({
        start: (to) => to.enqueue(new TextEncoder().encode(': waiting\n\n')),
        cancel: () => controller.abort(),
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    };
    expect((await failing(slow, { timeoutMs: 50 })).code).toBe('upstream-timeout');
  });

  it('passes the guard’s refusal through, and takes a dead host as unavailable', async () => {
    const tier = createEdgeTier({ baseUrl: 'http://127.0.0.1:9/v1' });
    const denied = new NearfieldError('egress-denied', 'No.');
    const signal = new AbortController().signal;
    const guarded = tier.stream(request, { signal, fetch: () => Promise.reject(denied) });
    await expect(guarded[Symbol.asyncIterator]().next()).rejects.toBe(denied);
    await expect(read(tier)).rejects.toMatchObject({ code: 'upstream-unavailable' });
  });

  it('wants an absolute http URL', () => {
    expect(() => createEdgeTier({ baseUrl: '/v1' })).toThrow(/absolute/);
    expect(() => createEdgeTier({ baseUrl: 'file:///v1' })).toThrow(/absolute/);
    expect(createEdgeTier({ baseUrl: 'https://edge.example:8443/v1' }).host).toBe('edge.example:8443');
  });
});

describe('events', () => {
  const text =
    ': hello\r\nretry: 5\r\n\r\ndata: {"choices":[{"delta":{"content":"é🌍"}}]}\n\nunknown: field\nid: 1\n\n' +
    'event: message\ndata: {"choices":\ndata: [{"delta":{},"finish_reason":"stop"}],"usage":null}\r\n\r\ndata: [DONE]\n\n';
  async function parse(...chunks: Uint8Array[]): Promise<TierPart[]> {
    const parts: TierPart[] = [];
    const source = (async function* () {
      yield* chunks;
    })();
    for await (const part of partsOf(eventsOf(source), 'edge')) parts.push(part);
    return parts;
  }

  it('reads them cut in two at every byte', async () => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      const parts = await parse(bytes.subarray(0, at), bytes.subarray(at));
      expect(parts).toEqual([
        { type: 'text-delta', text: 'é🌍' },
        { type: 'finish', finishReason: 'stop', usage: undefined, model: undefined },
      ]);
    }
  });

  it('refuses an event without end', async () => {
    const endless = new TextEncoder().encode(`data: ${'x'.repeat(600_000)}`);
    await expect(parse(endless, endless)).rejects.toThrow();
  });
});

describe('Retry-After', () => {
  it.each([
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:10 GMT' }, 9000],
    [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '2', 'retry-after-ms': '1500' }, 1500],
    [{}, undefined],
  ])('reads %j', (headers, expected) => {
    expect(retryAfterMsOf(new Headers(headers as Record<string, string>), 1000)).toBe(expected);
  });
});

it('keeps an abort an abort when the fetch itself rejects with something else', async () => {
  const controller = new AbortController();
  const tier = createEdgeTier({ baseUrl: 'http://127.0.0.1:9/v1' });
  const stream = tier.stream(request, {
    signal: controller.signal,
    fetch: () => {
      controller.abort();
      return Promise.reject(new TypeError('terminated'));
    },
  });
  const error = await stream[Symbol.asyncIterator]()
    .next()
    .catch((thrown: unknown) => thrown);
  expect(isAbortError(error)).toBe(true);
});
