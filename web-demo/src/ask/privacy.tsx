// Owns the choice of reach: how far a question may travel, in words anyone can check.
import type { TierKind } from 'nearfield';
import type { JSX } from 'preact';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';

const REACHES: readonly TierKind[] = ['device', 'edge', 'cloud'];

export function PrivacyControl(): JSX.Element {
  const { settings, runtime } = useApp();
  const { privacy } = settings;
  const hasEdge = runtime.edgeHost !== '';
  return (
    <section class="panel" aria-labelledby="reach-title">
      <h2 id="reach-title" class="label">
        {t('privacy.title')}
      </h2>
      <fieldset class="reach" data-reach={privacy.value}>
        <legend class="visually-hidden">{t('privacy.title')}</legend>
        {REACHES.map((kind) => (
          <label key={kind} data-kind={kind}>
            <input
              type="radio"
              name="reach"
              value={kind}
              checked={privacy.value === kind}
              disabled={kind !== 'device' && !hasEdge}
              onChange={() => {
                privacy.value = kind;
              }}
            />
            <Icon name={kind} size={20} />
            <span>{t(`tier.${kind}`)}</span>
          </label>
        ))}
      </fieldset>
      <p class="note">{t(`privacy.${privacy.value}`, { host: runtime.edgeHost })}</p>
      <p class="note muted">{t(hasEdge ? 'privacy.narrower' : 'privacy.noEdge')}</p>
    </section>
  );
}

/** The reach in force, beside the question; opens the documents sheet where that is folded away. */
export function ReachChip(): JSX.Element {
  const { settings, sheetOpen, library } = useApp();
  const kind = settings.privacy.value;
  return (
    <button
      type="button"
      class="chip reach-chip"
      data-kind={kind}
      aria-haspopup="dialog"
      onClick={() => {
        sheetOpen.value = !sheetOpen.value;
      }}
    >
      <Icon name={kind} size={15} />
      {t(`tier.${kind}`)}
      <span class="chip-docs">
        <Icon name="file" size={15} />
        {library.documents.value.length}
      </span>
    </button>
  );
}
