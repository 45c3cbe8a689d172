import { describe, expect, it } from 'vitest';
import type { Answerer } from '../tasks/index.ts';
import type { ChatRequest, Passage, TierContext, TierPart } from '../types.ts';
import { createDeviceTier, type LocalGenerator } from './device.ts';

const text = 'You may drive again when you can stop the car, usually after 4 weeks.';
const found: Passage = { documentId: 'd', start: 0, end: text.length, text, similarity: 0.9 };
const answerer = (passages: readonly Passage[]): Answerer => ({
  index: {} as Answerer['index'],
  find: async () => ({ found: passages.length > 0, passages, score: 1, embedMs: 1, rankMs: 2 }),
});

function generator(says: string, fault?: Error): LocalGenerator & { readonly asked: ChatRequest[] } {
  const asked: ChatRequest[] = [];
  return {
    asked,
    can: () => true,
    async *stream(request) {
      asked.push(request);
      for (const word of says.split(/(?<= )/)) yield { type: 'text-delta', text: word };
      if (fault !== undefined) throw fault;
      yield {
        type: 'finish',
        finishReason: 'stop',
        model: 'small',
        usage: { promptTokens: 9, completionTokens: 5 },
      };
    },
  };
}

const context = (signal = new AbortController().signal): TierContext => ({
  signal,
  fetch: () => Promise.reject(new Error('no network')),
});
const request: ChatRequest = {
  messages: [{ role: 'user', content: 'When may I drive?' }],
  documents: [{ id: 'd', text }],
  phrase: true,
};

async function answer(
  parts: { answerer?: Answerer; generator?: LocalGenerator },
  asked: ChatRequest = request,
  given: TierContext = context(),
) {
  const all: TierPart[] = [];
  for await (const part of createDeviceTier(parts).stream(asked, given)) all.push(part);
  return {
    all,
    kinds: all.map(({ type }) => type),
    text: all.map((part) => (part.type === 'text-delta' ? part.text : '')).join(''),
    finish: all.at(-1)!,
  };
}

describe('phrase', () => {
  it('shows the passages, then says them in the model’s words with their numbers', async () => {
    const model = generator('You may drive after 4 weeks.');
    const { kinds, text: said, finish } = await answer({ answerer: answerer([found]), generator: model });
    expect(kinds).toEqual(['sources', 'text-delta', 'finish']);
    expect(said).toBe('You may drive after 4 weeks [1].');
    expect(finish).toMatchObject({ model: 'small', usage: { completionTokens: 5 } });
    expect(model.asked[0]!.documents).toBeUndefined();
  });

  it('falls back to the passage where the model strays, fails, or is not there', async () => {
    const strays = generator('Drive after 9 weeks.');
    expect((await answer({ answerer: answerer([found]), generator: strays })).text).toBe(text);
    const fails = generator('', new Error('device lost'));
    expect((await answer({ answerer: answerer([found]), generator: fails })).text).toBe(text);
    expect((await answer({ answerer: answerer([found]) })).text).toBe(text);
  });

  it('asks no model unless told to, nor where nothing was found', async () => {
    const model = generator('anything');
    const { phrase: _phrase, ...plain } = request;
    expect((await answer({ answerer: answerer([found]), generator: model }, plain)).text).toBe(text);
    expect((await answer({ answerer: answerer([]), generator: model })).text).toMatch(/do not answer/);
    expect(model.asked).toEqual([]);
  });

  it('ends with the person who leaves', async () => {
    const stop = new AbortController();
    const model: LocalGenerator = {
      can: () => true,
      // biome-ignore lint/correctness/useYield: it is left before it says anything
      async *stream(_, { signal }) {
        stop.abort();
        signal.throwIfAborted();
      },
    };
    const left = answer({ answerer: answerer([found]), generator: model }, request, context(stop.signal));
    await expect(left).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('without documents', () => {
  it('is the model’s to answer, with its steps', async () => {
    const model = generator('Hello there');
    const asked: ChatRequest = { messages: [{ role: 'user', content: 'Hi' }] };
    expect((await answer({ answerer: answerer([]), generator: model }, asked)).text).toBe('Hello there');
    expect(await createDeviceTier({ answerer: answerer([]) }).can(asked)).toBe(false);
  });
});
