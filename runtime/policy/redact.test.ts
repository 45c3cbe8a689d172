// Redaction and the way back: every place a text can stand, every split of a stream, every damage.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../types.ts';
import { createPolicy } from './index.ts';
import { ask, delta, input, redact, streamOf, textOf } from './redaction.fixture.ts';

describe('every text of a request', () => {
  const mail = 'ana@example.com';
  const places: readonly [string, ChatRequest][] = [
    ['system prompt', { messages: [{ role: 'system', content: mail }] }],
    ['developer prompt', { messages: [{ role: 'developer', content: mail }] }],
    ['user message', ask(mail)],
    ['content part', { messages: [{ role: 'user', content: [{ type: 'text', text: mail }] }] }],
    ['assistant turn', { messages: [{ role: 'assistant', content: mail }] }],
    ['tool result', { messages: [{ role: 'tool', content: mail, tool_call_id: 'c1' }] }],
    ['participant name', { messages: [{ role: 'user', content: 'hi', name: mail }] }],
    ['tool call id', { messages: [{ role: 'tool', content: 'x', tool_call_id: mail }] }],
    [
      'tool call arguments',
      {
        messages: [
          {
            role: 'assistant',
            content: null,
            tool_calls: [
              { id: 'c1', type: 'function', function: { name: 'send', arguments: `{"to":"${mail}"}` } },
            ],
          },
        ],
      },
    ],
    [
      'tool call arguments, escaped',
      {
        messages: [
          {
            role: 'assistant',
            content: null,
            tool_calls: [
              {
                id: 'c1',
                type: 'function',
                function: { name: 'send', arguments: '{"to":"ana\\u0040example.com"}' },
              },
            ],
          },
        ],
      },
    ],
    [
      'tool description',
      { ...ask('hi'), tools: [{ type: 'function', function: { name: 'f', description: mail } }] },
    ],
    [
      'tool schema value',
      { ...ask('hi'), tools: [{ type: 'function', function: { name: 'f', parameters: { default: mail } } }] },
    ],
    [
      'tool schema key',
      { ...ask('hi'), tools: [{ type: 'function', function: { name: 'f', parameters: { [mail]: {} } } }] },
    ],
    ['stop sequence', { ...ask('hi'), stop: [mail] }],
    ['user', { ...ask('hi'), user: mail }],
    ['scope', { ...ask('hi'), scope: mail }],
    ['model', { ...ask('hi'), model: mail }],
    ['document id', { ...ask('hi'), documents: [{ id: mail, text: 'x' }] }],
    ['document title', { ...ask('hi'), documents: [{ id: 'd', title: mail, text: 'x' }] }],
    ['document text', { ...ask('hi'), documents: [{ id: 'd', text: `See ${mail}.` }] }],
    ['metadata', { ...ask('hi'), metadata: { owner: mail } } as ChatRequest],
    [
      'schema name',
      {
        ...ask('hi'),
        response_format: { type: 'json_schema', json_schema: { name: mail, schema: { a: mail } } },
      },
    ],
    ['tool choice', { ...ask('hi'), tool_choice: { type: 'function', function: { name: mail } } }],
    ['URL query', ask(`https://example.com/?q=${encodeURIComponent(mail)}`)],
  ];

  it.each(places)('%s', async (_name, request) => {
    const before = structuredClone(request);
    const redacted = await redact(request);
    const wire = JSON.stringify(redacted.request);
    for (const needle of [mail, encodeURIComponent(mail), 'ana\\\\u0040example.com', 'ana']) {
      expect(wire).not.toContain(needle);
    }
    expect(request).toEqual(before);
  });

  it('numbers without quotes', async () => {
    const request = { ...ask('hi'), seed: 4111111111111111 };
    expect((await createPolicy().review(request, input)).decision.farthest).toBe('device');
  });

  it('a value named once by its context is hidden wherever it stands', async () => {
    const request: ChatRequest = {
      messages: [
        { role: 'system', content: 'Notes: Xiomara Quispe called. xiomara quispetown is a place.' },
        { role: 'user', content: 'My name is Xiomara Quispe' },
      ],
    };
    const wire = JSON.stringify((await redact(request)).request);
    expect(wire).not.toContain('Xiomara Quispe');
    expect(wire).toContain('quispetown');
  });

  it('keeps identifiers in the characters upstreams accept', async () => {
    const request: ChatRequest = { messages: [{ role: 'user', content: 'hi', name: 'ana_souza' }] };
    expect((await redact(request)).request.messages[0]?.name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });
});

describe('placeholders', () => {
  it('the same value gets the same one, in one session', async () => {
    const policy = createPolicy();
    const one = await redact(ask('ana@example.com and bob@example.com and ana@example.com'), policy);
    const [a, b, again] = String(one.request.messages[0]?.content).split(' and ');
    expect(a).toBe(again);
    expect(a).not.toBe(b);
    const two = await redact(ask('bob@example.com'), policy);
    expect(two.request.messages[0]?.content).toBe(b);
  });

  it('are unlinkable between sessions and between scopes', async () => {
    // One draw a session, each unlike the last; of the platform's draws two in half a million are alike.
    let drawn = 0;
    const random = (count: number) => new Uint8Array(count).fill(drawn++);
    const newPolicy = () => createPolicy('balanced', { random });
    const policy = newPolicy();
    const requests = [
      await redact(ask('ana@example.com'), newPolicy()),
      await redact(ask('ana@example.com'), newPolicy()),
      await redact({ ...ask('ana@example.com'), scope: 'a' }, policy),
      await redact({ ...ask('ana@example.com'), scope: 'b' }, policy),
    ];
    expect(new Set(requests.map((one) => one.request.messages[0]?.content)).size).toBe(4);
  });

  it('are drawn anew from the platform where nobody hands a source in', async () => {
    const drawn = [1, 2, 3, 4].map(async () => (await redact(ask('ana@example.com'))).request.messages[0]);
    expect(new Set((await Promise.all(drawn)).map((message) => message?.content)).size).toBeGreaterThan(1);
  });

  it('draws the nonce evenly, and refuses a broken random source', async () => {
    let bytes = 0;
    const random = (count: number) => new Uint8Array(count).map(() => (bytes++ * 37) & 255);
    const made = await redact(ask('ana@example.com'), createPolicy('balanced', { random }));
    expect(made.request.messages[0]?.content).toMatch(/^\[EMAIL_1_[bcdfghjkmnpqrstvwxz2-9]{4}\]$/);
    const broken = createPolicy('balanced', { random: (count) => new Uint8Array(count).fill(255) });
    await expect(redact(ask('ana@example.com'), broken)).rejects.toMatchObject({ code: 'redaction-failed' });
  });

  it('typed by the user come back untouched, and restore nothing', async () => {
    const random = () => new Uint8Array(8);
    const policy = createPolicy('balanced', { random });
    const typed = '[EMAIL_1_bbbb] and [email_1_BBBB] and EMAIL_1_bbbb and [EMAIL_1_zzzz]';
    const redacted = await redact(ask(`ana@example.com ${typed}`), policy);
    const sent = String(redacted.request.messages[0]?.content);
    expect(sent.match(/\[EMAIL_1_bbbb\]/g)).toHaveLength(1);
    expect(await textOf(redacted.restore(streamOf(delta(sent))))).toBe(`ana@example.com ${typed}`);
  });

  it('of another request are not restored in this one', async () => {
    const policy = createPolicy();
    const other = await redact(ask('ana@example.com'), policy);
    const mine = await redact(ask('bob@example.com'), policy);
    const stolen = String(other.request.messages[0]?.content);
    expect(await textOf(mine.restore(streamOf(delta(stolen))))).toBe(stolen);
  });
});

describe('passages', () => {
  it('come back with the original offsets, text, title and id', async () => {
    const text = 'Ask ana@example.com today. Then bob@example.com calls. The end.';
    const request = {
      ...ask('who?'),
      documents: [{ id: 'notes of ana@example.com', title: 'bob@example.com', text }],
    };
    const redacted = await redact(request);
    const source = redacted.request.documents![0]!;
    const start = source.text.indexOf('Then');
    const end = source.text.indexOf(' The end');
    const passage = {
      documentId: source.id,
      title: source.title,
      start,
      end,
      text: source.text.slice(start, end),
      similarity: 0.9,
    };
    for await (const part of redacted.restore(streamOf({ type: 'sources', passages: [passage] }))) {
      if (part.type !== 'sources') throw new Error('expected sources');
      const [restored] = part.passages;
      expect(restored).toMatchObject({ documentId: 'notes of ana@example.com', title: 'bob@example.com' });
      expect(restored?.text).toBe('Then bob@example.com calls.');
      expect(text.slice(restored?.start, restored?.end)).toBe('Then bob@example.com calls.');
    }
  });
});

describe('property: redact then restore is the identity on echoed prose', () => {
  it('for any words and values', async () => {
    const word = fc.constantFrom('hello', 'the', 'quick', 'fox', 'and', '[', ']', 'EMAIL_1', 'née', '😀');
    const value = fc.constantFrom('ana@example.com', 'bob@example.org', '+1 415 555 2671', '[EMAIL_1_k7qx]');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(word, value), { maxLength: 12 }), fc.nat(40), async (words, cut) => {
        const text = words.join(' ');
        const redacted = await redact(ask(text));
        const sent = String(redacted.request.messages[0]?.content);
        const back = await textOf(
          redacted.restore(streamOf(delta(sent.slice(0, cut)), delta(sent.slice(cut)))),
        );
        expect(back).toBe(text);
        expect(sent).not.toMatch(/example\.(com|org)|2671/);
      }),
      { numRuns: 200 },
    );
  });
});
