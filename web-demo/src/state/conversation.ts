// Owns the questions asked on this page: one is answered at a time, any can be stopped or asked again.
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { SourceDocument, TierKind } from 'nearfield';
import type { AppRuntime, Preview, Question } from '../app-runtime.ts';
import { applyFailure, applyPart, newTurn, type Turn } from './turn.ts';

export interface AskOptions {
  readonly cache?: 'use' | 'refresh';
  /** Leaves the documents out, so that a tier farther away may answer on its own. */
  readonly withoutDocuments?: boolean;
}

export interface Conversation {
  readonly turns: ReadonlySignal<readonly Turn[]>;
  readonly busy: ReadonlySignal<boolean>;
  /** Resolves when the answer ended, however it ended. */
  ask(text: string, options?: AskOptions): Promise<void>;
  /** The same question as `ask` would put, looked at and not asked. */
  preview(text: string): Promise<Preview>;
  stop(): void;
  markWrong(id: string): Promise<void>;
  clear(): void;
}

const FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];
const HISTORY_TURNS = 6; // earlier turns handed on; enough for "and on Sundays?", small enough to stay cheap

export function createConversation(options: {
  readonly runtime: AppRuntime;
  readonly privacy: ReadonlySignal<TierKind>;
  readonly documents: () => readonly SourceDocument[];
}): Conversation {
  const turns: Signal<readonly Turn[]> = signal([]);
  const running: Signal<AbortController | undefined> = signal(undefined);
  const update = (id: string, change: (turn: Turn) => Turn): void => {
    turns.value = turns.value.map((turn) => (turn.id === id ? change(turn) : turn));
  };

  const questionOf = (
    text: string,
    { cache = 'use', withoutDocuments = false }: AskOptions = {},
  ): Question => {
    const documents = withoutDocuments ? [] : options.documents();
    const history = documents.length > 0 ? [] : historyOf(turns.value, options.privacy.value);
    return { text, documents, history, cache, privacy: options.privacy.value };
  };

  return {
    turns,
    preview: (text) => options.runtime.preview(questionOf(text)),
    busy: computed(() => running.value !== undefined),
    stop: () => running.value?.abort(),
    clear() {
      running.value?.abort();
      turns.value = [];
    },
    async markWrong(id) {
      const entryId = turns.value.find((turn) => turn.id === id)?.end?.cache.entryId;
      if (entryId === undefined) return;
      await options.runtime.feedback(entryId, 'wrong');
      update(id, (turn) => ({ ...turn, verdict: 'wrong' }));
    },
    async ask(text, how) {
      if (text.trim() === '' || running.value !== undefined) return;
      const question = questionOf(text.trim(), how);
      const turn = newTurn(crypto.randomUUID(), question.text, question.privacy);
      const stop = new AbortController();
      running.value = stop;
      turns.value = [...turns.value, turn];
      try {
        for await (const part of options.runtime.ask(question, { signal: stop.signal })) {
          update(turn.id, (current) => applyPart(current, part));
        }
      } catch (error) {
        // The runtime closes a request's trace before it throws, and this page asks one thing at a time.
        const receipt = options.runtime.traces().at(-1)?.receipt;
        update(turn.id, (current) => applyFailure(current, error, receipt));
      } finally {
        running.value = undefined;
      }
    },
  };
}

/**
 * Earlier turns to hand on: answered, allowed at least as far as this one, and none that quotes a document,
 * because documents never leave. A question about documents stands alone, so that repeats can be found.
 */
export function historyOf(turns: readonly Turn[], privacy: TierKind): Question['history'] {
  return turns
    .filter(
      (turn) => turn.state === 'done' && !turn.searched && FAR.indexOf(turn.privacy) >= FAR.indexOf(privacy),
    )
    .slice(-HISTORY_TURNS)
    .map((turn) => ({ question: turn.question, answer: turn.text }));
}
