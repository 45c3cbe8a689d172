// A schema that the device's grammar has no words for: answered by the next tier that policy, consent and request
// allow, and by nobody else; refused by name where there is none.
import { afterEach, expect, it } from 'vitest';
import { babbler } from './engine/generation/fixtures/tiny-generator.ts';
import { NearfieldError } from './errors.ts';
import { createEgress, createPolicy, createReceiptBook } from './policy/index.ts';
import { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
import { createDeviceTier } from './tiers/device.ts';
import { createEdgeTier } from './tiers/edge.ts';
import { createFakeTier, type FakeTier, fails, says } from './tiers/fake.ts';
import type { ChatRequest } from './types.ts';

const AT = 'response_format.json_schema.schema.properties.a';
const asks = (a: object, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content: 'Fill this in.' }],
  response_format: {
    type: 'json_schema',
    json_schema: { name: 's', schema: { type: 'object', properties: { a }, required: ['a'] } },
  },
  ...more,
});
const NOT = { not: { type: 'string' } };

let runtime: Runtime | undefined;
afterEach(async () => await runtime?.close());

function build(more: Partial<RuntimeOptions> = {}): { runtime: Runtime; edge: FakeTier; cloud: FakeTier } {
  const edge = createFakeTier({ kind: 'edge', host: 'edge.example', script: says('{"a":1}') });
  const cloud = createFakeTier({ kind: 'cloud', host: 'cloud.example', script: says('{"a":2}') });
  runtime = createRuntime({
    tiers: [createDeviceTier({ generator: babbler(1) }), edge, cloud],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: ['edge.example', 'cloud.example'] }),
    receipts: createReceiptBook(),
    consent: () => 'cloud',
    ...more,
  });
  return { runtime, edge, cloud };
}

it.each([
  ['a keyword', NOT],
  ['a format', { type: 'string', format: 'iri' }],
  ['a pattern', { type: 'string', pattern: '(a)\\1' }],
  ['choices that may both hold', { oneOf: [{ type: 'string' }, { minLength: 2 }] }],
  ['a keyword of an item’s property', { type: 'array', items: { type: 'object', properties: { b: NOT } } }],
])('goes to the next tier: %s', async (_what, schema) => {
  const { runtime, edge, cloud } = build();
  expect(await runtime.complete(asks(schema))).toMatchObject({ text: '{"a":1}', tier: { kind: 'edge' } });
  expect([edge.calls.length, cloud.calls.length]).toEqual([1, 0]);
  expect(runtime.traces()[0]).toMatchObject({
    outcome: 'ok',
    attempts: [{ tier: { kind: 'device' }, code: 'invalid-request' }],
  });
});

it('goes there for parameters of a tool, a stop beside JSON, and JSON beside tools, alike', async () => {
  const { runtime, edge } = build();
  const tools = (parameters: Record<string, unknown>) => [
    { type: 'function' as const, function: { name: 'f', parameters } },
  ];
  const { response_format: _none, ...plain } = asks({});
  await runtime.complete({ ...plain, tools: tools({ type: 'object', properties: { a: NOT } }) });
  await runtime.complete(asks({ type: 'number' }, { stop: ['x'] }));
  await runtime.complete(asks({ type: 'number' }, { tools: tools({ type: 'object', properties: {} }) }));
  expect(edge.calls).toHaveLength(3);
});

it.each<[string, Partial<ChatRequest>, Partial<RuntimeOptions>]>([
  ['the request stays', { privacy: 'device' }, {}],
  ['nobody consented', {}, { consent: () => undefined }],
  [
    'a strict policy finds a person in it',
    { messages: [{ role: 'user', content: 'Fill this in for anna.moreau@example.com.' }] },
    { policy: createPolicy('strict') },
  ],
  [
    'a secret is in it',
    {
      messages: [
        {
          role: 'user',
          content: 'Fill in AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.',
        },
      ],
    },
    {},
  ],
])('is refused by name, and no tier asked, where %s', async (_why, request, options) => {
  const { runtime, edge, cloud } = build(options);
  const refused = await runtime.complete(asks(NOT, request)).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'invalid-request', param: AT });
  expect((refused as Error).message).toContain('keyword not is not supported');
  expect([edge.calls.length, cloud.calls.length]).toEqual([0, 0]);
  expect((await runtime.receipts())[0]).toMatchObject({ bytesOut: 0, hosts: [] });
});

it('is the same 400 over OpenAI’s wire', async () => {
  const { runtime } = build();
  const response = await runtime.fetch('https://nearfield.invalid/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asks(NOT, { privacy: 'device' })),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { type: 'invalid_request_error', param: AT, message: expect.stringContaining('keyword not') },
  });
});

it('is refused by its place to a page that asks an edge which has no farther tier', async () => {
  const behind = build({ tiers: [createDeviceTier({ generator: babbler(1) })] }).runtime;
  const tier = createEdgeTier({ baseUrl: 'https://edge.example/v1' });
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> =>
    await behind.fetch(input, init);
  const page = build({
    tiers: [tier],
    egress: createEgress({ allowHosts: ['edge.example'], fetch }),
  }).runtime;
  await expect(page.complete(asks(NOT))).rejects.toMatchObject({ code: 'upstream-rejected', param: AT });
  await behind.close();
});

it('stays at home where the schema itself is wrong: nobody could keep to it', async () => {
  const { runtime, edge } = build();
  const wrong = asks({ type: 'number', minimum: 'nothing' });
  await expect(runtime.complete(wrong)).rejects.toMatchObject({ param: `${AT}.minimum` });
  await expect(runtime.complete(asks({ type: 'number', minimum: 2, maximum: 1 }))).rejects.toMatchObject({
    code: 'invalid-request',
  });
  expect(edge.calls).toEqual([]);
});

it('leaves redacted, the schema too', async () => {
  const { runtime, edge } = build();
  await runtime.complete(asks({ ...NOT, enum: ['anna.moreau@example.com'] }));
  expect(JSON.stringify(edge.calls[0]?.request)).not.toContain('anna.moreau');
});

it('is refused by name where farther tiers say no and not why, and where they may not have it', async () => {
  const { runtime, edge, cloud } = build();
  edge.next(fails('upstream-rejected'));
  cloud.next(fails('upstream-rejected'));
  const both = await runtime.complete(asks(NOT)).catch((error: unknown) => error as NearfieldError);
  expect(both).toMatchObject({ code: 'invalid-request', param: AT });
  expect((both as Error).message).toContain('fake-cloud (upstream-rejected)');
  edge.next(fails('egress-denied'));
  await expect(runtime.complete(asks(NOT))).rejects.toMatchObject({ code: 'invalid-request', param: AT });
  expect(cloud.calls).toHaveLength(1);
  expect(runtime.traces()[1]?.attempts.map(({ code }) => code)).toEqual(['invalid-request', 'egress-denied']);
});

it('is said to be unavailable, not wrong, while a tier that may be able to fails or rests', async () => {
  const { runtime, edge, cloud } = build();
  edge.next(fails('upstream-rejected'));
  cloud.next(fails(new NearfieldError('upstream-throttled', 'Later.', { retryAfterMs: 60_000 })));
  await expect(runtime.complete(asks(NOT))).rejects.toMatchObject({ code: 'upstream-throttled' });
  edge.next(fails('upstream-rejected'));
  await expect(runtime.complete(asks(NOT))).rejects.toMatchObject({
    code: 'no-tier',
    retryAfterMs: expect.any(Number),
  });
  expect(cloud.calls).toHaveLength(1);
});

it('does not fall back once a tier has spoken', async () => {
  const { runtime, edge, cloud } = build();
  edge.next([
    { type: 'text-delta', text: '{' },
    { type: 'throw', error: new NearfieldError('invalid-request', 'Not here.', { elsewhere: true }) },
  ]);
  await expect(runtime.complete(asks(NOT))).rejects.toMatchObject({ message: 'Not here.' });
  expect(cloud.calls).toEqual([]);
});
