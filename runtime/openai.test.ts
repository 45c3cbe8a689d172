import OpenAI from 'openai';
import { describe, expect, it, vi } from 'vitest';
import { type ErrorCode, NearfieldError } from './errors.ts';
import { asFetch, createOpenAiHandler, type OpenAiHandlerOptions, type OpenAiRuntime } from './openai.ts';
import type { ChatRequest, Receipt, StreamPart } from './types.ts';

const receipt: Receipt = {
  sequence: 0,
  requestId: 'chatcmpl-1',
  atMs: 1_700_000_000_500,
  tier: { id: 'device', kind: 'device' },
  rules: [],
  redactedByType: {},
  bytesOut: 0,
  hosts: [],
  previous: '0'.repeat(64),
  hash: 'f'.repeat(64),
};
const start: StreamPart = {
  type: 'response-start',
  id: 'chatcmpl-1',
  model: 'nearfield',
  tier: receipt.tier,
  cache: 'miss',
  createdMs: 1_700_000_000_500,
};
const end: StreamPart = {
  type: 'response-end',
  id: 'chatcmpl-1',
  model: 'nearfield',
  finishReason: 'stop',
  usage: { promptTokens: 3, completionTokens: 2 },
  tier: receipt.tier,
  cache: { status: 'miss', reason: 'no-neighbour' },
  timings: { totalMs: 5, steps: [] },
  receipt,
};
const text = (value: string): StreamPart => ({ type: 'text-delta', text: value });

interface Seen {
  request?: ChatRequest;
  signal?: AbortSignal;
  made: number;
  closed: boolean;
}

/** A handler over scripted parts; an Error in the script is thrown there, a function is awaited there. */
function setup(
  script: readonly (StreamPart | Error | ((signal: AbortSignal) => Promise<void>))[] = [
    start,
    text('Hello '),
    text('wörld 🌍'),
    end,
  ],
  options: OpenAiHandlerOptions = {},
) {
  const seen: Seen = { made: 0, closed: false };
  const runtime: OpenAiRuntime = {
    async *generate(request, { signal }) {
      seen.request = request;
      seen.signal = signal;
      try {
        for (const part of script) {
          if (part instanceof Error) throw part;
          if (typeof part === 'function') await part(signal);
          else {
            seen.made += 1;
            yield part;
          }
        }
      } finally {
        seen.closed = true;
      }
    },
    embed: async ({ input }) => ({
      embeddings: input.map((_, row) => Float32Array.of(0.6, 0.8 * (row + 1), -0, 0)),
      model: 'mini',
      backend: 'kernel',
      tokens: 7,
    }),
    models: () => [
      { id: 'mini', task: 'embed' },
      { id: 'org/chat', task: 'generate' },
      { id: 'arn:aws:x/eu.test-v1:0', task: 'generate' },
    ],
  };
  const handler = createOpenAiHandler(runtime, options);
  const client = new OpenAI({
    fetch: asFetch(handler) as typeof fetch,
    baseURL: 'https://nearfield.invalid/v1',
    apiKey: 'none',
    maxRetries: 0,
  });
  const post = async (body: unknown, headers: Record<string, string> = {}, path = '/chat/completions') =>
    await handler(
      new Request(`https://nearfield.invalid/v1${path}`, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    );
  return { seen, handler, client, post };
}

const messages = [{ role: 'user' as const, content: 'Hi' }];
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new DOMException('Aborted.', 'AbortError')), {
      once: true,
    });
  });

describe('chat through the OpenAI SDK', () => {
  it('answers whole', async () => {
    const { client } = setup();
    const answer = await client.chat.completions.create({ model: 'any', messages });
    expect(answer.choices[0]).toMatchObject({
      index: 0,
      finish_reason: 'stop',
      message: { role: 'assistant', content: 'Hello wörld 🌍' },
    });
    expect(answer.usage).toEqual({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
    expect(answer.created).toBe(1_700_000_000);
    expect(answer).toMatchObject({ nearfield: { tier: receipt.tier, receipt, cache: { status: 'miss' } } });
  });

  it('streams, with usage last where asked for', async () => {
    const { client } = setup();
    const stream = await client.chat.completions.create({
      model: 'any',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Hello wörld 🌍');
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-2)).toMatchObject({ usage: null, nearfield: { tier: { kind: 'device' }, receipt } });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 5 } });
  });

  it('keeps id and time over a stream, and tells at its end which model it was', async () => {
    const script = [start, text('a'), { ...end, model: 'smollm2' } as StreamPart];
    const { client } = setup(script);
    const params = { model: 'any', messages, stream: true as const, stream_options: { include_usage: true } };
    const chunks = [];
    for await (const chunk of await client.chat.completions.create(params)) chunks.push(chunk);
    for (const chunk of chunks)
      expect(chunk).toMatchObject({
        id: 'chatcmpl-1',
        created: 1_700_000_000,
        object: 'chat.completion.chunk',
      });
    expect(chunks.map(({ model }) => model)).toEqual(['nearfield', 'nearfield', 'smollm2', 'smollm2']);
    const done = await setup(script)
      .client.chat.completions.stream({ model: 'any', messages })
      .finalChatCompletion();
    expect(done.model).toBe('smollm2');
  });

  it('gives logprobs with every field that OpenAI’s have', async () => {
    const logprobs = [
      { token: 'a', logprob: -0.5, bytes: [97], top: [{ token: 'b', logprob: -1, bytes: [98] }] },
    ];
    const script = [start, { type: 'text-delta', text: 'a', logprobs } as StreamPart, end];
    const told = {
      content: [
        { token: 'a', logprob: -0.5, bytes: [97], top_logprobs: [{ token: 'b', logprob: -1, bytes: [98] }] },
      ],
      refusal: null,
    };
    const params = { model: 'any', messages, logprobs: true, top_logprobs: 1 };
    const whole = await setup(script).client.chat.completions.create(params);
    expect(whole.choices[0]!.logprobs).toEqual(told);
    const done = await setup(script).client.chat.completions.stream(params).finalChatCompletion();
    expect(done.choices[0]!.logprobs).toMatchObject(told);
  });

  it('gives no usage chunk unasked, and works with the SDK stream helper', async () => {
    const { client } = setup();
    const runner = client.chat.completions.stream({ model: 'any', messages });
    const done = await runner.finalChatCompletion();
    expect(done.choices[0]?.message.content).toBe('Hello wörld 🌍');
    expect(done.usage).toBeUndefined();
  });

  it('streams tool calls in pieces and puts them together when whole', async () => {
    const call = (index: number, argumentsText: string, id?: string, name?: string): StreamPart => ({
      type: 'tool-call-delta',
      index,
      id,
      name,
      argumentsText,
    });
    const script = [
      start,
      call(0, '', 'call_a', 'lookup'),
      call(0, '{"q":'),
      call(1, '{}', 'call_b', 'now'),
      call(2, '', 'call_c', 'ping'),
      call(0, '"é"}'),
      { ...end, finishReason: 'tool_calls' } as StreamPart,
    ];
    const expected = [
      { id: 'call_a', type: 'function', function: { name: 'lookup', arguments: '{"q":"é"}' } },
      { id: 'call_b', type: 'function', function: { name: 'now', arguments: '{}' } },
      // Some models stream nothing for the arguments of a call without; empty text is no JSON.
      { id: 'call_c', type: 'function', function: { name: 'ping', arguments: '{}' } },
    ];
    const tools = [
      { type: 'function' as const, function: { name: 'lookup', parameters: { type: 'object' } } },
    ];
    const whole = await setup(script).client.chat.completions.create({ model: 'any', messages, tools });
    expect(whole.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: expected },
    });
    const { client, seen } = setup(script);
    const done = await client.chat.completions
      .stream({ model: 'any', messages, tools })
      .finalChatCompletion();
    expect(done.choices[0]?.message.tool_calls).toMatchObject(expected);
    expect(seen.request?.tools).toEqual(tools);

    const cut = [start, call(0, '', 'call_a', 'lookup'), { ...end, finishReason: 'length' } as StreamPart];
    const part = await setup(cut).client.chat.completions.create({ model: 'any', messages, tools });
    expect(part.choices[0]?.message.tool_calls).toMatchObject([{ function: { arguments: '' } }]);
  });

  it('hands the sources of an answer on, streamed and whole', async () => {
    const passages = [{ documentId: 'd', start: 0, end: 3, text: 'Yes', similarity: 0.9 }];
    const script = [start, { type: 'sources', passages } as StreamPart, text('Yes'), end];
    const whole = await setup(script).client.chat.completions.create({ model: 'any', messages });
    expect(whole).toMatchObject({ nearfield: { sources: passages } });
    const body = await (await setup(script).post({ messages, stream: true })).text();
    expect(body).toContain(JSON.stringify({ sources: passages }));
  });

  it('turns a failure before the answer into its status, and one after it into an error event', async () => {
    const failure = new NearfieldError('upstream-throttled', 'Busy.', { retryAfterMs: 1500 });
    const early = await setup([failure])
      .client.chat.completions.create({ model: 'any', messages, stream: true })
      .catch((error: unknown) => error);
    expect(early).toBeInstanceOf(OpenAI.RateLimitError);
    expect(early).toMatchObject({ status: 429, code: 'upstream-throttled' });
    expect((early as InstanceType<typeof OpenAI.APIError>).headers?.get('retry-after')).toBe('2');

    const onError = vi.fn();
    const { client } = setup([start, text('Hel'), new NearfieldError('upstream-cut', 'Cut.')], { onError });
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
    let got = '';
    const reading = (async () => {
      for await (const chunk of stream) got += chunk.choices[0]?.delta.content ?? '';
    })();
    await expect(reading).rejects.toMatchObject({ code: 'upstream-cut', error: { message: 'Cut.' } });
    expect(got).toBe('Hel');
    expect(onError).toHaveBeenCalledOnce();
  });

  it('aborts the runtime when the client does, before and in the answer', async () => {
    const waiting = setup([untilAborted]);
    const controller = new AbortController();
    const asking = waiting.client.chat.completions.create(
      { model: 'any', messages },
      { signal: controller.signal },
    );
    const gone = expect(asking).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await expect.poll(() => waiting.seen.signal).toBeDefined();
    controller.abort();
    await gone;
    expect(waiting.seen.signal?.aborted).toBe(true);

    const { client, seen } = setup([start, text('a'), untilAborted]);
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'a') stream.controller.abort();
    expect(seen.signal?.aborted).toBe(true);
    await expect.poll(() => seen.closed).toBe(true);
  });

  it('ends the stream at once on an abort that the runtime overlooks', async () => {
    const { client } = setup([start, text('a'), () => new Promise(() => {})]);
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
    let got = '';
    for await (const chunk of stream) {
      got += chunk.choices[0]?.delta.content ?? '';
      // While the reader waits for the next part.
      if (got === 'a') setTimeout(() => stream.controller.abort(), 10);
    }
    expect(got).toBe('a');
  });

  it('aborts the runtime when the reader leaves', async () => {
    const { client, seen } = setup([start, text('a'), untilAborted]);
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content === 'a') break;
    await expect.poll(() => seen.closed).toBe(true);
    expect(seen.signal?.aborted).toBe(true);
  });
});

describe('the stream on the wire', () => {
  it('is data frames, each whole UTF-8, then [DONE]', async () => {
    const response = await setup().post({ messages, stream: true });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-status')).toBe('Nearfield; fwd=miss');
    expect(response.headers.get('nearfield-tier')).toBe('device');
    // Whatever compresses on the way would hold frames back until it has enough of them.
    expect(response.headers.get('cache-control')).toBe('no-store, no-transform');
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let last = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      last = decoder.decode(chunk);
      expect(last).toMatch(/^data: .*\n\n$/);
    }
    expect(last).toBe('data: [DONE]\n\n');
  });

  it('keeps a character whose halves come in two parts', async () => {
    const { client } = setup([start, text('\ud83c'), text('\udf0d'), end]);
    const stream = await client.chat.completions.create({ model: 'any', messages, stream: true });
    let got = '';
    for await (const chunk of stream) got += chunk.choices[0]?.delta.content ?? '';
    expect(got).toBe('🌍');
  });

  it('makes nothing before it is read: the reader sets the pace', async () => {
    const { post, seen } = setup([start, ...Array.from({ length: 50 }, () => text('x')), end]);
    const response = await post({ messages, stream: true });
    const reader = response.body!.getReader();
    await reader.read();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(seen.made).toBeLessThanOrEqual(3);
    await reader.cancel();
    await expect.poll(() => seen.closed).toBe(true);
  });

  it('says nothing but a comment while it waits, and loses no part by it', async () => {
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 35));
    const { post } = setup([start, pause, text('late'), end], { heartbeatMs: 10 });
    const body = await (await post({ messages, stream: true })).text();
    expect(body).toContain(': waiting\n\n');
    expect(body.match(/late/g)).toHaveLength(1);
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('ends in an error, not in [DONE], when the runtime ends without its end part', async () => {
    const body = await (await setup([start, text('a')]).post({ messages, stream: true })).text();
    expect(body).toContain('"code":"upstream-cut"');
    expect(body).not.toContain('[DONE]');
  });
});

describe('requests', () => {
  it('passes known fields only, and names the others', async () => {
    const { post, seen } = setup();
    const response = await post({
      model: 'm',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
          secret: 1,
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: 'ok' },
      ],
      max_tokens: 9,
      temperature: null,
      stop: 'END',
      service_tier: 'auto',
      metadata: { who: 'ann' },
      'bad\nname': 1,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('nearfield-ignored')).toBe('service_tier, metadata');
    expect(seen.request).toEqual({
      model: 'm',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', name: 'ann', content: 'ab' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: 'ok' },
      ],
      max_completion_tokens: 9,
      stop: ['END'],
    });
  });

  it('takes a refused turn for what was said, and whom OpenAI’s newer field names for the user', async () => {
    const { post, seen } = setup();
    const refused = { role: 'assistant', content: null, refusal: 'I would rather not.' };
    const response = await post({
      messages: [messages[0], refused, messages[0]],
      user: 'tenant',
      safety_identifier: 'ann',
    });
    expect(response.headers.get('nearfield-ignored')).toBeNull();
    expect(seen.request?.user).toBe('ann');
    expect(seen.request).not.toHaveProperty('safety_identifier');
    expect(seen.request?.messages[1]).toEqual({ role: 'assistant', content: 'I would rather not.' });
    await post({ messages, user: 'ann', safety_identifier: null });
    expect(seen.request?.user).toBe('ann');
  });

  it('takes privacy, scope, cache and documents from the body, the first three from headers too', async () => {
    const { post, seen } = setup();
    const documents = [{ id: 'd', text: 'Words.' }];
    await post({ messages, privacy: 'edge', scope: 's', cache: 'refresh', documents });
    expect(seen.request).toMatchObject({ privacy: 'edge', scope: 's', cache: 'refresh', documents });
    await post(
      { messages },
      { 'nearfield-privacy': 'device', 'nearfield-scope': 't', 'nearfield-cache': 'bypass' },
    );
    expect(seen.request).toMatchObject({ privacy: 'device', scope: 't', cache: 'bypass' });
  });

  it('takes the nearer privacy where body and header disagree, and refuses two scopes', async () => {
    const { post, seen } = setup();
    await post({ messages, privacy: 'cloud' }, { 'nearfield-privacy': 'device' });
    expect(seen.request?.privacy).toBe('device');
    await post({ messages, privacy: 'edge' }, { 'nearfield-privacy': 'cloud' });
    expect(seen.request?.privacy).toBe('edge');
    expect((await post({ messages, scope: 'a' }, { 'nearfield-scope': 'b' })).status).toBe(400);
    expect((await post({ messages }, { 'nearfield-privacy': 'Device' })).status).toBe(400);
  });

  it('takes null for what is not set, inside a schema’s wrapping too', async () => {
    const { post, seen } = setup();
    const json_schema = { name: 's', schema: { type: 'object' }, description: null, strict: null };
    await post({ messages, response_format: { type: 'json_schema', json_schema } });
    expect(seen.request?.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 's', schema: { type: 'object' } },
    });
  });

  it('gives the host the last word', async () => {
    const prepare = (request: ChatRequest): ChatRequest => ({ ...request, scope: `tenant/${request.scope}` });
    const { post, seen } = setup(undefined, { prepare });
    await post({ messages, scope: 'me' });
    expect(seen.request?.scope).toBe('tenant/me');
  });

  it.each([
    ['no messages', {}, 'messages'],
    ['empty messages', { messages: [] }, 'messages'],
    ['unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    ['no content', { messages: [{ role: 'user', content: null }] }, 'messages.0.content'],
    ['number content', { messages: [{ role: 'user', content: 4111 }] }, 'messages.0.content'],
    [
      'image',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,x' } }] }] },
      'messages.0.content.0',
    ],
    ['tool without id', { messages: [{ role: 'tool', content: 'x' }] }, 'messages.0.tool_call_id'],
    ['two choices', { messages, n: 2 }, 'n'],
    ['hot', { messages, temperature: 3 }, 'temperature'],
    ['legacy functions', { messages, functions: [{ name: 'f' }] }, 'functions'],
    [
      'tool choice',
      { messages, tool_choice: { type: 'function', function: {} } },
      'tool_choice.function.name',
    ],
    ['privacy', { messages, privacy: 'mars' }, 'privacy'],
    ['stream', { messages, stream: 'yes' }, 'stream'],
  ])('refuses %s with the field at fault', async (_, body, param) => {
    const response = await setup().post(body);
    expect(response.status).toBe(400);
    expect(response.headers.get('x-should-retry')).toBe('false');
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'invalid-request', param });
    expect(error.message).toContain(param);
  });

  it('never quotes a bad request back', async () => {
    const secret = '4111111111111111';
    const { post } = setup();
    const bodies: unknown[] = [
      `{"messages": ${secret}x`,
      { messages: secret },
      { messages: [{ role: secret, content: 'x' }] },
      { messages: [{ role: 'user', content: [{ type: secret }] }] },
      { messages, privacy: secret },
      { messages, tool_choice: secret },
      { messages, stop: [Number(secret)] },
      { messages, logit_bias: { [`x${secret}`]: 1 } },
      { input: Number(secret) },
    ];
    for (const body of bodies) {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(await response.text()).not.toContain(secret);
    }
  });

  it('refuses a body in another encoding than UTF-8: a name half read is a name not found', async () => {
    const { handler, seen } = setup();
    const body = Buffer.from(
      JSON.stringify({ messages: [{ role: 'user', content: 'José García' }] }),
      'latin1',
    );
    const url = 'https://nearfield.invalid/v1/chat/completions';
    const response = await handler(new Request(url, { method: 'POST', body }));
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/UTF-8/);
    expect(seen.request).toBeUndefined();
  });

  it('bounds the body, declared or not', async () => {
    const { post, handler } = setup(undefined, { maxBodyBytes: 100 });
    expect((await post({ messages, user: 'x'.repeat(100) })).status).toBe(413);
    const body = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(64)) });
    const init = { method: 'POST', body, duplex: 'half' };
    const response = await handler(new Request('https://nearfield.invalid/v1/embeddings', init));
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'payload-too-large' } });
  });
});

describe('embeddings through the OpenAI SDK', () => {
  it('gives floats by way of base64, the SDK default, exactly', async () => {
    const { client } = setup();
    const { data, usage, model } = await client.embeddings.create({ model: 'any', input: ['a', 'b'] });
    expect(data.map(({ embedding }) => embedding)).toEqual([
      [...Float32Array.of(0.6, 0.8, -0, 0)],
      [...Float32Array.of(0.6, 1.6, -0, 0)],
    ]);
    expect([usage, model]).toEqual([{ prompt_tokens: 7, total_tokens: 7 }, 'mini']);
  });

  it('gives floats on request, for a single text', async () => {
    const { client } = setup();
    const { data } = await client.embeddings.create({ model: 'any', input: 'a', encoding_format: 'float' });
    expect(data[0]?.embedding[1]).toBe(Math.fround(0.8));
  });

  it('names what it does not use', async () => {
    const response = await setup().post({ input: 'a', user: 'ann', truncate: true }, {}, '/embeddings');
    expect(response.headers.get('nearfield-ignored')).toBe('user, truncate');
  });

  it('shortens to fewer dimensions and makes them unit length', async () => {
    const { client, post } = setup();
    const { data } = await client.embeddings.create({ model: 'any', input: ['a', 'b'], dimensions: 2 });
    expect(Math.hypot(...data[1]!.embedding)).toBeCloseTo(1, 6);
    expect(data[1]!.embedding).toHaveLength(2);
    const more = await post({ input: 'a', dimensions: 5 }, {}, '/embeddings');
    expect(more.status).toBe(400);
    expect(await more.json()).toMatchObject({ error: { param: 'dimensions' } });
  });

  it.each([[[1, 2, 3]], [[[1, 2], [3]]], [[]], [['']], [7]])('refuses %j as input', async (input) => {
    const response = await setup().post({ input }, {}, '/embeddings');
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string; param: string } };
    expect(error.param).toMatch(/^input/);
    if (Array.isArray(input) && input.length > 0 && input[0] !== '')
      expect(error.message).toContain('token arrays');
  });
});

describe('models and the rest', () => {
  it('lists and finds models, slashes in ids included', async () => {
    const { client } = setup();
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual([
      'mini',
      'org/chat',
      'arn:aws:x/eu.test-v1:0',
    ]);
    for (const id of ['org/chat', 'arn:aws:x/eu.test-v1:0'])
      expect((await client.models.retrieve(id)).id).toBe(id);
    await expect(client.models.retrieve('gone')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  it('knows its paths and methods', async () => {
    const { handler } = setup();
    const ask = async (path: string, method = 'GET') =>
      await handler(new Request(`https://nearfield.invalid${path}`, { method }));
    expect((await ask('/v1/chat/completions')).status).toBe(405);
    expect((await ask('/v1/chat/completions')).headers.get('allow')).toBe('POST');
    expect((await ask('/v1/models/mini', 'DELETE')).headers.get('allow')).toBe('GET, HEAD');
    for (const [path, status] of [
      ['/v1/models', 200],
      ['/v1/models/mini', 200],
      ['/v1/models/%', 404],
    ] as const) {
      const head = await ask(path, 'HEAD');
      expect([head.status, head.body]).toEqual([status, null]);
    }
    expect((await ask('/v1/nothing')).status).toBe(404);
    expect(await (await ask('/v1/responses', 'POST')).text()).toContain('chat/completions');
    expect((await ask('/v1')).status).toBe(404);
    expect((await ask('/other/models')).status).toBe(404);
    expect((await ask('/v1/constructor')).status).toBe(404);
  });

  const statuses: readonly (readonly [ErrorCode, number, string])[] = [
    ['egress-denied', 403, 'permission_error'],
    ['redaction-failed', 403, 'permission_error'],
    ['unauthorized', 401, 'authentication_error'],
    ['rate-limited', 429, 'rate_limit_error'],
    ['context-overflow', 400, 'invalid_request_error'],
    // Clients that know no x-should-retry ask again after any 5xx, and each time the request would leave.
    ['no-tier', 400, 'invalid_request_error'],
    ['upstream-rejected', 400, 'invalid_request_error'],
    ['upstream-unavailable', 502, 'api_error'],
    ['upstream-timeout', 504, 'api_error'],
    ['queue-full', 503, 'api_error'],
  ];
  it.each(statuses)('gives %s its status', async (code, status, type) => {
    const response = await setup([new NearfieldError(code, 'Said.')]).post({ messages });
    expect(response.status).toBe(status);
    expect(response.headers.get('nearfield-error')).toBe(code);
    expect(await response.json()).toMatchObject({
      error: { type, message: expect.stringMatching(/^Said\./) },
    });
  });

  it('says no-tier as a matter of time where it is one', async () => {
    const resting = new NearfieldError('no-tier', 'Said.', { retryAfterMs: 1500 });
    const response = await setup([resting]).post({ messages });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.headers.get('x-should-retry')).toBe('true');
  });

  it('tells an HTTP client that left 499, with nothing to read', async () => {
    const controller = new AbortController();
    const { handler } = setup([untilAborted]);
    const url = 'https://nearfield.invalid/v1/chat/completions';
    const body = JSON.stringify({ messages });
    const answer = handler(new Request(url, { method: 'POST', body, signal: controller.signal }));
    setTimeout(() => controller.abort(), 5);
    expect((await answer).status).toBe(499);
  });

  it('hides what a foreign error says', async () => {
    const onError = vi.fn();
    const foreign = new TypeError('Cannot read ann@example.com');
    const response = await setup([foreign], { onError }).post({ messages });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('ann@example.com');
    expect(onError).toHaveBeenCalledWith(foreign);
  });
});
