// Owns the live look at a question before it is asked: what was found in it, and word for word what would
// leave. The check runs in this page; nothing is sent to make it.
import type { SpanType } from 'nearfield';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Preview } from '../app-runtime.ts';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';

const QUIET_MS = 180; // long enough not to run at each key, short enough to feel live

export function PreviewLine({ text }: { readonly text: string }): JSX.Element | null {
  const preview = usePreview(text);
  if (preview === undefined) return null;
  const { spans, decision, outgoing } = preview;
  const stays = outgoing === undefined;
  return (
    <section class="preview" aria-label={t('preview.label')}>
      <div class="preview-line">
        <span class="preview-verdict" data-kind={stays ? 'device' : decision.farthest}>
          <Icon name="shield" size={15} />
          {stays ? t('preview.stays') : t('preview.may', { tier: t(`tier.${decision.farthest}`) })}
        </span>
        {spans.length === 0 ? (
          <span class="muted">{t('preview.clean')}</span>
        ) : (
          <ul class="tags">
            {countByType(spans.map(({ type }) => type)).map(([type, count]) => (
              <li key={type} class="tag">
                {type}
                {count > 1 && ` ×${count}`}
              </li>
            ))}
          </ul>
        )}
      </div>
      {!stays && (
        <details class="preview-outgoing">
          <summary>{t('preview.outgoing')}</summary>
          <pre>{outgoing}</pre>
        </details>
      )}
    </section>
  );
}

function usePreview(text: string): Preview | undefined {
  const { conversation, settings, library } = useApp();
  const [preview, setPreview] = useState<Preview>();
  const privacy = settings.privacy.value;
  const documents = library.documents.value;
  const blank = text.trim() === '';
  useEffect(() => {
    if (blank) {
      setPreview(undefined);
      return;
    }
    let current = true;
    const timer = setTimeout(async () => {
      const next = await conversation.preview(text).catch(() => undefined);
      if (current) setPreview(next);
    }, QUIET_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [text, privacy, documents, blank, conversation]);
  return blank ? undefined : preview;
}

export function countByType(types: readonly SpanType[]): readonly (readonly [SpanType, number])[] {
  const counts = new Map<SpanType, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts];
}
