// What ChatOpenAI makes of a refusal: LangChain asks six times more after whatever it takes for a passing trouble, and
// knows no header that says otherwise. Its retries are left as they are.
import { ContextOverflowError } from '@langchain/core/errors';
import { HumanMessage } from '@langchain/core/messages';
import { NearfieldError, type Tier, type TierPart } from 'nearfield';
import { createFakeTier, fails, says } from 'nearfield/tiers/fake';
import { afterEach, describe, expect, it } from 'vitest';
import { HOSTS, type Host, chatOpenAiOf as modelOf, startEdgeHost } from './clients.fixture.ts';
import { createApiKey, hashApiKey } from './keys.ts';

let host: Host | undefined;
afterEach(async () => {
  await host?.stop();
  host = undefined;
});

describe.each(HOSTS)('a refusal, told to ChatOpenAI by %s', (_name, start) => {
  const final: readonly (readonly [string, () => Parameters<typeof start>[0], object])[] = [
    [
      'of the upstream',
      () => ({ tiers: [createFakeTier({ script: fails('upstream-rejected') })] }),
      { status: 400 },
    ],
    [
      'for want of a tier',
      () => ({ tiers: [createFakeTier({ can: () => false })] }),
      { status: 400, code: 'no-tier' },
    ],
    [
      'by the policy',
      () => ({ tiers: [createFakeTier({ kind: 'cloud', host: 'cloud.example' })] }),
      { status: 403, code: 'egress-denied' },
    ],
  ];
  it.each(final)('%s is final: the prompt is sent once', async (_why, options, error) => {
    host = await start(options());
    const model = modelOf(host, { modelKwargs: { privacy: 'device' } });
    await expect(model.invoke('Hi')).rejects.toMatchObject(error);
    await expect(model.stream('Hi')).rejects.toMatchObject(error);
    expect(host.asked).toHaveLength(2);
  });

  it('of a field or an image is a bad request that names it', async () => {
    host = await start();
    await expect(modelOf(host, { n: 2 }).invoke('Hi')).rejects.toMatchObject({ status: 400, param: 'n' });
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const shown = new HumanMessage({ content: [{ type: 'text', text: 'What is this?' }, image] });
    const param = 'messages.0.content.1';
    await expect(modelOf(host).invoke([shown])).rejects.toMatchObject({ status: 400, param });
    expect(host.asked).toHaveLength(2);
  });

  it('of a conversation too long is LangChain’s own error for that', async () => {
    host = await start({ tiers: [createFakeTier({ script: fails('context-overflow') })] });
    const failure = await modelOf(host)
      .invoke('Hi')
      .catch((error: unknown) => error);
    expect(ContextOverflowError.isInstance(failure)).toBe(true);
    expect(host.asked).toHaveLength(1);
  });

  it('of a device too busy just now is asked once more', async () => {
    const tier = createFakeTier({ script: says('Now.') });
    tier.next(fails('queue-full'));
    host = await start({ tiers: [tier] });
    expect((await modelOf(host).invoke('Hi')).content).toBe('Now.');
    expect(host.asked.map(({ status }) => status)).toEqual([503, 200]);
  });

  it('in the midst of an answer ends it, with what was said so far, and nothing is asked again', async () => {
    const broken = new NearfieldError('upstream-cut', 'Broke off.');
    const tier = createFakeTier({
      script: [
        { type: 'text-delta', text: 'Half' },
        { type: 'throw', error: broken },
      ],
    });
    host = await start({ tiers: [tier] });
    let said = '';
    const reading = (async () => {
      for await (const { content } of await modelOf(host!).stream('Hi')) said += content;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'upstream-cut' });
    expect(said).toBe('Half');
    expect(host.asked).toHaveLength(1);
  });
});

describe('an edge with keys and limits', () => {
  it('refuses a stranger in LangChain’s words, once', async () => {
    host = await startEdgeHost({ env: { NEARFIELD_API_KEYS: `acme:${await hashApiKey(createApiKey())}` } });
    await expect(modelOf(host).invoke('Hi')).rejects.toMatchObject({
      status: 401,
      lc_error_code: 'MODEL_AUTHENTICATION',
    });
    expect(host.asked).toHaveLength(1);
  });

  it('makes a batch wait that opens more answers than it lets, and answers each question once', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let answered = 0;
    const tier: Tier = {
      id: 'gated',
      kind: 'device',
      can: () => true,
      async *stream({ messages }): AsyncGenerator<TierPart> {
        await gate;
        answered += 1;
        yield { type: 'text-delta', text: String(messages[0]?.content) };
        yield { type: 'finish', finishReason: 'stop' };
      },
    };
    host = await startEdgeHost({ tiers: [tier] });
    const asked = Array.from({ length: 18 }, (_, at) => `Question ${at}`);
    const answers = modelOf(host).batch(asked);
    const refused = () => host!.asked.filter(({ status }) => status === 429).length;
    await expect.poll(refused).toBeGreaterThanOrEqual(2);
    open();
    expect((await answers).map(({ content }) => content)).toEqual(asked);
    expect(answered).toBe(18);
  });
});
