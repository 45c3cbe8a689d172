// Owns the list of documents: add by drop or picker, see what each holds and how far its indexing is, choose
// which are asked, open, remove.
import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import type { LibraryDocument } from '../state/library.ts';
import { formatBytes, formatPercent } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { ACCEPTED } from './file-kind.ts';
import { SAMPLES } from './samples.ts';

export function DocumentPanel(): JSX.Element {
  const { library } = useApp();
  const documents = library.documents.value;
  return (
    <section class="panel documents" aria-labelledby="documents-title">
      <h2 id="documents-title" class="label">
        {t('docs.title')}
      </h2>
      <DropZone />
      {library.reading.value !== undefined && (
        <p class="note">{t('docs.reading', { name: library.reading.value })}</p>
      )}
      <div role="alert">
        {library.problems.value.map((problem) => (
          <p key={problem} class="note problem">
            {problem}
          </p>
        ))}
      </div>
      {documents.length > 0 && (
        <ul class="document-list">
          {documents.map((document) => (
            <DocumentRow key={document.id} document={document} />
          ))}
        </ul>
      )}
      <MoreSamples held={new Set(documents.map(({ id }) => id))} />
    </section>
  );
}

function DropZone(): JSX.Element {
  const { library } = useApp();
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined): void => {
    void library.addFiles([...(files ?? [])]);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way; the button inside is the first
    <div
      class="drop"
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <span>{t(over ? 'docs.dropNow' : 'docs.drop')}</span>
      <button type="button" class="button small" onClick={() => picker.current?.click()}>
        <Icon name="plus" size={15} />
        {t('docs.add')}
      </button>
      <input
        ref={picker}
        class="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        accept={ACCEPTED}
        aria-label={t('docs.add')}
        onChange={(event) => {
          take(event.currentTarget.files);
          event.currentTarget.value = ''; // the same file may be chosen again after it was removed
        }}
      />
      <small class="muted">{t('docs.kinds')}</small>
    </div>
  );
}

function DocumentRow({ document }: { readonly document: LibraryDocument }): JSX.Element {
  const { library, viewer } = useApp();
  const { id, title, included } = document;
  return (
    <li class="document" data-included={included}>
      <input
        type="checkbox"
        checked={included}
        aria-label={t('docs.include', { name: title })}
        onChange={() => library.toggle(id)}
      />
      <button
        type="button"
        class="document-open"
        title={t('docs.view', { name: title })}
        onClick={() => {
          viewer.value = { documentId: id, passages: [], at: 0 };
        }}
      >
        <span class="document-title">{title}</span>
        <span class="document-facts">{factsOf(document)}</span>
      </button>
      <button
        type="button"
        class="icon-button small"
        aria-label={t('docs.remove', { name: title })}
        onClick={() => void library.remove(id)}
      >
        <Icon name="trash" size={16} />
      </button>
      {document.progress !== undefined && (
        <progress
          class="progress"
          value={document.progress}
          max={1}
          aria-label={t('docs.indexing', { percent: '' })}
        />
      )}
    </li>
  );
}

function factsOf(document: LibraryDocument): string {
  const size = formatBytes(document.bytes, locale.value);
  if (document.progress !== undefined) {
    return `${size} · ${t('docs.indexing', { percent: formatPercent(document.progress, locale.value) })}`;
  }
  if (document.counts === undefined) return `${size} · ${t('docs.waiting')}`;
  const { sentences, chunks } = document.counts;
  return `${size} · ${t('docs.sentences', { n: sentences })} · ${t('docs.chunks', { n: chunks })}`;
}

function MoreSamples({ held }: { readonly held: ReadonlySet<string> }): JSX.Element | null {
  const { library } = useApp();
  const left = SAMPLES.filter(({ id }) => !held.has(id));
  if (left.length === 0) return null;
  return (
    <details class="more-samples" open={held.size === 0}>
      <summary>{t('docs.samples')}</summary>
      <ul>
        {left.map((sample) => (
          <li key={sample.id}>
            <button
              type="button"
              class="suggestion"
              lang={sample.language}
              aria-label={t('docs.addSample', { name: sample.title })}
              onClick={() => void library.addSample(sample)}
            >
              {sample.title}
              <Icon name="plus" size={14} />
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
