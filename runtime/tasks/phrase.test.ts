import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Passage } from '../types.ts';
import { phrasingRequest, supportedSentences } from './phrase.ts';

const passage = (text: string): Passage => ({
  documentId: 'd',
  start: 0,
  end: text.length,
  text,
  similarity: 1,
});
const passages = [
  passage('You may drive again when you can stop the car in an emergency, usually after 4 weeks.'),
  passage('Call the ward if your temperature is above 38.5 degrees.'),
];
const question = 'When may I drive again?';

async function* chunks(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function said(text: string, size = 3): Promise<string> {
  let whole = '';
  for await (const sentence of supportedSentences(chunks(text, size), question, passages)) whole += sentence;
  return whole;
}

describe('supportedSentences', () => {
  it('says which passage each sentence rests on, whatever the model wrote', async () => {
    expect(await said('You can drive after 4 weeks. Call the ward above 38.5 degrees [1].')).toBe(
      'You can drive after 4 weeks [1]. Call the ward above 38.5 degrees [2].',
    );
    expect(await said('You may drive when you can stop the car after 4 weeks')).toBe(
      'You may drive when you can stop the car after 4 weeks [1]',
    );
  });

  it('says no number that no passage holds', async () => {
    expect(await said('You can drive again after 6 weeks.')).toBe('');
    expect(await said('You may drive after 4 weeks. Your temperature is 37.')).toBe(
      'You may drive after 4 weeks [1].',
    );
  });

  it('says nothing that only the question holds, nor what nobody holds', async () => {
    expect(await said('You may drive again after weeks.')).toBe('You may drive again after weeks [1].');
    expect(await said('Bananas grow in Ecuador and are yellow.')).toBe('');
    expect(await said('[1] [2]')).toBe('');
  });

  it('says nothing that drops or adds a word that turns its passage round', async () => {
    const dose = [passage('Take the missed injection, unless it is almost time for the next one.')];
    const say = async (text: string) => {
      let whole = '';
      for await (const sentence of supportedSentences(chunks(text, 4), 'An injection?', dose))
        whole += sentence;
      return whole;
    };
    expect(await say('Take the missed injection, it is almost time for the next one.')).toBe('');
    expect(await say('Always take the missed injection unless it is almost time.')).toBe('');
    expect(await say('Take the injection unless it is almost time for the next.')).toBe(
      'Take the injection unless it is almost time for the next [1].',
    );
  });

  it('takes the numbers away that a list begins with', async () => {
    expect(
      await said(
        '1. You may drive again when you can stop the car, usually after 4 weeks.\n2. Call the ward above 38.5 degrees.',
      ),
    ).toBe(
      'You may drive again when you can stop the car, usually after 4 weeks [1]. Call the ward above 38.5 degrees [2].',
    );
  });

  it('is the same however the text is cut', async () => {
    const text =
      'You may drive after 4 weeks. Call the ward if your temperature is above 38.5 degrees! Then wait.';
    const whole = await said(text, text.length);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: text.length }), async (size) => {
        expect(await said(text, size)).toBe(whole);
      }),
    );
  });
});

describe('phrasingRequest', () => {
  it('numbers the passages, keeps the scope, and is greedy', () => {
    const request = phrasingRequest({ messages: [], scope: 's', temperature: 2 }, question, passages);
    expect(request.messages[1]!.content).toContain('[2] Call the ward');
    expect(request).toMatchObject({ scope: 's', temperature: 0, max_completion_tokens: 96 });
    expect(request.documents).toBeUndefined();
  });
});
