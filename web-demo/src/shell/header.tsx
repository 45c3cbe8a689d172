// Owns the header: the mark, the pages, the state of network and model, theme, language, install.
import type { JSX } from 'preact';
import { LOCALES, type Locale, locale, t } from '../i18n/i18n.ts';
import { useApp } from '../state/app.ts';
import { PAGES } from '../state/route.ts';
import { isDark } from '../state/settings.ts';
import { Icon, Logo } from '../ui/icons.tsx';
import { canInstall, install } from './install.ts';
import { takeUpdate, updateReady } from './register.ts';
import { Status } from './status.tsx';

const LANGUAGE_NAMES: Readonly<Record<Locale, string>> = { en: 'English', es: 'Español', pt: 'Português' };

export function Header(): JSX.Element {
  return (
    <header class="header">
      <a class="brand" href="#/ask">
        <Logo />
        <span>Nearfield</span>
      </a>
      <Navigation />
      <div class="header-end">
        <Status />
        {updateReady.value && (
          <button type="button" class="button update" onClick={takeUpdate}>
            <Icon name="refresh" size={16} />
            {t('update')}
          </button>
        )}
        {canInstall.value && (
          <button type="button" class="button quiet" onClick={() => void install()}>
            <Icon name="install" size={16} />
            {t('install')}
          </button>
        )}
        <LanguageSelect />
        <ThemeToggle />
      </div>
    </header>
  );
}

function Navigation(): JSX.Element {
  const { route } = useApp();
  return (
    <nav class="nav" aria-label={t('nav.label')}>
      {PAGES.map((page) => (
        <a key={page} href={`#/${page}`} aria-current={route.value === page ? 'page' : undefined}>
          <Icon name={page} size={18} />
          <span>{t(`nav.${page}`)}</span>
        </a>
      ))}
    </nav>
  );
}

function LanguageSelect(): JSX.Element {
  return (
    <select
      class="language"
      aria-label={t('language')}
      value={locale.value}
      onChange={(event) => {
        locale.value = LOCALES.find((value) => value === event.currentTarget.value) ?? 'en';
      }}
    >
      {LOCALES.map((value) => (
        <option key={value} value={value} aria-label={LANGUAGE_NAMES[value]}>
          {value.toUpperCase()}
        </option>
      ))}
    </select>
  );
}

function ThemeToggle(): JSX.Element {
  const { theme } = useApp().settings;
  const dark = isDark(theme.value);
  const label = t(dark ? 'theme.toLight' : 'theme.toDark');
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      onClick={() => {
        theme.value = dark ? 'light' : 'dark';
      }}
    >
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}
