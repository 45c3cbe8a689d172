import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type BedrockBehaviour,
  type BedrockEmulator,
  EMULATOR_CREDENTIALS,
  EMULATOR_REGION,
  eventFrame,
  exceptionFrame,
  NOT_READY,
  SERVER_ERROR,
  startBedrockEmulator,
  UNAVAILABLE,
} from '../../scripts/emulators/bedrock.ts';
import { allowsFallback, type NearfieldError } from '../errors.ts';
import type { ChatRequest, Tier, TierPart } from '../types.ts';
import { type BedrockTierOptions, createBedrockTier } from './bedrock.ts';
import { framesOf, partsOf } from './bedrock-frames.ts';
import { converseBody } from './bedrock-request.ts';
import { type Scenario, tierContract } from './tier.contract.ts';

const MODEL = 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.test-v1:0';

function connect(emulator: BedrockEmulator, options: Partial<BedrockTierOptions> = {}): Tier {
  return createBedrockTier({
    region: EMULATOR_REGION,
    model: MODEL,
    credentials: async () => EMULATOR_CREDENTIALS,
    endpoint: emulator.url,
    ...options,
  });
}

const STOP: Readonly<Record<string, string>> = {
  stop: 'end_turn',
  length: 'max_tokens',
  content_filter: 'guardrail_intervened',
};

function behaviourOf(scenario: Scenario): BedrockBehaviour {
  switch (scenario.kind) {
    case 'says':
      return { kind: 'text', deltas: scenario.texts, stopReason: STOP[scenario.finishReason ?? 'stop']! };
    case 'calls':
      return { kind: 'tool', ...scenario.calls[0]!, more: scenario.calls.slice(1) };
    case 'hangs':
      return { kind: 'hang', afterDeltas: scenario.afterTexts };
    case 'throttles':
      return {
        kind: 'error',
        status: 429,
        type: 'ThrottlingException',
        retryAfterSeconds: scenario.retryAfterSeconds,
      };
    case 'fails':
      return UNAVAILABLE;
    case 'breaks':
      return { kind: 'cut', afterDeltas: scenario.afterTexts };
  }
}

tierContract('bedrock tier', async () => {
  const emulator = await startBedrockEmulator();
  return {
    tier: connect(emulator),
    fetch,
    next: (...scenarios) => emulator.script(...scenarios.map(behaviourOf)),
    asked: () => emulator.requests.length,
    left: () => emulator.requests.at(-1)?.left === true,
    close: async () => await emulator.stop(),
  };
});

describe('against the emulator', () => {
  let emulator: BedrockEmulator;
  beforeEach(async () => {
    emulator = await startBedrockEmulator();
  });
  afterEach(async () => {
    await emulator.stop();
    vi.unstubAllGlobals();
  });

  const request: ChatRequest = { messages: [{ role: 'user', content: 'Who is ⟦PERSON_1⟧?' }] };
  async function ask(tier = connect(emulator), asked = request): Promise<TierPart[]> {
    const parts: TierPart[] = [];
    const context = { signal: new AbortController().signal, fetch };
    for await (const part of tier.stream(asked, context)) parts.push(part);
    return parts;
  }
  async function failure(behaviour?: BedrockBehaviour, tier?: Tier): Promise<NearfieldError> {
    if (behaviour !== undefined) emulator.script(behaviour);
    return await ask(tier).then(
      () => Promise.reject(new Error('Expected a failure.')),
      (error: NearfieldError) => error,
    );
  }

  it('signs so that the signature holds, for an ARN with colons and a slash', async () => {
    const parts = await ask();
    expect(emulator.requests).toMatchObject([{ signature: 'valid', modelId: MODEL }]);
    const text = parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
    expect(text).toContain('“Who is ⟦PERSON_1⟧?”');
    expect(parts.at(-1)).toMatchObject({ type: 'finish', model: MODEL });
  });

  it('gives one call where the request wants no more', async () => {
    const tool = { kind: 'tool' as const, name: 'now', input: {}, more: [{ name: 'now', input: { at: 1 } }] };
    const namesOf = (parts: readonly TierPart[]) =>
      parts.flatMap((part) => (part.type === 'tool-call-delta' && part.id !== undefined ? [part.id] : []));
    const offering = { ...request, tools: [{ type: 'function' as const, function: { name: 'now' } }] };
    emulator.script(tool, tool);
    expect(namesOf(await ask(undefined, offering))).toHaveLength(2);
    const parts = await ask(undefined, { ...offering, parallel_tool_calls: false });
    expect(namesOf(parts)).toHaveLength(1);
    expect(parts.at(-1)).toMatchObject({ finishReason: 'tool_calls' });
  });

  it('signs with a session token, and asks for credentials each time', async () => {
    const other = await startBedrockEmulator({
      credentials: { ...EMULATOR_CREDENTIALS, sessionToken: 'token/+=' },
    });
    const credentials = vi.fn(async () => ({ ...EMULATOR_CREDENTIALS, sessionToken: 'token/+=' }));
    const tier = connect(other, { credentials });
    await ask(tier);
    await ask(tier);
    expect(credentials).toHaveBeenCalledTimes(2);
    expect(other.requests.map(({ signature }) => signature)).toEqual(['valid', 'valid']);
    await other.stop();
  });

  it('sends nothing of the request but what Converse needs', async () => {
    const private_ = {
      user: 'ann@example.com',
      scope: 'tenant-7',
      cache: 'use' as const,
      privacy: 'cloud' as const,
    };
    await ask(undefined, { ...request, ...private_, seed: 4 });
    const received = emulator.received().toString('utf8');
    for (const secret of ['ann@example.com', 'tenant-7', 'privacy', 'secret'])
      expect(received).not.toContain(secret);
    expect(JSON.parse(emulator.requests[0]!.body)).toEqual({
      messages: [{ role: 'user', content: [{ text: 'Who is ⟦PERSON_1⟧?' }] }],
    });
  });

  it.each([
    [NOT_READY, 'upstream-throttled'],
    [SERVER_ERROR, 'upstream-unavailable'],
    [{ kind: 'error', status: 408, type: 'ModelTimeoutException' }, 'upstream-timeout'],
    [{ kind: 'error', status: 424, type: 'ModelErrorException' }, 'upstream-unavailable'],
    [{ kind: 'error', status: 400, type: 'ValidationException' }, 'upstream-rejected'],
    [{ kind: 'error', status: 400, type: 'ServiceQuotaExceededException' }, 'upstream-throttled'],
    [
      { kind: 'error', status: 403, type: 'AccessDeniedException:http://internal.example/' },
      'upstream-rejected',
    ],
    [{ kind: 'error', status: 404, type: 'ResourceNotFoundException' }, 'model-not-found'],
    [{ kind: 'error', status: 418, type: 'SomethingNewException' }, 'upstream-rejected'],
    [{ kind: 'exception', type: 'throttlingException', afterDeltas: 0 }, 'upstream-throttled'],
    [{ kind: 'exception', type: 'modelTimeoutException', afterDeltas: 0 }, 'upstream-timeout'],
    [{ kind: 'exception', type: 'validationException', afterDeltas: 0 }, 'upstream-rejected'],
    [{ kind: 'corrupt', afterDeltas: 0 }, 'upstream-unavailable'],
  ] as const)('falls back from %o as %s', async (behaviour, code) => {
    const error = await failure(behaviour);
    expect(error.code).toBe(code);
    expect(allowsFallback(error)).toBe(true);
  });

  it.each([
    { kind: 'exception', type: 'modelStreamErrorException', afterDeltas: 2 },
    { kind: 'exception', type: 'throttlingException', afterDeltas: 1 },
    { kind: 'corrupt', afterDeltas: 1 },
  ] as const)('never falls back from $kind after good parts', async (behaviour) => {
    const error = await failure(behaviour);
    expect(error.code).toBe('upstream-cut');
    expect(allowsFallback(error)).toBe(false);
  });

  it('says nothing that Bedrock said: an error may quote the prompt', async () => {
    const error = await failure({ kind: 'error', status: 400, type: 'ValidationException' });
    expect(error.message).not.toContain('Emulated');
  });

  it('calls wrong keys a refusal', async () => {
    const tier = connect(emulator, {
      credentials: async () => ({ accessKeyId: 'AKX', secretAccessKey: 'y' }),
    });
    expect((await failure(undefined, tier)).code).toBe('upstream-rejected');
    expect(emulator.requests[0]?.signature).toBe('UnrecognizedClientException');
  });

  it('calls a dead host, and credentials that fail, unavailable', async () => {
    const dead = connect(emulator, { endpoint: 'http://127.0.0.1:9' });
    expect((await failure(undefined, dead)).code).toBe('upstream-unavailable');
    const keyless = connect(emulator, { credentials: () => Promise.reject(new Error('No role.')) });
    expect((await failure(undefined, keyless)).code).toBe('upstream-unavailable');
  });

  it('gives up on a first part that is late', async () => {
    // Long enough for the request to arrive, be the machine as busy as it may.
    const tier = connect(emulator, { timeoutMs: 1000 });
    expect((await failure({ kind: 'hang', afterDeltas: 0 }, tier)).code).toBe('upstream-timeout');
    await expect.poll(() => emulator.requests[0]?.left).toBe(true);
  });

  it.each(['device', 'edge'] as const)(
    'refuses a request that may go no farther than the %s',
    async (privacy) => {
      const asking = ask(undefined, { ...request, privacy });
      await expect(asking).rejects.toMatchObject({ code: 'egress-denied' });
      expect(emulator.received()).toHaveLength(0);
    },
  );

  it('cannot be made in a page', () => {
    vi.stubGlobal('document', {});
    expect(() => connect(emulator)).toThrow(/AWS keys.*edge worker/);
  });
});

describe('frames', () => {
  const stream = [
    eventFrame('messageStart', { role: 'assistant' }),
    eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'é🌍' } }),
    eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'hm' } } }),
    eventFrame('somethingNew', { any: 1 }),
    eventFrame('messageStop', { stopReason: 'end_turn' }),
  ];
  const bytes = Buffer.concat(stream);
  async function parse(...chunks: Uint8Array[]): Promise<TierPart[]> {
    const parts: TierPart[] = [];
    const source = (async function* () {
      yield* chunks;
    })();
    for await (const part of partsOf(framesOf(source), 'bedrock', 'm')) parts.push(part);
    return parts;
  }

  it('reads them cut in two at every byte, the four length bytes included', async () => {
    const whole = await parse(bytes);
    expect(whole).toEqual([
      { type: 'text-delta', text: 'é🌍' },
      { type: 'finish', finishReason: 'stop', usage: undefined, model: 'm' },
    ]);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(await parse(bytes.subarray(0, at), bytes.subarray(at))).toEqual(whole);
    }
  });

  it('refuses every single damaged byte', async () => {
    const frame = stream[1]!;
    for (let at = 0; at < frame.length; at += 1) {
      const damaged = frame.slice();
      damaged[at]! ^= 0x01;
      await expect(parse(damaged), `byte ${at}`).rejects.toThrow();
    }
  });

  it('refuses a length beyond reason at once, and an end inside a frame', async () => {
    await expect(parse(Uint8Array.of(0x7f, 0xff, 0xff, 0xff))).rejects.toThrow(/Expected a frame/);
    await expect(parse(bytes.subarray(0, bytes.length - 1))).rejects.toThrow(/inside a frame/);
  });

  it('throws what an exception frame carries, by a name it knows', async () => {
    await expect(parse(exceptionFrame('throttlingException'))).rejects.toMatchObject({
      code: 'upstream-throttled',
    });
    const strange = parse(exceptionFrame('patient Ann Example'));
    await expect(strange).rejects.toMatchObject({
      code: 'upstream-unavailable',
      message: expect.not.stringContaining('Ann'),
    });
  });
});

describe('the body', () => {
  const tool = {
    type: 'function' as const,
    function: { name: 'f', description: 'd', parameters: { type: 'object' } },
  };
  const call = { id: 'c1', type: 'function' as const, function: { name: 'f', arguments: '{"a":1}' } };

  it('maps roles, merges neighbours, drops blanks', () => {
    expect(
      converseBody({
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
          { role: 'user', content: 'a', name: 'ann' },
          { role: 'user', content: 'b' },
          { role: 'assistant', content: '  ' },
          { role: 'assistant', content: null, tool_calls: [call] },
          { role: 'tool', tool_call_id: 'c1', content: '' },
          { role: 'user', content: 'c' },
        ],
        documents: [{ id: 'd', title: 'T', text: 'Words.' }],
        tools: [tool],
      }),
    ).toMatchObject({
      system: [
        { text: 'Be brief.' },
        { text: 'Be kind.' },
        { text: expect.stringContaining('[d] T\nWords.') },
      ],
      messages: [
        { role: 'user', content: [{ text: 'a' }, { text: 'b' }] },
        { role: 'assistant', content: [{ toolUse: { toolUseId: 'c1', name: 'f', input: { a: 1 } } }] },
        {
          role: 'user',
          content: [{ toolResult: { toolUseId: 'c1', content: [{ text: '(no output)' }] } }, { text: 'c' }],
        },
      ],
      toolConfig: {
        tools: [{ toolSpec: { name: 'f', description: 'd', inputSchema: { json: { type: 'object' } } } }],
      },
    });
  });

  const user = { role: 'user' as const, content: 'x' };
  it('maps sampling, tool choice and schemas', () => {
    const body = converseBody({
      messages: [user],
      max_completion_tokens: 9,
      temperature: 0,
      top_p: 0.5,
      stop: ['END'],
      tools: [tool],
      tool_choice: { type: 'function', function: { name: 'f' } },
      response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'string' } } },
    });
    expect(body).toMatchObject({
      inferenceConfig: { maxTokens: 9, temperature: 0, topP: 0.5, stopSequences: ['END'] },
      toolConfig: { toolChoice: { tool: { name: 'f' } } },
      outputConfig: {
        textFormat: {
          type: 'json_schema',
          structure: { jsonSchema: { name: 's', schema: '{"type":"string"}' } },
        },
      },
    });
  });

  it.each([
    ['auto', { auto: {} }],
    ['required', { any: {} }],
  ] as const)('maps tool choice %s', (choice, toolChoice) => {
    expect(converseBody({ messages: [user], tools: [tool], tool_choice: choice })).toMatchObject({
      toolConfig: { toolChoice },
    });
  });

  it('offers no tool for choice none, but names those of the history, as Converse demands', () => {
    const none = { tools: [tool], tool_choice: 'none' as const };
    expect(converseBody({ messages: [user], ...none })).not.toHaveProperty('toolConfig');
    const history = [user, { role: 'assistant' as const, content: null, tool_calls: [call] }];
    expect(converseBody({ messages: history })).toMatchObject({
      toolConfig: { tools: [{ toolSpec: { name: 'f' } }] },
    });
  });

  it('asks for JSON in words where Converse has no mode for it', () => {
    const body = converseBody({ messages: [user], response_format: { type: 'json_object' } });
    expect(body).toMatchObject({ system: [{ text: expect.stringContaining('JSON object') }] });
  });

  it('refuses nothing to say and arguments that are no JSON, without quoting them', () => {
    expect(() => converseBody({ messages: [{ role: 'user', content: ' ' }] })).toThrow(/Expected a message/);
    const broken = { ...call, function: { name: 'f', arguments: '{"ssn": 078-05-1120' } };
    const messages = [user, { role: 'assistant' as const, content: null, tool_calls: [broken] }];
    expect(() => converseBody({ messages })).toThrow(
      /messages\.1\.tool_calls\.0\.function\.arguments: expected a JSON object/,
    );
    expect(() => converseBody({ messages })).not.toThrow(/078/);
    for (const json of ['[1]', '"x"', 'null', '4']) {
      const odd = { ...call, function: { name: 'f', arguments: json } };
      const turn = { role: 'assistant' as const, content: null, tool_calls: [odd] };
      expect(() => converseBody({ messages: [user, turn] })).toThrow(/arguments: expected a JSON object/);
    }
  });
});
