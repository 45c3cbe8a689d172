// Owns the cache page: how much is kept, what it saved, a plot of this session, and erasing it.
import type { CacheStatus, Trace } from 'nearfield';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { formatBytes, formatCount, formatMs, formatPercent } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { RemovePart, SaveCopy } from './cache-removal.tsx';
import { Figures, PageFrame } from './page.tsx';
import { plotOf } from './summary.ts';
import { useLoaded } from './use-loaded.ts';

const SHOWN_ENTRIES = 50;
const STATUSES: readonly CacheStatus[] = ['hit', 'stale', 'miss', 'bypass'];

export function CachePage(): JSX.Element {
  const { runtime, conversation } = useApp();
  const [stats, again] = useLoaded(() => runtime.cacheStats(), conversation.turns.value);
  const traces = runtime.traces();
  const lookups = stats === undefined ? 0 : stats.hits + stats.stale + stats.misses;
  return (
    <PageFrame title={t('cachePage.title')} lead={t('cachePage.lead')}>
      {stats !== undefined && (
        <>
          <Figures
            figures={[
              { label: t('cachePage.entries'), value: formatCount(stats.entries, locale.value) },
              {
                label: t('cachePage.hitRate'),
                value:
                  lookups === 0 ? '–' : formatPercent((stats.hits + stats.stale) / lookups, locale.value),
              },
              {
                label: t('cachePage.saved'),
                value: stats.savedMs === 0 ? '–' : formatMs(stats.savedMs, locale.value),
              },
              { label: t('cachePage.size'), value: formatBytes(stats.bytes, locale.value) },
            ]}
          />
          <p class="note muted">{t('cachePage.store', { store: stats.store })}</p>
        </>
      )}
      <Plot traces={traces} />
      <Entries key={stats?.entries} onRemoved={again} />
      {(stats?.entries ?? 0) > 0 && <RemovePart onRemoved={again} />}
      <EraseButton onErased={again} />
    </PageFrame>
  );
}

function Plot({ traces }: { readonly traces: readonly Trace[] }): JSX.Element | null {
  const bars = plotOf(traces);
  if (bars.length === 0) return null;
  const present = STATUSES.filter((status) => bars.some((bar) => bar.status === status));
  return (
    <figure class="plot">
      <figcaption class="label">{t('cachePage.time')}</figcaption>
      <ol class="plot-bars">
        {bars.map((bar) => (
          <li key={bar.id} data-cache={bar.status} style={{ height: `${bar.height * 100}%` }}>
            <span class="visually-hidden">{`${t(`cache.${bar.status}`)}, ${formatMs(bar.ms, locale.value)}`}</span>
            <span class="plot-tip" aria-hidden="true">
              {formatMs(bar.ms, locale.value)}
            </span>
          </li>
        ))}
      </ol>
      <ul class="legend">
        {present.map((status) => (
          <li key={status} data-cache={status}>
            {t(`cache.${status}`)}
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** Newest first. What stands here is what is kept: the question as it was normalised, and how often it served. */
function Entries({ onRemoved }: { readonly onRemoved: () => void }): JSX.Element | null {
  const { runtime, conversation } = useApp();
  const [entries = []] = useLoaded(() => runtime.cacheEntries(), conversation.turns.value);
  if (entries.length === 0) return null;
  const newest = [...entries].sort((a, b) => b.createdAtMs - a.createdAtMs).slice(0, SHOWN_ENTRIES);
  return (
    <section>
      <h2>{t('cachePage.entries')}</h2>
      <ul class="card entries">
        {newest.map(({ id, text, hits, answer, createdAtMs }) => (
          <li key={id} class="entry">
            <span class="entry-text">{text}</span>
            <span class="entry-figure">{t('cachePage.served', { n: hits })}</span>
            <span class="entry-figure" title={new Date(createdAtMs).toLocaleString(locale.value)}>
              {t('cachePage.took', { time: formatMs(answer.costMs, locale.value) })}
            </span>
            <button
              type="button"
              class="button small quiet"
              aria-label={t('cachePage.remove')}
              title={t('cachePage.remove')}
              onClick={() => void runtime.removeFromCache({ ids: [id] }).then(onRemoved)}
            >
              <Icon name="trash" size={14} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function EraseButton({ onErased }: { readonly onErased: () => void }): JSX.Element {
  const { runtime } = useApp();
  const [asking, setAsking] = useState(false);
  const [erased, setErased] = useState<number>();
  const erase = async (): Promise<void> => {
    setErased(await runtime.eraseCache());
    setAsking(false);
    onErased();
  };
  return (
    <div class="toolbar">
      {asking ? (
        <>
          <span>{t('cachePage.sure')}</span>
          <button type="button" class="button danger" onClick={() => void erase()}>
            {t('confirm.yes')}
          </button>
          <button type="button" class="button" onClick={() => setAsking(false)}>
            {t('confirm.no')}
          </button>
        </>
      ) : (
        <button type="button" class="button" onClick={() => setAsking(true)}>
          <Icon name="trash" size={16} />
          {t('cachePage.erase')}
        </button>
      )}
      <SaveCopy />
      <output>{erased !== undefined && t('cachePage.erased', { n: erased })}</output>
    </div>
  );
}
