// The edge in Node with Bedrock behind it: what reaches the cloud, and what does not when a client leaves.
import { collect, createRuntime } from 'nearfield';
import { createEgress, createPolicy, createReceiptBook, verifyReceipts } from 'nearfield/policy';
import { createEdgeTier } from 'nearfield/tiers/edge';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BedrockEmulator, emulatorEnv, startBedrockEmulator } from '../scripts/emulators/bedrock.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { type RunningEdge, startEdge } from './node.ts';

let emulator: BedrockEmulator;
let running: RunningEdge;
let client: OpenAI;

beforeAll(async () => {
  emulator = await startBedrockEmulator();
  running = await startEdge({
    port: 0,
    embedder: createFakeEmbedder(),
    env: {
      ...emulatorEnv(emulator.url, 'anthropic.claude-emulated'),
    },
  });
  client = new OpenAI({ apiKey: 'none', baseURL: `${running.url}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await running?.stop();
  await emulator?.stop();
});

const ask = (content: string, more: object = {}) => ({
  model: 'any',
  messages: [{ role: 'user' as const, content }],
  ...more,
});

it('redacts before the cloud, restores behind it, and the audit counts what went', async () => {
  const answer = await client.chat.completions.create(
    ask('Call Ann at +1 415 555 2671 or ann.lee@example.com.'),
  );
  expect(answer.choices[0]?.message.content).toContain('ann.lee@example.com');
  expect(answer.choices[0]?.message.content).toContain('+1 415 555 2671');
  const received = emulator.received();
  for (const secret of ['ann.lee', '555 2671', 'example.com']) expect(received.includes(secret)).toBe(false);
  await expect.poll(async () => (await running.edge.audit.recent(1))[0]?.tier).toBe('bedrock');
  const [row] = await running.edge.audit.recent(1);
  expect(row?.egressBytes).toBeGreaterThan(100);
  // Whole, not in parts: a duration may well be 415 ms.
  expect(JSON.stringify(await running.edge.audit.recent(99))).not.toMatch(/ann|555.?2671|example\.com/i);
});

it('leaves Bedrock when its client leaves, mid-stream', async () => {
  emulator.script({ kind: 'hang', afterDeltas: 1 });
  const stream = await client.chat.completions.create({ ...ask('hang on'), stream: true });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  await expect.poll(() => emulator.requests.at(-1)?.left).toBe(true);
});

it('leaves Bedrock when its client leaves before the first word', async () => {
  emulator.script({ kind: 'hang', afterDeltas: 0 });
  const stop = new AbortController();
  const before = emulator.requests.length;
  const asked = client.chat.completions.create(ask('hang at once'), { signal: stop.signal });
  await expect.poll(() => emulator.requests.length).toBe(before + 1);
  stop.abort();
  await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
  await expect.poll(() => emulator.requests.at(-1)?.left).toBe(true);
});

it('serves a page: redacted twice on the way out, restored twice on the way back, a receipt on both sides', async () => {
  const page = createRuntime({
    tiers: [createEdgeTier({ baseUrl: `${running.url}/v1` })],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: [new URL(running.url).host] }),
    receipts: createReceiptBook(),
    consent: () => 'cloud',
  });
  const messages = [{ role: 'user' as const, content: 'Write to bob.ray@example.com about the lease.' }];
  const answer = await collect(page.generate({ messages }));
  expect(answer.text).toContain('bob.ray@example.com');
  expect(emulator.received().includes('bob.ray')).toBe(false);
  expect(answer.receipt.redactedByType).toMatchObject({ email: 1 });
  expect(answer.receipt.hosts).toEqual([new URL(running.url).host]);

  const before = emulator.requests.length;
  await expect(collect(page.generate({ messages, privacy: 'edge' }))).rejects.toMatchObject({
    code: expect.stringMatching(/^(egress-denied|no-tier)$/),
  });
  expect(emulator.requests).toHaveLength(before);
  expect(await verifyReceipts(await page.receipts())).toMatchObject({ ok: true });
  expect(await verifyReceipts(await running.edge.receipts())).toMatchObject({ ok: true });
  await page.close();
});

// Last: the router rests a tier that failed, as it should.
it('says upstream trouble in the OpenAI shape, without what upstream said', async () => {
  emulator.script({ kind: 'error', status: 429, type: 'ThrottlingException', retryAfterSeconds: 7 });
  const failure = await client.chat.completions.create(ask('busy')).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(OpenAI.RateLimitError);
  emulator.script({ kind: 'exception', type: 'internalServerException', afterDeltas: 0 });
  await expect(client.chat.completions.create(ask('broken'))).rejects.toBeInstanceOf(
    OpenAI.InternalServerError,
  );
});

it('keeps requests marked edge away from the cloud', async () => {
  const before = emulator.requests.length;
  for (const privacy of ['edge', 'device']) {
    await expect(client.chat.completions.create(ask('hello', { privacy }))).rejects.toBeInstanceOf(
      OpenAI.APIError,
    );
    const header = { headers: { 'nearfield-privacy': privacy } };
    await expect(client.chat.completions.create(ask('hello'), header)).rejects.toBeInstanceOf(
      OpenAI.APIError,
    );
  }
  expect(emulator.requests).toHaveLength(before);
});
