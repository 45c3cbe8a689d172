// Owns removing a part of the cache: by age or by likeness, shown first, then confirmed; and saving a copy of it all.
import type { Invalidation, Selection } from 'nearfield/cache';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { Icon } from '../ui/icons.tsx';

const HOUR_MS = 3_600_000;
const AGES = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 168 * HOUR_MS } as const;
type Age = keyof typeof AGES | 'any';

type Part = Pick<Selection, 'olderThanMs' | 'like'>;

/** Nothing goes before its count was shown: a dry run first, its very selection after. */
export function RemovePart({ onRemoved }: { readonly onRemoved: () => void }): JSX.Element {
  const { runtime } = useApp();
  const [like, setLike] = useState('');
  const [age, setAge] = useState<Age>('any');
  const [found, setFound] = useState<{ readonly part: Part; readonly seen: Invalidation }>();
  const [removed, setRemoved] = useState<number>();
  const part: Part = {
    ...(age !== 'any' && { olderThanMs: AGES[age] }),
    ...(like.trim() !== '' && { like: { text: like } }),
  };
  const change = (apply: () => void): void => {
    apply();
    setFound(undefined);
    setRemoved(undefined);
  };
  const look = async (event: Event): Promise<void> => {
    event.preventDefault();
    setFound({ part, seen: await runtime.removeFromCache({ ...part, dryRun: true }) });
  };
  const remove = async (): Promise<void> => {
    const ids = found?.seen.ids ?? [];
    setRemoved((await runtime.removeFromCache({ ids })).removed);
    setFound(undefined);
    onRemoved();
  };
  return (
    <section>
      <h2>{t('cachePage.part')}</h2>
      <form class="toolbar" onSubmit={(event) => void look(event)}>
        <label class="part-field">
          <span class="label">{t('cachePage.like')}</span>
          <input value={like} onInput={({ currentTarget }) => change(() => setLike(currentTarget.value))} />
        </label>
        <label class="part-field">
          <span class="label">{t('cachePage.older')}</span>
          <select
            value={age}
            onChange={({ currentTarget }) => change(() => setAge(currentTarget.value as Age))}
          >
            {(['any', 'hour', 'day', 'week'] as const).map((each) => (
              <option key={each} value={each}>
                {t(`cachePage.age.${each}`)}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class="button" disabled={Object.keys(part).length === 0}>
          {t('cachePage.look')}
        </button>
      </form>
      <div class="toolbar part-found" aria-live="polite">
        {found !== undefined && <span>{t('cachePage.would', { n: found.seen.ids.length })}</span>}
        {found !== undefined && found.seen.ids.length > 0 && (
          <button type="button" class="button danger" onClick={() => void remove()}>
            {t('confirm.yes')}
          </button>
        )}
        {removed !== undefined && <span>{t('cachePage.erased', { n: removed })}</span>}
      </div>
    </section>
  );
}

/** All that is kept, as JSON, for its owner. */
export function SaveCopy(): JSX.Element {
  const { runtime } = useApp();
  const save = async (): Promise<void> => {
    const json = JSON.stringify(await runtime.cacheEntries(), null, 2);
    const url = URL.createObjectURL(new Blob([json], { type: 'application/json' }));
    Object.assign(document.createElement('a'), { href: url, download: 'nearfield-cache.json' }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1_000);
  };
  return (
    <button type="button" class="button" onClick={() => void save()}>
      <Icon name="download" size={16} />
      {t('cachePage.save')}
    </button>
  );
}
