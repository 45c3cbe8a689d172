// The policy through its public door: what may leave, what goes wrong, and that everything wrong stays.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatRequest, Span, TierKind } from '../types.ts';
import { createPolicy, type Detector, type PolicyDocument, PRESETS } from './index.ts';

const task = 'generate' as const;
const ask = (content: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  messages: [{ role: 'user', content }],
  ...more,
});
const RANK: Readonly<Record<TierKind, number>> = { device: 0, edge: 1, cloud: 2 };

describe('presets', () => {
  it('balanced lets a harmless question reach the cloud', async () => {
    const { decision } = await createPolicy().review(ask('What is a monad?'), { task, consent: 'cloud' });
    expect(decision).toMatchObject({
      farthest: 'cloud',
      sensitivity: 'none',
      cacheable: true,
      rules: ['base'],
    });
  });

  it('balanced sends personal data only as placeholders', async () => {
    const review = await createPolicy().review(ask('Write to ana@example.com'), { task, consent: 'cloud' });
    expect(review.decision).toMatchObject({ farthest: 'cloud', rules: ['personal-redacted'] });
    const { request, redactedByType } = review.redactFor('cloud');
    expect(JSON.stringify(request)).not.toContain('ana@example.com');
    expect(request.messages[0]?.content).toMatch(/^Write to \[EMAIL_1_[a-z0-9]{4}\]$/);
    expect(redactedByType).toEqual({ email: 1 });
  });

  it.each([
    ['card', 'Pay with 4111 1111 1111 1111 please'],
    ['secret', 'key: ghp_0123456789abcdefghijABCDEFGHIJ012345'],
    ['national-id', 'My SSN is 078-05-1121'],
    ['iban', 'IBAN ES91 2100 0418 4502 0005 1332'],
  ])('balanced keeps a %s on the device', async (type, text) => {
    const review = await createPolicy().review(ask(text), { task, consent: 'cloud' });
    expect(review.decision.farthest).toBe('device');
    expect(review.decision.spanCounts).toEqual({ [type]: 1 });
    expect(() => review.redactFor('edge')).toThrowError(/Policy allows the device, not the edge/);
  });

  it('balanced goes no farther than the consent, and nowhere without one', async () => {
    const { decision } = await createPolicy().review(ask('What is a monad?'), { task });
    expect(decision).toMatchObject({ farthest: 'device', sensitivity: 'none' });
    const edge = await createPolicy().review(ask('What is a monad?'), { task, consent: 'edge' });
    expect(edge.decision.farthest).toBe('edge');
  });

  it('strict needs consent, and keeps personal data even with it', async () => {
    const policy = createPolicy('strict');
    const harmless = ask('What is a monad?');
    expect((await policy.review(harmless, { task })).decision.farthest).toBe('device');
    expect((await policy.review(harmless, { task, consent: 'cloud' })).decision.farthest).toBe('edge');
    const personal = await policy.review(ask('Write to ana@example.com'), { task, consent: 'cloud' });
    expect(personal.decision).toMatchObject({ farthest: 'device', cacheable: false });
  });

  it('open sends personal data as it is, and secrets never', async () => {
    const policy = createPolicy('open');
    const personal = await policy.review(ask('Write to ana@example.com'), { task });
    expect(personal.redactFor('cloud').request.messages[0]?.content).toBe('Write to ana@example.com');
    const secret = await policy.review(ask('password: hunter2!'), { task });
    expect(secret.decision.farthest).toBe('device');
  });
});

describe('what the caller asks narrows and never widens', () => {
  it('for every pair of privacy and consent', async () => {
    const kinds = fc.constantFrom<TierKind | undefined>('device', 'edge', 'cloud', undefined);
    await fc.assert(
      fc.asyncProperty(kinds, kinds, async (privacy, consent) => {
        const { decision } = await createPolicy().review(ask('hello', { privacy }), { task, consent });
        const limit = Math.min(RANK[privacy ?? 'cloud'], RANK[consent ?? 'device']);
        expect(RANK[decision.farthest]).toBe(limit);
      }),
    );
  });
});

describe('adding a rule never lets more out', () => {
  const when = fc.record(
    {
      sensitivity: fc.constantFrom('none', 'personal', 'sensitive', 'secret'),
      spans: fc.subarray(['email', 'card', 'secret', 'person'], { minLength: 1 }),
      task: fc.subarray(['generate', 'answer', 'embed'], { minLength: 1 }),
      origin: fc.subarray(['user', 'system', 'document'], { minLength: 1 }),
      consentBelow: fc.constantFrom('edge', 'cloud'),
    },
    { requiredKeys: [] },
  );
  const narrow = fc.record(
    {
      farthest: fc.constantFrom('device', 'edge', 'cloud'),
      redact: fc.subarray(['edge', 'cloud']),
      cacheable: fc.constant(false as const),
      hosts: fc.subarray(['a.example', 'b.example']),
      regions: fc.subarray(['eu', 'us']),
    },
    { requiredKeys: [] },
  );
  const rule = fc.record({ when, narrow });
  const base = fc.record({
    farthest: fc.constantFrom('device', 'edge', 'cloud'),
    redact: fc.subarray(['edge', 'cloud']),
    cacheable: fc.boolean(),
  });

  it('whatever the rule, the document and the request', async () => {
    const texts = fc.constantFrom('hello', 'ana@example.com', '4111 1111 1111 1111', 'password: hunter2!');
    await fc.assert(
      fc.asyncProperty(
        base,
        fc.array(rule, { maxLength: 4 }),
        rule,
        fc.nat(4),
        texts,
        async (b, rules, extra, at, text) => {
          const before = rules.map((one, index) => ({ ...one, id: `r${index}`, why: 'x' }));
          const after = before.toSpliced(at, 0, { ...extra, id: 'extra', why: 'x' });
          const hosts = [
            { host: 'a.example', tier: 'edge', region: 'eu' },
            { host: 'b.example', tier: 'cloud' },
          ];
          const [was, is] = await Promise.all(
            [before, after].map(async (list) => {
              const document = { version: 1, base: b, hosts, rules: list } as PolicyDocument;
              return (await createPolicy(document).review(ask(text), { task })).decision;
            }),
          );
          expect(RANK[is!.farthest]).toBeLessThanOrEqual(RANK[was!.farthest]);
          expect(is!.redact.edge || !was!.redact.edge).toBe(true);
          expect(is!.redact.cloud || !was!.redact.cloud).toBe(true);
          expect(was!.cacheable || !is!.cacheable).toBe(true);
          expect(was!.hosts).toEqual(expect.arrayContaining([...is!.hosts!]));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('uncertain stays on the device', () => {
  const span = (over: object): Span => ({ start: 0, end: 2, type: 'email', score: 1, source: 'x', ...over });
  const garbage: readonly unknown[] = [
    undefined,
    null,
    'spans',
    42,
    {},
    [null],
    [span({ start: -1 })],
    [span({ end: 99 })],
    [span({ start: 2, end: 2 })],
    [span({ start: 0.5 })],
    [span({ type: 'nonsense' })],
    [span({ score: Number.NaN })],
    [span({ source: undefined })],
  ];
  const detectors: readonly [string, string, Detector['detect']][] = [
    [
      'throws',
      'detector-failed',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', 'detector-failed', () => Promise.reject(new Error('no'))],
    ['rejects with nothing', 'detector-garbage', () => Promise.reject(undefined)],
    ['hangs', 'detector-timeout', () => new Promise(() => undefined)],
    ...garbage.map((value): [string, string, Detector['detect']] => [
      `answers ${JSON.stringify(value)}`,
      'detector-garbage',
      () => value as Span[],
    ]),
    ...garbage.map((value): [string, string, Detector['detect']] => [
      `answers later ${JSON.stringify(value)}`,
      'detector-garbage',
      async () => value as Span[],
    ]),
  ];

  it.each(detectors)('a detector that %s', async (_name, rule, detect) => {
    // A machine's pause must not make the others late as well.
    const timeoutMs = rule === 'detector-timeout' ? 20 : 30_000;
    for (const preset of Object.keys(PRESETS) as (keyof typeof PRESETS)[]) {
      const policy = createPolicy(preset, { detectors: [{ id: 'bad', detect }], timeoutMs });
      const review = await policy.review(ask('hello there'), { task, consent: 'cloud' });
      expect(review.decision.farthest).toBe('device');
      expect(review.decision.cacheable).toBe(false);
      expect(review.decision.rules).toContain(`builtin:${rule}`);
      expect(() => review.redactFor('edge')).toThrowError();
    }
  });

  it('a detector that blocks the thread past its time', async () => {
    let now = 0;
    const detect = () => {
      now += 100;
      return [];
    };
    const policy = createPolicy('open', {
      detectors: [{ id: 'slow', detect }],
      timeoutMs: 50,
      clock: { monotonic: () => now },
    });
    expect((await policy.review(ask('hi'), { task })).decision.rules).toContain('builtin:detector-timeout');
  });

  it.each([
    ['an unknown field', { ...ask('hi'), audio: 'x' }],
    ['an unknown message field', { messages: [{ role: 'user', content: 'hi', secret: 'x' }] }],
    [
      'an unknown part',
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
    ],
    ['bytes', { messages: [{ role: 'user', content: new Uint8Array(4) }] }],
    ['an unknown privacy', { ...ask('hi'), privacy: 'moon' }],
    ['a date in a schema', { ...ask('hi'), metadata: { when: new Date(0) } }],
    [
      'a getter that throws',
      {
        get messages() {
          throw new Error('no');
        },
      },
    ],
    ['endless nesting', { ...ask('hi'), metadata: endless() }],
    ['no messages at all', null],
  ])('a request with %s', async (_name, request) => {
    const review = await createPolicy('open').review(request as unknown as ChatRequest, { task });
    expect(review.decision.farthest).toBe('device');
  });

  it('a request too large to inspect', async () => {
    const policy = createPolicy('open', { maxLength: 10 });
    expect((await policy.review(ask('eleven chars'), { task })).decision.rules).toContain(
      'builtin:too-large',
    );
  });

  it('throws nothing but AbortError', async () => {
    const gone = AbortSignal.abort();
    await expect(createPolicy().review(ask('hi'), { task, signal: gone })).rejects.toThrow('aborted');
    const controller = new AbortController();
    const detector: Detector = { id: 'hangs', detect: () => new Promise(() => undefined) };
    const reviewing = createPolicy('open', { detectors: [detector] }).review(ask('hi'), {
      task,
      signal: controller.signal,
    });
    controller.abort();
    await expect(reviewing).rejects.toMatchObject({ name: 'AbortError' });
  });
});

function endless(): object {
  const loop: Record<string, unknown> = {};
  loop.again = loop;
  return loop;
}

describe('documents that are not policies', () => {
  it.each([
    ['an unknown field', { ...PRESETS.balanced, extra: true }],
    [
      'an unknown condition',
      { ...PRESETS.balanced, rules: [{ id: 'a', why: 'x', when: { moon: 1 }, narrow: {} }] },
    ],
    [
      'a rule that widens',
      { ...PRESETS.balanced, rules: [{ id: 'a', why: 'x', when: {}, narrow: { cacheable: true } }] },
    ],
    [
      'two rules of one id',
      { ...PRESETS.balanced, rules: [PRESETS.balanced.rules[0], PRESETS.balanced.rules[0]] },
    ],
    ['a wildcard host', { ...PRESETS.balanced, hosts: [{ host: '*.example.com', tier: 'edge' }] }],
    ['an unknown preset', 'lenient'],
    ['nothing', null],
  ])('refuses %s', (_name, document) => {
    expect(() => createPolicy(document as PolicyDocument)).toThrowError(
      expect.objectContaining({ code: 'invalid-request' }),
    );
  });
});
