import { describe, expect, it } from 'vitest';
import type { ChatRequest, Span, Tagger } from '../types.ts';
import {
  combineDetectors,
  createDetectors,
  createPatternDetector,
  createPolicy,
  createTaggerDetector,
} from './index.ts';

/** Knows some words by heart. */
function wordTagger(words: Readonly<Record<string, Span['type']>>): Pick<Tagger, 'model' | 'tag'> {
  return {
    model: 'words',
    async tag(text) {
      return Object.entries(words).flatMap(([word, type]) => {
        const start = text.indexOf(word);
        return start < 0
          ? []
          : [{ start, end: start + word.length, type, score: 0.9, source: 'model:words' }];
      });
    },
  };
}

const NEVER = { signal: new AbortController().signal };
const found = async (text: string, words: Readonly<Record<string, Span['type']>>) => {
  const detector = combineDetectors([
    createPatternDetector(),
    createTaggerDetector({ tagger: wordTagger(words) }),
  ]);
  const spans = await detector.detect(text, NEVER);
  return spans.map(({ start, end, type }) => [text.slice(start, end), type]);
};

describe('the tagger as a detector', () => {
  it("reads folded and encoded forms, and tells the original's stretch", async () => {
    const words = { Kowalczyk: 'person' } as const;
    expect(await found('ask Ko\u200bwal\u00adczyk', words)).toEqual([['Ko\u200bwal\u00adczyk', 'person']]);
    expect(await found('ask %4Bowalczyk', words)).toEqual([['%4Bowalczyk', 'person']]);
    const hidden = btoa('please write to Mr Kowalczyk soon');
    expect(await found(`see ${hidden}`, words)).toEqual([[hidden, 'person']]);
  });

  it('keeps dates and links back when told to', async () => {
    const tagger = wordTagger({ '3 May': 'date', 'site.example/a': 'url' });
    const text = 'on 3 May see site.example/a';
    const types = async (options: object) =>
      (await createTaggerDetector({ tagger, ...options }).detect(text, NEVER)).map(({ type }) => type);
    expect(await types({})).toEqual(['date']);
    expect(await types({ dates: 'birth' })).toEqual([]);
    expect(await types({ types: ['url'] })).toEqual(['url']);
    expect(await types({ minScore: 0.95 })).toEqual([]);
  });

  it('leaves placeholders of an earlier redaction, and what they replaced is gone', async () => {
    const words = { k7qx: 'secret', '_2_k7qx]': 'username', Rao: 'person' } as const;
    expect(await found('[PERSON_1_k7qx] asks [NATIONAL_ID_2_k7qx] for Rao', words)).toEqual([
      ['Rao', 'person'],
    ]);
    expect(await found('pin k7qx', { k7qx: 'secret' })).toEqual([['k7qx', 'other']]);
  });

  it('is never as sure as check digits, and never renames what has them', async () => {
    const text = 'card 4111 1111 1111 1111 of Rao';
    expect(await found(text, { '1111 1111 1111 of': 'secret', Rao: 'person' })).toEqual([
      ['4111 1111 1111 1111 of', 'card'],
      ['Rao', 'person'],
    ]);
  });
});

describe('what follows from what was found', () => {
  it('joins the halves of a name', async () => {
    expect(await found('from Li Wei to', { Li: 'person', Wei: 'person' })).toEqual([['Li Wei', 'person']]);
    expect(await found('Li, Wei', { Li: 'person', Wei: 'person' })).toHaveLength(2);
  });

  it('finds a name again wherever it stands', async () => {
    const text = 'Kim Novakova called. Novakova was late; novakovas are many. Call Kim Novakova.';
    expect(await found(text, { 'Kim Novakova': 'person' })).toEqual([
      ['Kim Novakova', 'person'],
      ['Novakova', 'person'],
      ['Kim Novakova', 'person'],
    ]);
  });

  it('leaves words that the text also writes small', async () => {
    const text = 'Grace Hopeful spoke. Say grace. Grace is a virtue.';
    expect(await found(text, { 'Grace Hopeful': 'person' })).toEqual([['Grace Hopeful', 'person']]);
  });

  it('carries a name from one message to the others', async () => {
    const policy = createPolicy('balanced', {
      detectors: [createTaggerDetector({ tagger: wordTagger({ 'Kim Novakova': 'person' }) })],
    });
    const request: ChatRequest = {
      messages: [
        { role: 'system', content: 'You help Novakova.' },
        { role: 'user', content: 'I am Kim Novakova.' },
      ],
    };
    const review = await policy.review(request, { task: 'generate', consent: 'cloud' });
    expect(review.decision.spanCounts).toEqual({ person: 2 });
    const sent = JSON.stringify(review.redactFor('cloud').request);
    expect(sent).not.toContain('Novakova');
  });
});

describe('places and dates alone', () => {
  const spanCounts = async (content: string, document: 'strict' | 'balanced') => {
    const words = { Australia: 'location', '4 July 1776': 'date', 'Kim Novakova': 'person' } as const;
    const detectors = createDetectors(wordTagger(words), { dates: 'all' });
    const policy = createPolicy(document, { detectors });
    const review = await policy.review({ messages: [{ role: 'user', content }] }, { task: 'generate' });
    return review.decision.spanCounts;
  };

  it("are the subject of a question, and somebody's where somebody is named", async () => {
    expect(await spanCounts('the capital of Australia', 'balanced')).toEqual({});
    expect(await spanCounts('the capital of Australia', 'strict')).toEqual({ location: 1 });
    expect(await spanCounts('left Australia on 4 July 1776', 'balanced')).toEqual({ location: 1, date: 1 });
    const named = 'Kim Novakova left Australia on 4 July 1776';
    expect(await spanCounts(named, 'balanced')).toEqual({ person: 1, location: 1, date: 1 });
    expect(await spanCounts('ask ana@mail.example in Australia', 'balanced')).toEqual({
      email: 1,
      location: 1,
    });
  });
});

describe('a policy whose tagger', () => {
  const ask: ChatRequest = { messages: [{ role: 'user', content: 'hello there' }] };
  const review = async (tag: Tagger['tag'], timeoutMs = 2000) => {
    const detectors = createDetectors({ model: 'bad', tag });
    const reviewed = await createPolicy('open', { detectors, timeoutMs }).review(ask, { task: 'generate' });
    return [reviewed.decision.farthest, reviewed.decision.rules.join()];
  };

  it('fails, is late or talks nonsense keeps the request on the device', async () => {
    expect((await review(async () => []))[0]).toBe('cloud');
    expect(await review(async () => Promise.reject(new Error('no')))).toEqual([
      'device',
      'builtin:detector-failed',
    ]);
    expect(await review(() => new Promise(() => {}), 20)).toEqual(['device', 'builtin:detector-timeout']);
    const nonsense = [{ start: 0, end: 999, type: 'person', score: 1, source: 'model:bad' }] as const;
    expect((await review(async () => nonsense))[0]).toBe('device');
  });
});
