// Owns the document viewer: the kept text with its passages marked, opened at the one that was pressed.
import type { Passage } from 'nearfield';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/i18n.ts';
import { type OpenDocument, useApp } from '../state/app.ts';
import type { LibraryDocument } from '../state/library.ts';
import { Icon } from '../ui/icons.tsx';
import { piecesOf } from './pieces.ts';

export function Viewer(): JSX.Element | null {
  const { viewer, library } = useApp();
  const open = viewer.value;
  const document = library.documents.value.find(({ id }) => id === open?.documentId);
  if (open === undefined || document === undefined) return null;
  return <ViewerDialog open={open} document={document} />;
}

interface ViewerProps {
  readonly open: OpenDocument;
  readonly document: LibraryDocument;
}

function ViewerDialog({ open, document }: ViewerProps): JSX.Element {
  const { viewer } = useApp();
  const dialog = useRef<HTMLDialogElement>(null);
  const passages = open.passages.filter(({ documentId }) => documentId === document.id);
  const chosen = open.passages[open.at];
  const at = chosen === undefined ? 0 : Math.max(0, passages.indexOf(chosen));
  const close = (): void => {
    viewer.value = undefined;
  };
  const go = (passage: Passage | undefined): void => {
    if (passage !== undefined) viewer.value = { ...open, at: open.passages.indexOf(passage) };
  };
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    dialog.current?.querySelector('mark[data-current]')?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself; the click is on its backdrop
    <dialog
      ref={dialog}
      class="viewer"
      aria-labelledby="viewer-title"
      onClose={close}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current?.close();
      }}
    >
      <div class="viewer-head">
        <h2 id="viewer-title">{document.title}</h2>
        {passages.length > 1 && <Walk passages={passages} at={at} go={go} />}
        <button
          type="button"
          class="icon-button"
          aria-label={t('docs.viewerClose')}
          onClick={() => dialog.current?.close()}
        >
          <Icon name="close" />
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <div class="viewer-text" tabIndex={0}>
        {piecesOf(document.text, passages).map((piece) =>
          piece.passage === undefined ? (
            piece.text
          ) : (
            <mark key={piece.passage.start} data-current={piece.passage === passages[at] ? '' : undefined}>
              {piece.text}
            </mark>
          ),
        )}
      </div>
    </dialog>
  );
}

interface WalkProps {
  readonly passages: readonly Passage[];
  readonly at: number;
  readonly go: (passage: Passage | undefined) => void;
}

function Walk({ passages, at, go }: WalkProps): JSX.Element {
  const around = (step: number): Passage | undefined =>
    passages[(at + step + passages.length) % passages.length];
  return (
    <div class="viewer-walk">
      <button
        type="button"
        class="icon-button flip"
        aria-label={t('docs.previous')}
        onClick={() => go(around(-1))}
      >
        <Icon name="chevron" />
      </button>
      <output class="muted">{t('docs.viewerAt', { n: at + 1, total: passages.length })}</output>
      <button type="button" class="icon-button" aria-label={t('docs.next')} onClick={() => go(around(1))}>
        <Icon name="chevron" />
      </button>
    </div>
  );
}
