// Owns where a question is written: Enter asks, Shift+Enter breaks the line, Escape or the button stops.
// Beneath it stands what was found in the text and whether any of it could leave.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';
import { PreviewLine } from './preview.tsx';
import { ReachChip } from './privacy.tsx';

export function Composer(): JSX.Element {
  const { conversation, library, runtime } = useApp();
  const [text, setText] = useState('');
  const input = useRef<HTMLTextAreaElement>(null);
  const busy = conversation.busy.value;
  useEffect(() => grow(input.current), [text]);

  const submit = (event?: Event): void => {
    event?.preventDefault();
    if (busy || text.trim() === '') return;
    void conversation.ask(text);
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && busy) conversation.stop();
    // An open input method uses Enter to choose a word, not to ask.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
  };

  return (
    <form class="composer" onSubmit={submit}>
      <PreviewLine text={text} />
      <div class="composer-box">
        <textarea
          ref={input}
          rows={1}
          value={text}
          aria-label={t('ask.label')}
          aria-describedby="composer-keys"
          placeholder={t(
            placeholderKey(library.documents.value.length, runtime.languageModel.state.value.phase),
          )}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <div class="composer-row">
          <ReachChip />
          <span id="composer-keys" class="hint">
            {t('ask.keys')}
          </span>
          {busy ? (
            <button
              type="button"
              class="send"
              aria-label={t('ask.stop')}
              title={t('ask.stop')}
              onClick={conversation.stop}
            >
              <Icon name="stop" />
            </button>
          ) : (
            <button
              type="submit"
              class="send"
              aria-label={t('ask.send')}
              title={t('ask.send')}
              disabled={text.trim() === ''}
            >
              <Icon name="send" />
            </button>
          )}
        </div>
      </div>
    </form>
  );
}

/** A page with a language model can be asked about anything. */
function placeholderKey(
  documents: number,
  phase: string,
): 'ask.placeholder' | 'chat.placeholder' | 'ask.placeholderNoDocs' {
  if (documents > 0) return 'ask.placeholder';
  return phase === 'ready' ? 'chat.placeholder' : 'ask.placeholderNoDocs';
}

function grow(element: HTMLTextAreaElement | null): void {
  if (element === null) return;
  element.style.height = 'auto';
  element.style.height = `${Math.min(element.scrollHeight, 200)}px`;
}
