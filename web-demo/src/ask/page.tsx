// Owns the ask page: documents and reach at one side, the conversation at the other.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { DocumentPanel } from '../documents/panel.tsx';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';
import { Composer } from './composer.tsx';
import { LanguageModelPanel } from './language-model.tsx';
import { PrivacyControl } from './privacy.tsx';
import { TurnView } from './turn.tsx';
import { Welcome } from './welcome.tsx';

export function AskPage(): JSX.Element {
  const { conversation, sheetOpen } = useApp();
  return (
    <div class="ask">
      <aside class="side" data-open={sheetOpen.value} aria-label={t('docs.open')}>
        <button
          type="button"
          class="icon-button side-close"
          aria-label={t('docs.viewerClose')}
          onClick={() => {
            sheetOpen.value = false;
          }}
        >
          <Icon name="close" />
        </button>
        <DocumentPanel />
        <LanguageModelPanel />
        <PrivacyControl />
      </aside>
      <section class="talk" aria-label={t('ask.conversation')}>
        {conversation.turns.value.length === 0 ? <Welcome /> : <Turns />}
        <Composer />
      </section>
    </div>
  );
}

function Turns(): JSX.Element {
  const { conversation } = useApp();
  const turns = conversation.turns.value;
  const last = turns.at(-1);
  const scroller = useRef<HTMLDivElement>(null);
  const { id, state } = last ?? {};
  // The newest question comes to the top, and again when its answer is whole. In between the reader scrolls.
  useEffect(() => {
    const box = scroller.current;
    const turn = box?.querySelector('.turn:last-of-type');
    // Not scrollIntoView: that would scroll the page behind the box as well.
    if (box && turn) box.scrollTop += turn.getBoundingClientRect().top - box.getBoundingClientRect().top;
  }, [id, state]);
  return (
    <div class="turns" ref={scroller}>
      <div class="turns-head">
        <button type="button" class="button quiet small" onClick={() => conversation.clear()}>
          {t('ask.clear')}
        </button>
      </div>
      {turns.map((turn) => (
        <TurnView key={turn.id} turn={turn} />
      ))}
      <output class="visually-hidden">
        {last?.state === 'working'
          ? t('ask.working')
          : last?.state === 'done'
            ? `${t('ask.done')} ${last.text}`
            : ''}
      </output>
    </div>
  );
}
