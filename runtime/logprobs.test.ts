// How likely each token was, as OpenAI tells it: from the device's own model, from an edge, from an OpenAI-style
// upstream; refused by one that tells none.
import OpenAI from 'openai';
import { afterEach, expect, it } from 'vitest';
import { createSemanticCache } from './cache/index.ts';
import { createMemoryCacheStore } from './cache/memory.ts';
import { createBookDecoder } from './engine/generation/fixtures/decoder-book.ts';
import { babbler, END, generatorOn, vocabulary } from './engine/generation/fixtures/tiny-generator.ts';
import { createEgress, createPolicy, createReceiptBook } from './policy/index.ts';
import { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
import { createBedrockTier } from './tiers/bedrock.ts';
import { createDeviceTier } from './tiers/device.ts';
import { createEdgeTier } from './tiers/edge.ts';
import { createFakeTier, says } from './tiers/fake.ts';

const HOST = 'far.example';
const open: Runtime[] = [];
afterEach(async () => await Promise.all(open.splice(0).map((runtime) => runtime.close())));

function build(options: Partial<RuntimeOptions>, network?: (http: Request) => Promise<Response>): Runtime {
  const runtime = createRuntime({
    tiers: [],
    policy: createPolicy('balanced'),
    egress: createEgress({
      allowHosts: [HOST],
      fetch: async (input, init) => await (network?.(new Request(input, init)) ?? Response.error()),
    }),
    receipts: createReceiptBook(),
    consent: () => 'cloud',
    ...options,
  });
  open.push(runtime);
  return runtime;
}
const clientOf = (runtime: Runtime): OpenAI =>
  new OpenAI({ apiKey: 'none', baseURL: 'https://here.invalid/v1', fetch: runtime.fetch, maxRetries: 0 });

const ask = {
  model: 'any',
  messages: [{ role: 'user' as const, content: 'Say something.' }],
  logprobs: true,
  top_logprobs: 3,
  max_completion_tokens: 12,
  seed: 5,
};
type Told = OpenAI.ChatCompletionTokenLogprob[];
const spelled = (told: Told): string =>
  new TextDecoder().decode(Uint8Array.from(told.flatMap(({ bytes }) => bytes ?? [])));

it('are the model’s own, whatever temperature, bias and penalties do to the choice', async () => {
  const [a, b] = [vocabulary.encodePlain('a')[0]!, vocabulary.encodePlain('b')[0]!];
  const row = new Float32Array(vocabulary.size).fill(Number.NEGATIVE_INFINITY);
  row[a] = Math.log(0.7);
  row[b] = Math.log(0.2);
  row[END] = Math.log(0.1);
  const runtime = build({
    tiers: [
      createDeviceTier({ generator: generatorOn(createBookDecoder({ vocab: vocabulary.size }, () => row)) }),
    ],
  });
  for (const more of [
    { temperature: 0 },
    { temperature: 1.9 },
    { temperature: 0, logit_bias: { [b]: 9 }, frequency_penalty: 1, presence_penalty: -1 },
  ]) {
    const { choices } = await clientOf(runtime).chat.completions.create({ ...ask, ...more });
    const told = choices[0]!.logprobs!.content!;
    expect(told.map(({ token }) => token).join('')).toBe(choices[0]!.message.content);
    for (const { token, logprob, top_logprobs } of told) {
      expect(Math.exp(logprob)).toBeCloseTo(token === 'a' ? 0.7 : 0.2, 6);
      expect(top_logprobs.map((top) => Number(Math.exp(top.logprob).toFixed(6)))).toEqual([0.7, 0.2, 0.1]);
    }
  }
});

it('come from the edge as its own model tells them, whole and streamed', async () => {
  const edge = build({ tiers: [createDeviceTier({ generator: babbler(3) })] });
  const page = build(
    { tiers: [createEdgeTier({ baseUrl: `https://${HOST}/v1` })] },
    async (http) => await edge.fetch(http),
  );
  const there = (await clientOf(edge).chat.completions.create(ask)).choices[0]!;
  const here = (await clientOf(page).chat.completions.create(ask)).choices[0]!;
  expect(here.logprobs).toEqual(there.logprobs);
  expect(here.logprobs!.content!.every(({ top_logprobs }) => top_logprobs.length === 3)).toBe(true);
  expect(spelled(here.logprobs!.content!)).toBe(here.message.content);
  const streamed = await clientOf(page).chat.completions.stream(ask).finalChatCompletion();
  expect(streamed.choices[0]!.logprobs!.content).toEqual(there.logprobs!.content);
  const { logprobs } = (await clientOf(page).chat.completions.create({ ...ask, logprobs: false }))
    .choices[0]!;
  expect(logprobs).toBeNull();
});

/** An OpenAI-style upstream that says these chunks, and what it was asked. */
function upstream(chunks: readonly { readonly content?: string; readonly logprobs?: unknown }[]) {
  const bodies: Record<string, unknown>[] = [];
  const runtime = build(
    { tiers: [createEdgeTier({ kind: 'cloud', baseUrl: `https://${HOST}/v1` })] },
    async (http) => {
      bodies.push((await http.json()) as Record<string, unknown>);
      const events = chunks.map(({ content = '', logprobs = null }, at) => ({
        choices: [{ delta: { content }, logprobs, finish_reason: at === chunks.length - 1 ? 'stop' : null }],
      }));
      const text = [...events.map((event) => JSON.stringify(event)), '[DONE]'].map(
        (data) => `data: ${data}\n\n`,
      );
      return new Response(text.join(''), { headers: { 'content-type': 'text/event-stream' } });
    },
  );
  return { client: clientOf(runtime), bodies };
}
const one = (token: string, logprob: number, more: object = {}) => ({
  content: [{ token, logprob, bytes: [...new TextEncoder().encode(token)], ...more }],
});

it('are asked of a cloud and taken as it tells them, those of half a character too', async () => {
  const half = { token: '\\xc3', logprob: -0.2, bytes: [0xc3], top_logprobs: [] };
  const { client, bodies } = upstream([
    {
      content: 'Ol',
      logprobs: one('Ol', -0.1, { top_logprobs: [{ token: 'Oi', logprob: -3, bytes: null }] }),
    },
    { logprobs: { content: [half] } },
    { content: 'á', logprobs: { content: [{ token: '\\xa1', logprob: -0.3, bytes: [0xa1] }] } },
  ]);
  const { message, logprobs } = (await client.chat.completions.create(ask)).choices[0]!;
  expect(bodies[0]).toMatchObject({ logprobs: true, top_logprobs: 3 });
  expect(message.content).toBe('Olá');
  expect(spelled(logprobs!.content!)).toBe('Olá');
  expect(logprobs!.content).toMatchObject([
    { token: 'Ol', top_logprobs: [{ token: 'Oi', logprob: -3, bytes: null }] },
    half,
    { token: '\\xa1', logprob: -0.3, top_logprobs: [] },
  ]);
});

it('are neither asked for nor told where nobody wants them, and in another form overlooked', async () => {
  const unasked = upstream([{ content: 'Hi', logprobs: one('Hi', -1) }]);
  const plain = await unasked.client.chat.completions.create({ ...ask, logprobs: null, top_logprobs: null });
  expect(plain.choices[0]!.logprobs).toBeNull();
  expect(Object.keys(unasked.bodies[0]!)).not.toContain('logprobs');
  const legacy = upstream([
    { content: 'Hi', logprobs: { content: [{ tokens: ['Hi'], token_logprobs: [-1] }] } },
  ]);
  const { message, logprobs } = (await legacy.client.chat.completions.create(ask)).choices[0]!;
  expect([message.content, logprobs]).toEqual(['Hi', null]);
});

it('are of what the model said where a placeholder is put back, and none is lost while its text is held', async () => {
  const seen: string[] = [];
  const cut = (text: string): string[] => text.match(/.{1,3}/gsu) ?? [];
  const tier = {
    ...createFakeTier({
      kind: 'edge',
      host: HOST,
      script: (request) => {
        const asked = request.messages[0]!.content as string;
        const said = `I wrote to ${asked.slice(asked.indexOf('['), asked.indexOf(']') + 1)} today.`;
        seen.push(said);
        const parts = cut(said).map((text) => ({
          type: 'text-delta' as const,
          text,
          logprobs: [{ token: text, logprob: -1, bytes: null, top: [] }],
        }));
        return [...parts, ...says().slice(-1)];
      },
    }),
  };
  const messages = [{ role: 'user' as const, content: 'Write to anna.moreau@example.com now.' }];
  const { message, logprobs } = (
    await clientOf(build({ tiers: [tier] })).chat.completions.create({ ...ask, messages })
  ).choices[0]!;
  expect(message.content).toBe('I wrote to anna.moreau@example.com today.');
  expect(seen[0]).not.toContain('anna');
  expect(logprobs!.content!.map(({ token }) => token)).toEqual(cut(seen[0]!));
});

it('are not Bedrock’s to tell: refused by name before anything is sent, or left to a cloud that can', async () => {
  const sent: Request[] = [];
  const credentials = async () => ({ accessKeyId: 'AKIA', secretAccessKey: 'secret' });
  const bedrock = createBedrockTier({
    region: 'eu-west-1',
    model: 'm',
    endpoint: `https://${HOST}`,
    credentials,
  });
  const network = async (http: Request) => {
    sent.push(http);
    return Response.error();
  };
  await expect(
    clientOf(build({ tiers: [bedrock] }, network)).chat.completions.create(ask),
  ).rejects.toMatchObject({ status: 400, param: 'logprobs', message: expect.stringContaining('Bedrock') });
  const other = createFakeTier({ kind: 'cloud', host: HOST, script: says('Fine.') });
  const runtime = build({ tiers: [bedrock, other] }, network);
  expect((await clientOf(runtime).chat.completions.create(ask)).choices[0]!.message.content).toBe('Fine.');
  expect(sent).toEqual([]);
});

it('keep an answer out of the cache, and say so', async () => {
  const tier = createFakeTier();
  const cache = createSemanticCache({
    store: createMemoryCacheStore(),
    embed: async (texts) => texts.map(() => Float32Array.of(1, 0, 0, 0)),
  });
  const runtime = build({ tiers: [tier], cache });
  const client = clientOf(runtime);
  // The second finds nothing, though the first was answered.
  for (const logprobs of [true, null, true]) {
    const { response } = await client.chat.completions
      .create({ ...ask, logprobs, top_logprobs: null })
      .withResponse();
    expect(response.headers.get('cache-status')).toBe(
      logprobs === null
        ? 'Nearfield; fwd=miss; detail=empty'
        : 'Nearfield; fwd=request; detail=asked-logprobs',
    );
  }
  expect(tier.calls).toHaveLength(3);
});
