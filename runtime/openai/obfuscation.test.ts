import { describe, expect, test } from 'vitest';
import { createOpenAiHandler, type OpenAiRuntime } from '../openai.ts';
import { padded } from './obfuscation.ts';

const WORDS = ['a', ' no', ' benign', ' malignancy', ' 🙂', '\n'];

/** `top`: alternatives told with each word, none for no likelihoods at all. */
function runtimeSaying(words: readonly string[], top?: number): OpenAiRuntime {
  const entry = (token: string) => ({ token, logprob: -1.2345678901234567, bytes: [...Buffer.from(token)] });
  const likelihoods = (text: string, at: number) => ({
    ...entry(text),
    top: Array.from({ length: top ?? 0 }, (_, next) => entry(words[(at + next) % words.length]!)),
  });
  return {
    models: () => [],
    embed: () => Promise.reject(new Error('not asked')),
    async *generate() {
      const tier = { id: 'device', kind: 'device' } as const;
      const base = { id: 'r1', model: 'm', tier } as const;
      yield { type: 'response-start', ...base, cache: 'miss', createdMs: 0 };
      for (const [at, text] of words.entries()) {
        yield { type: 'text-delta', text, ...(top !== undefined && { logprobs: [likelihoods(text, at)] }) };
      }
      yield {
        type: 'response-end',
        ...base,
        finishReason: 'stop',
        usage: { promptTokens: 1, completionTokens: words.length },
        cache: { status: 'miss', reason: '' },
        timings: { totalMs: 1, steps: [] },
        receipt: {} as never,
      };
    },
  };
}

async function deltaFrames(obfuscate: boolean, streamOptions?: object, top?: number): Promise<string[]> {
  const serve = createOpenAiHandler(runtimeSaying(WORDS, top), { obfuscate });
  const response = await serve(
    new Request('https://x.invalid/v1/chat/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        messages: [{ role: 'user', content: 'x' }],
        stream: true,
        ...(streamOptions && { stream_options: streamOptions }),
      }),
    }),
  );
  const frames = (await response.text()).split('\n\n').filter((frame) => frame.includes('"choices":[{'));
  return frames.slice(1, -1);
}

const sizes = (frames: readonly string[]): number[] => frames.map((frame) => Buffer.byteLength(frame));
const said = (frames: readonly string[]): unknown[] =>
  frames.map((frame) => JSON.parse(frame.slice('data: '.length)).choices[0].delta.content);

describe('obfuscation', () => {
  test('frames of short and long words are of one size, and say what they said', async () => {
    const frames = await deltaFrames(true);
    expect(said(frames)).toEqual(WORDS);
    expect(new Set(sizes(frames)).size).toBe(1);
  });

  test.each([0, 1, 5, 20])('so are those that tell how likely each was, with %i others', async (top) => {
    expect(new Set(sizes(await deltaFrames(true, undefined, top))).size).toBe(1);
    expect(new Set(sizes(await deltaFrames(false, undefined, top))).size).toBeGreaterThan(3);
  });

  test('without it, sizes follow the words', async () => {
    expect(new Set(sizes(await deltaFrames(false))).size).toBeGreaterThan(3);
  });

  test('the request has the last word', async () => {
    expect((await deltaFrames(true, { include_obfuscation: false })).join()).not.toContain('obfuscation');
    expect(new Set(sizes(await deltaFrames(false, { include_obfuscation: true }))).size).toBe(1);
  });

  test.each([0, 1, 90, 109, 110, 111, 500])(
    '%i letters: whole blocks, the same object and padding',
    (length) => {
      const json = JSON.stringify({ a: 'é'.repeat(length) });
      const text = padded(json);
      expect(Buffer.byteLength(text) % 128).toBe(0);
      const { obfuscation, ...rest } = JSON.parse(text);
      expect(rest).toEqual(JSON.parse(json));
      expect(obfuscation).toMatch(/^[\w-]*$/);
    },
  );

  test('an upstream that tells of many tokens at once is padded too', () => {
    const told = padded('{"a":1}', 2000);
    expect(Buffer.byteLength(told)).toBe(128 * 2003);
    expect(JSON.parse(told)).toMatchObject({ a: 1, obfuscation: expect.stringMatching(/^[\w-]{200000,}$/) });
  });

  test('the padding differs each time', () => {
    expect(padded('{"a":1}')).not.toBe(padded('{"a":1}'));
  });
});
