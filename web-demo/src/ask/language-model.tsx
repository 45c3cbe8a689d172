// Owns the language model beside the conversation: what it would cost to bring, how far it is, what it runs
// on, and how to stop or unload it. Where the site serves none it says in one line what would bring one.
import type { JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { BUILD_COMMAND } from '../language-model.ts';
import { useApp } from '../state/app.ts';
import { formatBytes, formatMs } from '../ui/format.ts';

export function LanguageModelPanel(): JSX.Element {
  const { runtime } = useApp();
  const model = runtime.languageModel.state.value;
  return (
    <section class="panel language-model" aria-labelledby="language-model-title">
      <h2 id="language-model-title" class="label">
        {t('chat.title')}
      </h2>
      {model.phase === 'absent' ? <Absent /> : <Present />}
    </section>
  );
}

/** For whoever runs the site; its visitors learn why nothing answers without documents. */
function Absent(): JSX.Element {
  return (
    <p class="note muted">
      {t('chat.absent')} <code>{BUILD_COMMAND}</code>
    </p>
  );
}

function Present(): JSX.Element {
  const { runtime } = useApp();
  const model = runtime.languageModel.state.value;
  const size = formatBytes(model.totalBytes, locale.value);
  return (
    <>
      <p class="language-model-name">
        <code>{model.id}</code>
        {model.phase === 'ready' && (
          <span class="badge" data-cache="bypass">
            {model.backend}
          </span>
        )}
      </p>
      {model.phase === 'loading' && <LanguageModelLoading />}
      {model.phase === 'failed' && (
        <p class="note problem" role="alert">
          {model.error}
        </p>
      )}
      <p class="note muted">
        {model.phase === 'ready'
          ? t('chat.ready', { time: formatMs(model.loadMs ?? 0, locale.value) })
          : t(model.kept ? 'chat.kept' : 'chat.lead', { size })}
      </p>
      <LanguageModelAction />
    </>
  );
}

export function LanguageModelLoading(): JSX.Element {
  const { runtime } = useApp();
  const { loadedBytes, totalBytes } = runtime.languageModel.state.value;
  const [here, of] = [loadedBytes, totalBytes].map((bytes) => formatBytes(bytes, locale.value));
  const opening = loadedBytes >= totalBytes;
  return (
    <div class="language-model-loading">
      <progress
        class="progress"
        aria-label={t('chat.title')}
        {...(opening ? {} : { value: loadedBytes, max: Math.max(1, totalBytes) })}
      />
      <output class="note">
        {opening ? t('chat.opening') : t('chat.loading', { here: here!, of: of! })}
      </output>
    </div>
  );
}

function LanguageModelAction(): JSX.Element {
  const { runtime } = useApp();
  const { state, load, cancel, unload } = runtime.languageModel;
  const { phase, kept, totalBytes } = state.value;
  if (phase === 'loading') {
    return (
      <button type="button" class="button small" onClick={cancel}>
        {t('chat.cancel')}
      </button>
    );
  }
  if (phase === 'ready') {
    return (
      <button type="button" class="button quiet small" onClick={() => void unload()}>
        {t('chat.unload')}
      </button>
    );
  }
  return (
    <button type="button" class="button small" onClick={() => void load()}>
      {t(phase === 'failed' ? 'ask.retry' : kept ? 'chat.open' : 'chat.load', {
        size: formatBytes(totalBytes, locale.value),
      })}
    </button>
  );
}
