// Owns the models page: what runs, on what, how large, checked against which hash, ready for offline or not.
import type { JSX } from 'preact';
import { locale, t } from '../i18n/i18n.ts';
import { offlineReady } from '../shell/network.ts';
import { useApp } from '../state/app.ts';
import { formatBytes, formatMs } from '../ui/format.ts';
import { PageFrame } from './page.tsx';
import { useLoaded } from './use-loaded.ts';

export function ModelsPage(): JSX.Element {
  const { runtime } = useApp();
  const model = runtime.model.value;
  const [storage] = useLoaded(async () => (await navigator.storage?.estimate())?.usage, model.phase);
  return (
    <PageFrame title={t('models.title')} lead={t('models.lead')}>
      <section class="card model">
        <h2>
          {model.id}
          <span
            class="badge"
            data-cache={model.phase === 'ready' ? 'hit' : model.phase === 'failed' ? 'failed' : 'bypass'}
          >
            {t(`model.${model.phase}`, { percent: '' }).replace(/[,\s]+$/, '')}
          </span>
        </h2>
        {model.phase === 'loading' && (
          <progress
            class="progress"
            value={model.loadedBytes}
            max={Math.max(1, model.totalBytes)}
            aria-label={t('models.title')}
          />
        )}
        {model.error !== undefined && (
          <div class="toolbar" role="alert">
            <p class="note problem">{model.error}</p>
            <button type="button" class="button small" onClick={() => void runtime.loadModel()}>
              {t('ask.retry')}
            </button>
          </div>
        )}
        <dl class="pairs wide">
          <dt>{t('models.backend')}</dt>
          <dd>{model.backend === '' ? t('models.notYet') : <code>{model.backend}</code>}</dd>
          <dt>{t('models.size')}</dt>
          <dd>{formatBytes(model.totalBytes, locale.value)}</dd>
          <dt>{t('models.hash')}</dt>
          <dd>
            {model.weightsHash === '' ? t('models.notYet') : <code class="hash">{model.weightsHash}</code>}
          </dd>
          <dt>{t('models.dims')}</dt>
          <dd>{model.dims}</dd>
          <dt>{t('models.licence')}</dt>
          <dd>{model.licence}</dd>
          <dt>{t('models.load')}</dt>
          <dd>{model.loadMs === undefined ? '–' : formatMs(model.loadMs, locale.value)}</dd>
          <dt>{t('models.isolated')}</dt>
          <dd>
            {crossOriginIsolated
              ? t('models.isolatedYes', { n: navigator.hardwareConcurrency })
              : t('models.isolatedNo')}
          </dd>
          <dt>{t('models.offline')}</dt>
          <dd>
            {t(offlineReady.value && model.phase === 'ready' ? 'models.offlineReady' : 'models.offlineNot')}
          </dd>
          <dt>{t('models.storage')}</dt>
          <dd>{storage === undefined ? '–' : formatBytes(storage, locale.value)}</dd>
        </dl>
      </section>
    </PageFrame>
  );
}
