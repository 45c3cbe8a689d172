import { NearfieldError, type StreamPart } from 'nearfield';
import { describe, expect, it } from 'vitest';
import { historyOf } from './conversation.ts';
import { applyFailure, applyPart, errorKeyOf, isNotFound, newTurn } from './turn.ts';

const turn = newTurn('1', 'When?', 'device');
const end = { type: 'response-end' } as Extract<StreamPart, { type: 'response-end' }>;

describe('a turn', () => {
  it('gathers text in order and ends once', () => {
    const parts: StreamPart[] = [
      { type: 'text-delta', text: 'On ' },
      { type: 'text-delta', text: 'Monday.' },
      end,
    ];
    const done = parts.reduce(applyPart, turn);
    expect(done).toMatchObject({ text: 'On Monday.', state: 'done', end });
    expect(isNotFound(done)).toBe(false);
  });

  it('is not found only when documents were searched and none answers', () => {
    const searched = [{ type: 'sources', passages: [] } as StreamPart, end].reduce(applyPart, turn);
    expect(isNotFound(searched)).toBe(true);
  });

  it('tells a stop from a failure', () => {
    expect(applyFailure(turn, new DOMException('stop', 'AbortError')).state).toBe('stopped');
    expect(applyFailure(turn, new NearfieldError('no-tier', 'none'))).toMatchObject({
      state: 'failed',
      errorCode: 'no-tier',
    });
    expect(errorKeyOf(applyFailure(turn, new Error('x')))).toBe('other');
  });

  it('is said to be kept here by policy only where the person would have let it go', () => {
    const denied = { ...turn, errorCode: 'egress-denied' };
    expect(errorKeyOf({ ...denied, privacy: 'cloud' })).toBe('egress-denied');
    expect(errorKeyOf({ ...denied, privacy: 'device' })).toBe('no-tier');
  });
});

describe('what earlier turns are handed on', () => {
  const done = { ...turn, state: 'done', text: 'answer' } as const;

  it('leaves out answers from documents and turns that were to stay nearer', () => {
    const turns = [
      { ...done, question: 'a', privacy: 'cloud', searched: true },
      { ...done, question: 'b', privacy: 'device' },
      { ...done, question: 'c', privacy: 'edge' },
      { ...done, question: 'd', privacy: 'cloud' },
      { ...done, question: 'e', privacy: 'cloud', state: 'stopped' },
    ] as const;
    expect(historyOf(turns, 'cloud').map(({ question }) => question)).toEqual(['d']);
    expect(historyOf(turns, 'edge').map(({ question }) => question)).toEqual(['c', 'd']);
    expect(historyOf(turns, 'device').map(({ question }) => question)).toEqual(['b', 'c', 'd']);
  });
});
