// Owns the page that says what leaves and what never does, and how to check it.
import type { JSX } from 'preact';
import type { MessageKey } from '../i18n/en.ts';
import { t } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { PageFrame } from './page.tsx';

interface Part {
  readonly title: MessageKey;
  readonly icon: IconName;
  readonly lines: readonly MessageKey[];
}

const PARTS: readonly Part[] = [
  {
    title: 'about.never',
    icon: 'device',
    lines: ['about.never1', 'about.never2', 'about.never3', 'about.never4'],
  },
  { title: 'about.may', icon: 'edge', lines: ['about.may1', 'about.may2'] },
  { title: 'about.site', icon: 'download', lines: ['about.site1'] },
  { title: 'about.check', icon: 'shield', lines: ['about.check1', 'about.check2'] },
];

export function AboutPage(): JSX.Element {
  return (
    <PageFrame title={t('about.title')} lead={t('about.lead')}>
      <div class="about-grid">
        {PARTS.map(({ title, icon, lines }) => (
          <section key={title} class="card">
            <h2>
              <Icon name={icon} />
              {t(title)}
            </h2>
            <ul class="plain">
              {lines.map((line) => (
                <li key={line}>{t(line)}</li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </PageFrame>
  );
}
