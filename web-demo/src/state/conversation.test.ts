import { signal } from '@preact/signals';
import type { Receipt, ResponseEnd, StreamPart, Trace } from 'nearfield';
import { describe, expect, it } from 'vitest';
import type { AppRuntime, Question } from '../app-runtime.ts';
import { createConversation } from './conversation.ts';

const end = { type: 'response-end', cache: { status: 'hit', reason: 'exact', entryId: 'e1' } } as ResponseEnd;

const receipt = { sequence: 7, bytesOut: 12 } as Receipt;

/** A runtime that answers with the parts given, then waits for the signal where told to. */
function setUp(parts: readonly StreamPart[], hangs = false) {
  const asked: Question[] = [];
  const verdicts: string[] = [];
  const runtime = {
    async *ask(question: Question, { signal: stop }: { signal: AbortSignal }) {
      asked.push(question);
      yield* parts;
      if (hangs) await new Promise((_, reject) => stop.addEventListener('abort', () => reject(stop.reason)));
    },
    traces: () => [{ receipt } as Trace],
    feedback: async (entryId: string, verdict: string) => void verdicts.push(`${entryId} ${verdict}`),
  } as Partial<AppRuntime> as AppRuntime;
  const document = { id: 'd', text: 'One. Two.' };
  const conversation = createConversation({ runtime, privacy: signal('cloud'), documents: () => [document] });
  return { conversation, asked, verdicts };
}

describe('a conversation', () => {
  it('keeps what came before a stop and takes the next question', async () => {
    const { conversation } = setUp([{ type: 'text-delta', text: 'Half an ans' }], true);
    const asking = conversation.ask('Why?');
    await expect.poll(() => conversation.turns.value[0]?.text).toBe('Half an ans');
    expect(conversation.busy.value).toBe(true);
    conversation.stop();
    await asking;
    expect(conversation.turns.value[0]).toMatchObject({ state: 'stopped', text: 'Half an ans', receipt });
    expect(conversation.busy.value).toBe(false);
  });

  it('asks one thing at a time and nothing when nothing is written', async () => {
    const { conversation, asked } = setUp([], true);
    void conversation.ask('  ');
    void conversation.ask('First?');
    void conversation.ask('Second?');
    expect(asked.map(({ text }) => text)).toEqual(['First?']);
    conversation.stop();
  });

  it('leaves the documents out only when told to', async () => {
    const { conversation, asked } = setUp([end]);
    await conversation.ask('Here?');
    await conversation.ask('There?', { withoutDocuments: true });
    expect(asked.map(({ documents }) => documents.length)).toEqual([1, 0]);
  });

  it('tells the cache which entry was wrong', async () => {
    const { conversation, verdicts } = setUp([end]);
    await conversation.ask('Sure?');
    await conversation.markWrong(conversation.turns.value[0]!.id);
    expect(verdicts).toEqual(['e1 wrong']);
    expect(conversation.turns.value[0]?.verdict).toBe('wrong');
  });
});
