// Owns the few choices a person makes: reach, theme, language. Kept in localStorage where there is one;
// a refused store costs only the memory of them.
import { effect, type Signal, signal } from '@preact/signals';
import type { TierKind } from 'nearfield';
import { LOCALES, type Locale, locale, pickLocale } from '../i18n/i18n.ts';

export type Theme = 'system' | 'light' | 'dark';

export interface Settings {
  readonly privacy: Signal<TierKind>;
  readonly theme: Signal<Theme>;
}

const KEY = 'nearfield.settings';
const REACHES: readonly TierKind[] = ['device', 'edge', 'cloud'];
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** Reads what was kept, applies it to the page and keeps every later change. Device only until told else. */
export function createSettings(options: { readonly hasEdge: boolean }): Settings {
  const kept = readKept();
  const privacy = signal<TierKind>(options.hasEdge ? oneOf(REACHES, kept.privacy, 'device') : 'device');
  const theme = signal<Theme>(oneOf(THEMES, kept.theme, 'system'));
  locale.value = oneOf(LOCALES, kept.locale, pickLocale(navigator.languages));
  effect(() => {
    document.documentElement.lang = locale.value;
    applyTheme(theme.value);
    keep({ privacy: privacy.value, theme: theme.value, locale: locale.value });
  });
  return { privacy, theme };
}

function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function isDark(theme: Theme): boolean {
  return theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
}

type Kept = Readonly<Record<'privacy' | 'theme' | 'locale', unknown>>;

function readKept(): Kept {
  const none: Kept = { privacy: undefined, theme: undefined, locale: undefined };
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof value === 'object' && value !== null ? { ...none, ...value } : none;
  } catch {
    return none;
  }
}

function keep(value: { privacy: TierKind; theme: Theme; locale: Locale }): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // Storage is off or full: the choice holds until the page closes.
  }
}

function oneOf<T extends string>(values: readonly T[], value: unknown, otherwise: T): T {
  return values.find((candidate) => candidate === value) ?? otherwise;
}
