// Owns the one-line state of the model and the network.
import type { JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { formatPercent } from '../ui/format.ts';
import { online } from './network.ts';

export function Status(): JSX.Element {
  const { phase, loadedBytes, totalBytes, backend } = useApp().runtime.model.value;
  const share = totalBytes > 0 ? loadedBytes / totalBytes : 0;
  const text = t(`model.${phase}`, { percent: formatPercent(share, locale.value) });
  return (
    <a
      class="status"
      href="#/models"
      data-phase={phase}
      title={backend === '' ? text : `${text} · ${backend}`}
    >
      <span class="dot" />
      <output class="status-text">{online.value ? text : t('net.offline')}</output>
    </a>
  );
}
