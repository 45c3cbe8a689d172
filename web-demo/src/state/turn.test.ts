import { NearfieldError, type StreamPart } from 'nearfield';
import { describe, expect, it } from 'vitest';
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
    expect(errorKeyOf(applyFailure(turn, new Error('x')).errorCode)).toBe('other');
  });
});
