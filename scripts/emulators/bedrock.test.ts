// The emulator is held to what AWS's own SDK accepts: what passes here is a Bedrock to a real client.
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  type ConverseStreamOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AwsCredentials,
  type BedrockEmulator,
  EMULATOR_CREDENTIALS,
  EMULATOR_REGION,
  FILTERED,
  NOT_READY,
  SERVER_ERROR,
  startBedrockEmulator,
  THROTTLED,
  UNAVAILABLE,
} from './bedrock.ts';

const MODEL = 'eu.anthropic.claude-test-v1:0';
let emulator: BedrockEmulator;
beforeEach(async () => {
  emulator = await startBedrockEmulator();
});
afterEach(async () => await emulator.stop());

function connect(
  credentials: AwsCredentials = EMULATOR_CREDENTIALS,
  region = EMULATOR_REGION,
): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    region,
    credentials,
    endpoint: emulator.url,
    requestHandler: new NodeHttpHandler(),
    maxAttempts: 1,
  });
}

const ask = (text: string) => ({
  modelId: MODEL,
  messages: [{ role: 'user' as const, content: [{ text }] }],
});

async function collect(text: string): Promise<ConverseStreamOutput[]> {
  const { stream } = await connect().send(new ConverseStreamCommand(ask(text)));
  const events: ConverseStreamOutput[] = [];
  for await (const event of stream!) events.push(event);
  return events;
}

function textOf(events: readonly ConverseStreamOutput[]): string {
  return events.map((event) => event.contentBlockDelta?.delta?.text ?? '').join('');
}

describe('with the AWS SDK as its client', () => {
  it('answers Converse, telling what reached it', async () => {
    const answer = await connect().send(new ConverseCommand(ask('Where is <EMAIL_1>?')));
    expect(answer.output?.message?.content?.[0]?.text).toContain('“Where is <EMAIL_1>?”');
    expect(answer.stopReason).toBe('end_turn');
    expect(answer.usage?.totalTokens).toBeGreaterThan(0);
    expect(emulator.requests).toMatchObject([{ modelId: MODEL, signature: 'valid', left: false }]);
  });

  it.each([undefined, 1, 3, 1000])('streams ConverseStream, %s bytes a write', async (chunkBytes) => {
    emulator.splitEvery(chunkBytes);
    const events = await collect('Grüße 🌍 <EMAIL_1>');
    expect(textOf(events)).toContain('“Grüße 🌍 <EMAIL_1>”');
    expect(events[0]?.messageStart?.role).toBe('assistant');
    expect(events.at(-2)?.messageStop?.stopReason).toBe('end_turn');
    expect(events.at(-1)?.metadata?.usage?.outputTokens).toBeGreaterThan(0);
  });

  it('uses tools', async () => {
    emulator.script({ kind: 'tool', name: 'lookup', input: { q: 'é' }, text: 'Let me look.' });
    const events = await collect('x');
    expect(events.find((event) => event.contentBlockStart)?.contentBlockStart).toMatchObject({
      contentBlockIndex: 1,
      start: { toolUse: { name: 'lookup' } },
    });
    const input = events.map((event) => event.contentBlockDelta?.delta?.toolUse?.input ?? '').join('');
    expect(JSON.parse(input)).toEqual({ q: 'é' });
    expect(events.at(-2)?.messageStop?.stopReason).toBe('tool_use');
  });

  it.each([
    [THROTTLED, 'ThrottlingException', 429],
    [NOT_READY, 'ModelNotReadyException', 429],
    [SERVER_ERROR, 'InternalServerException', 500],
    [UNAVAILABLE, 'ServiceUnavailableException', 503],
  ] as const)('fails as scripted: $type', async (behaviour, name, status) => {
    emulator.script(behaviour);
    const failed = connect().send(new ConverseStreamCommand(ask('x')));
    await expect(failed).rejects.toMatchObject({ name, $metadata: { httpStatusCode: status } });
  });

  it('sends an exception as the only frame of a 200, and after good ones', async () => {
    emulator.script({ kind: 'exception', type: 'throttlingException', afterDeltas: 0 });
    await expect(collect('x')).rejects.toMatchObject({ name: 'ThrottlingException' });
    emulator.script({ kind: 'exception', type: 'modelStreamErrorException', afterDeltas: 2 });
    await expect(collect('x')).rejects.toMatchObject({ name: 'ModelStreamErrorException' });
  });

  it('cuts a stream inside a frame, and corrupts one', async () => {
    emulator.script({ kind: 'cut', afterDeltas: 2 }, { kind: 'corrupt', afterDeltas: 1 });
    await expect(collect('x')).rejects.toThrow();
    await expect(collect('x')).rejects.toThrow(/checksum/i);
  });

  it('filters content', async () => {
    emulator.script(FILTERED);
    expect((await collect('x')).at(-2)?.messageStop?.stopReason).toBe('content_filtered');
  });

  it('refuses wrong keys, regions and tokens as AWS does', async () => {
    const refused = async (credentials: AwsCredentials, region?: string): Promise<string> => {
      const error = await connect(credentials, region)
        .send(new ConverseCommand(ask('x')))
        .catch((thrown: Error) => thrown);
      return (error as Error).name;
    };
    const { accessKeyId, secretAccessKey } = EMULATOR_CREDENTIALS;
    expect(await refused({ accessKeyId, secretAccessKey: 'wrong' })).toBe('InvalidSignatureException');
    expect(await refused({ accessKeyId: 'AKOTHER', secretAccessKey })).toBe('UnrecognizedClientException');
    expect(await refused({ ...EMULATOR_CREDENTIALS, sessionToken: 't' })).toBe('UnrecognizedClientException');
    expect(await refused(EMULATOR_CREDENTIALS, 'eu-west-1')).toBe('InvalidSignatureException');
  });

  it('refuses what Bedrock refuses', async () => {
    const client = connect();
    const turns = (...messages: { role: 'user' | 'assistant'; content: { text: string }[] }[]) =>
      client.send(new ConverseCommand({ modelId: MODEL, messages }));
    const user = { role: 'user' as const, content: [{ text: 'a' }] };
    for (const bad of [
      turns(),
      turns({ role: 'assistant', content: [{ text: 'a' }] }),
      turns(user, user),
      turns({ role: 'user', content: [{ text: ' ' }] }),
    ]) {
      await expect(bad).rejects.toMatchObject({ name: 'ValidationException' });
    }
  });
});

describe('as a witness', () => {
  it('keeps every byte received, request line and headers included', async () => {
    await connect().send(new ConverseCommand(ask('a canary: heron-42')));
    const received = emulator.received().toString('utf8');
    expect(received).toContain('heron-42');
    expect(received).toMatch(/^POST \/model\/eu\.anthropic\.claude-test-v1%3A0\/converse HTTP\/1\.1/);
    expect(received.toLowerCase()).toContain('authorization: aws4-hmac-sha256');
  });

  it('refuses a body changed after it was signed, a stale date and no signature', async () => {
    await connect().send(new ConverseCommand(ask('one')));
    const { headers, body, path } = emulator.requests[0]!;
    const resend = async (
      changes: Record<string, string | undefined>,
      sent = body,
    ): Promise<string | null> => {
      const kept = Object.entries({ ...headers, ...changes }).filter(
        ([name, value]) => value !== undefined && !['host', 'connection', 'content-length'].includes(name),
      );
      const init = {
        method: 'POST',
        headers: Object.fromEntries(kept) as Record<string, string>,
        body: sent,
      };
      return (await fetch(emulator.url + path, init)).headers.get('x-amzn-errortype');
    };
    expect(await resend({})).toBeNull();
    expect(await resend({}, body.replace('one', 'two'))).toBe('InvalidSignatureException');
    const hashless = { 'x-amz-content-sha256': undefined };
    expect(await resend(hashless, body.replace('one', 'two'))).toBe('InvalidSignatureException');
    expect(await resend({ 'x-amz-date': '20200101T000000Z' })).toBe('ExpiredTokenException');
    expect(await resend({ authorization: undefined })).toBe('MissingAuthenticationTokenException');
    expect(await resend({ authorization: 'Bearer x' })).toBe('IncompleteSignatureException');
  });

  it('notes that a client left in the middle', async () => {
    emulator.script({ kind: 'hang', afterDeltas: 1 });
    const controller = new AbortController();
    const { stream } = await connect().send(new ConverseStreamCommand(ask('x')), {
      abortSignal: controller.signal,
    });
    for await (const event of stream!) {
      if (event.contentBlockDelta === undefined) continue;
      controller.abort();
      break;
    }
    await expect.poll(() => emulator.requests[0]?.left).toBe(true);
  });
});
