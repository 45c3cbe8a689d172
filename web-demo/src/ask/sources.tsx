// Owns the passages under an answer: each sentence marked where it stands, one press from its document.
import type { Passage } from 'nearfield';
import type { JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import type { Turn } from '../state/turn.ts';
import { formatPercent } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { contextOf } from './context.ts';

export function Sources({ turn }: { readonly turn: Turn }): JSX.Element | null {
  const { passages } = turn;
  if (passages.length === 0) return null;
  return (
    <section class="sources">
      <h4 class="label">{t('ask.sources')}</h4>
      <ol>
        {passages.map((passage, at) => (
          <li key={`${passage.documentId}:${passage.start}`}>
            <Source passage={passage} passages={passages} at={at} />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface SourceProps {
  readonly passage: Passage;
  readonly passages: readonly Passage[];
  readonly at: number;
}

function Source({ passage, passages, at }: SourceProps): JSX.Element {
  const { library, viewer } = useApp();
  const document = library.documents.value.find(({ id }) => id === passage.documentId);
  const context = contextOf(
    document?.text ?? passage.text,
    document ? passage.start : 0,
    document ? passage.end : passage.text.length,
  );
  return (
    <button
      type="button"
      class="source"
      disabled={document === undefined}
      title={t('ask.openSource')}
      onClick={() => {
        viewer.value = { documentId: passage.documentId, passages, at };
      }}
    >
      <span class="source-head">
        <Icon name="file" size={14} />
        <span class="source-title">{passage.title ?? passage.documentId}</span>
        <span class="muted">
          {t('ask.match', { percent: formatPercent(Math.max(0, passage.similarity), locale.value) })}
        </span>
      </span>
      <span class="source-text">
        {context.before}
        <mark>{context.match}</mark>
        {context.after}
      </span>
    </button>
  );
}
