// Owns one question and its answer on the page: the words, where they were found, how they came about.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { locale, t } from '../i18n/i18n.ts';
import { BUILD_COMMAND } from '../language-model.ts';
import { useApp } from '../state/app.ts';
import { errorKeyOf, isNotFound, type Turn } from '../state/turn.ts';
import { formatBytes } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { Markdown } from '../ui/markdown-view.tsx';
import { Facts, UnfinishedFacts } from './facts.tsx';
import { LanguageModelLoading } from './language-model.tsx';
import { Sources } from './sources.tsx';

export function TurnView({ turn }: { readonly turn: Turn }): JSX.Element {
  return (
    <article class="turn" aria-busy={turn.state === 'working'}>
      <h3 class="question">
        <span class="visually-hidden">{t('ask.you')}: </span>
        {turn.question}
      </h3>
      <div class="turn-body">
        <div class="answer">
          <AnswerBody turn={turn} />
          {turn.state === 'done' && !isNotFound(turn) && <AnswerActions turn={turn} />}
          <Sources turn={turn} />
        </div>
        {turn.end !== undefined && <Facts turn={turn} end={turn.end} />}
        {turn.receipt !== undefined && <UnfinishedFacts receipt={turn.receipt} />}
      </div>
    </article>
  );
}

function AnswerBody({ turn }: { readonly turn: Turn }): JSX.Element {
  if (turn.state === 'failed') return <Failure turn={turn} />;
  if (isNotFound(turn)) return <NotFound turn={turn} />;
  // Sentences taken from a document are shown as they stand there; only a model's own text is Markdown.
  const isQuoted = turn.passages.some(({ text }) => text === turn.text);
  return (
    <>
      {isQuoted ? (
        <p class="answer-text">{turn.text}</p>
      ) : (
        turn.text !== '' && <Markdown source={turn.text} />
      )}
      {turn.state === 'working' && <Working writing={turn.text !== ''} />}
      {turn.state === 'stopped' && <p class="muted">{t('ask.stopped')}</p>}
    </>
  );
}

function NotFound({ turn }: { readonly turn: Turn }): JSX.Element {
  const { conversation, settings } = useApp();
  const farther = settings.privacy.value;
  return (
    <div class="answer-empty">
      <p>{t('ask.notFound')}</p>
      <p class="muted">{t('ask.notFoundHint')}</p>
      {farther !== 'device' && (
        <button
          type="button"
          class="button small"
          onClick={() => void conversation.ask(turn.question, { withoutDocuments: true })}
        >
          <Icon name={farther} size={15} />
          {t('ask.farther', { tier: t(`tier.${farther}`) })}
        </button>
      )}
    </div>
  );
}

function Working({ writing }: { readonly writing: boolean }): JSX.Element {
  return (
    <p class="working">
      <span class="waves" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {t(writing ? 'ask.writing' : 'ask.working')}
    </p>
  );
}

function Failure({ turn }: { readonly turn: Turn }): JSX.Element {
  const { conversation } = useApp();
  const key = errorKeyOf(turn);
  return (
    <div class="answer-empty" role="alert">
      <p>{t(`error.${key}`)}</p>
      {key !== 'other' && <p class="muted">{t(`error.${key}.hint`)}</p>}
      {key === 'no-tier' && <Bring question={turn.question} />}
      {(key === 'other' || key === 'refused') && <code class="muted">{turn.errorCode}</code>}
      <button type="button" class="button small" onClick={() => void conversation.ask(turn.question)}>
        {t('ask.retry')}
      </button>
    </div>
  );
}

/** What is missing here is a language model: one press brings it and asks again, or one line says how to. */
function Bring({ question }: { readonly question: string }): JSX.Element | null {
  const { conversation, runtime } = useApp();
  const { state, load } = runtime.languageModel;
  const { phase, kept, totalBytes } = state.value;
  if (phase === 'absent') {
    return (
      <p class="muted">
        {t('chat.absent')} <code>{BUILD_COMMAND}</code>
      </p>
    );
  }
  // On a phone the panel that shows it is out of sight.
  if (phase === 'loading') return <LanguageModelLoading />;
  if (phase !== 'idle') return null;
  const loadAndAsk = async (): Promise<void> => {
    await load();
    if (state.value.phase === 'ready') await conversation.ask(question);
  };
  return (
    <button type="button" class="button small" onClick={() => void loadAndAsk()}>
      {t(kept ? 'chat.openAndAsk' : 'chat.loadAndAsk', { size: formatBytes(totalBytes, locale.value) })}
    </button>
  );
}

const COPIED_MS = 1600;

function AnswerActions({ turn }: { readonly turn: Turn }): JSX.Element {
  const { conversation } = useApp();
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(turn.text);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  const status = turn.end?.cache.status;
  return (
    <div class="actions">
      <button type="button" class="button quiet small" onClick={() => void copy()}>
        <Icon name={copied ? 'check' : 'copy'} size={15} />
        {t(copied ? 'ask.copied' : 'ask.copy')}
      </button>
      {(status === 'hit' || status === 'stale') && (
        <button
          type="button"
          class="button quiet small"
          onClick={() => void conversation.ask(turn.question, { cache: 'refresh' })}
        >
          <Icon name="refresh" size={15} />
          {t('ask.again')}
        </button>
      )}
    </div>
  );
}
