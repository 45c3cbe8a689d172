// Values over any number of texts, through the public door: what reaches a far tier, if anything does.
import { describe, expect, it } from 'vitest';
import { createRuntime } from '../runtime.ts';
import { createFakeTier } from '../tiers/fake.ts';
import type { ChatMessage, ChatRequest } from '../types.ts';
import { createEgress, createPatternDetector, createPolicy, createReceiptBook } from './index.ts';

/** What a tier in the cloud was sent; undefined where nothing left. */
async function sent(request: ChatRequest): Promise<string | undefined> {
  const cloud = createFakeTier({ kind: 'cloud', host: 'cloud.example' });
  const runtime = createRuntime({
    tiers: [createFakeTier({ kind: 'device', can: () => false }), cloud],
    policy: createPolicy('balanced'),
    egress: createEgress({ allowHosts: ['cloud.example'] }),
    receipts: createReceiptBook(),
    consent: () => 'cloud',
  });
  await runtime.complete(request).catch(() => undefined);
  return cloud.calls.length === 0 ? undefined : JSON.stringify(cloud.calls.map((call) => call.request));
}

const messages = (...texts: readonly string[]): ChatRequest => ({
  messages: texts.map((content) => ({ role: 'user', content })),
});
const answered = (...texts: readonly string[]): ChatRequest => ({
  messages: texts.flatMap((content, at): ChatMessage[] =>
    at === 0
      ? [{ role: 'user', content }]
      : [
          { role: 'assistant', content: 'Go on.' },
          { role: 'user', content },
        ],
  ),
});
const parts = (...texts: readonly string[]): ChatRequest => ({
  messages: [{ role: 'user', content: texts.map((text) => ({ type: 'text', text })) }],
});
const documents = (...texts: readonly string[]): ChatRequest => ({
  messages: [{ role: 'user', content: 'Compare.' }],
  documents: texts.map((text, at) => ({ id: `d${at}`, text })),
});
const ways = { messages, answered, parts, documents };

/** Cuts of `value` into `count` pieces as even as they can be. */
function cut(value: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) =>
    value.slice(Math.round((at * value.length) / count), Math.round(((at + 1) * value.length) / count)),
  );
}

describe.each(Object.entries(ways))('over several %s', (_way, request) => {
  it.each([
    ['a card by its groups', ['4111', '1111', '1111', '1111']],
    ['a card in three', ['my card is 4111 1111', '1111', '1111 exp 12/30']],
    ['a card cut inside its groups', ['card 4111 11', '11 11', '11 1111 thanks']],
    ['a card between other numbers', ['2 lamps', '4111 11', '11 11', '11 1111', '22 chairs']],
    ['a card before a number', ['pay with 4111 1111 1111 1111', '2 lamps please']],
    ['an IBAN by its groups', ['IBAN ES91', '2100', '0418', '4502', '0005', '1332']],
    ['an IBAN whose country stands alone', ['it is GB', '29 NWBK', '6016', '1331 9268 19']],
    ['a card whose half looks like a phone', ['my number: 4111 111', '1 1111', '1111']],
    ['a key', ['use ghp_0123456789', 'abcdefghijABCDEF', 'GHIJ012345 for it']],
    ['an SSN', ['my SSN: 219', '-09-', '9999']],
  ])('%s does not leave', async (_name, texts) => {
    expect(await sent(request(...texts))).toBeUndefined();
  });

  it.each([2, 3, 4, 5, 8, 16])('a card in %i pieces does not leave', async (count) => {
    for (const card of ['4111111111111111', '5555555555554444'])
      expect(await sent(request(...cut(card, count))), card).toBeUndefined();
  });

  it('an IBAN, a character each, does not leave', async () => {
    expect(await sent(request(...'GB29NWBK60161331926819'))).toBeUndefined();
  });

  it('an address of mail leaves hidden', async () => {
    for (const texts of [
      ['write to ana', '.souza', '@', 'example', '.com'],
      ['ana', 'souza@exam', 'ple.com tonight'],
      ['mail ana.souza', '@example.com', 'today'],
      ['mail ana.sou', 'za@example.com'],
      ['mail ana', '.sou', 'za@example.com'],
    ]) {
      expect(await sent(request(...texts)), texts.join('|')).not.toMatch(/souza|example/);
    }
  });

  it('a phone number leaves hidden', async () => {
    expect(await sent(request('call me at +1 415', '555', '2671 tonight'))).not.toMatch(/415|555|2671/);
  });

  it('numbers that only follow one another leave as they are', async () => {
    const texts = ['pick 3', 'now 12', '2024', 'and 4111 units', 'yes', '7 of them', 'at 10:30', 'take 5'];
    const wire = await sent(request(...texts));
    for (const text of texts) expect(wire).toContain(text);
  });
});

it('blank texts between part nothing', async () => {
  expect(await sent(messages('4111 1111', '', '1111', ' \n', '1111'))).toBeUndefined();
});

it('reads as much for a thousand short messages as is in proportion', async () => {
  const read = async (count: number) => {
    let length = 0;
    const patterns = createPatternDetector();
    const detector = {
      id: patterns.id,
      detect(...[text, options]: Parameters<typeof patterns.detect>) {
        length += text.length;
        return patterns.detect(text, options);
      },
    };
    const texts = Array.from({ length: count }, (_, at) => String(at % 10));
    const policy = createPolicy('balanced', { detectors: [detector], timeoutMs: 600_000 });
    await policy.review(messages(...texts), { task: 'generate' });
    return length;
  };
  const [some, more] = [await read(100), await read(400)];
  expect(more).toBeLessThan(some * 5);
  expect(more / 400).toBeLessThan(2000);
});

it('keeps a request of more short messages than it can read together on the device, unread', async () => {
  let asked = 0;
  const patterns = createPatternDetector();
  const detector = {
    id: patterns.id,
    detect(...[text, options]: Parameters<typeof patterns.detect>) {
      asked += 1;
      return patterns.detect(text, options);
    },
  };
  const policy = createPolicy('open', { detectors: [detector], timeoutMs: 600_000 });
  const review = await policy.review(messages(...Array<string>(5000).fill('7')), { task: 'generate' });
  expect(review.decision).toMatchObject({ farthest: 'device', rules: ['builtin:too-large'] });
  expect(asked).toBe(5000);
  const prose = Array.from({ length: 5000 }, (_, at) => `Room ${at} is free again.`);
  const read = await policy.review(messages(...prose), { task: 'generate' });
  expect(read.decision.rules).not.toContain('builtin:too-large');
});
