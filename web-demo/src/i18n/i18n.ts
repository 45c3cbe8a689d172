// Owns the language of the page: picks one, fills values in. English is complete by type; the others are
// checked against it by the compiler.
import { type Signal, signal } from '@preact/signals';
import { en, type MessageKey, type Messages } from './en.ts';
import { es } from './es.ts';
import { pt } from './pt.ts';

export const LOCALES = ['en', 'es', 'pt'] as const;
export type Locale = (typeof LOCALES)[number];

const MESSAGES: Readonly<Record<Locale, Messages>> = { en, es, pt };

export const locale: Signal<Locale> = signal('en');

/** The first language of the list that the page speaks, else English. */
export function pickLocale(languages: readonly string[]): Locale {
  for (const language of languages) {
    const found = LOCALES.find((candidate) => language.toLowerCase().startsWith(candidate));
    if (found !== undefined) return found;
  }
  return 'en';
}

/** The words for a key in the current language; reading it in a component follows changes of language. */
export function t(key: MessageKey, values: Readonly<Record<string, string | number>> = {}): string {
  return fill(MESSAGES[locale.value][key], values, locale.value);
}

/** `one|other` by the plural of `n`, then each `{name}`. */
export function fill(
  message: string,
  values: Readonly<Record<string, string | number>>,
  language: Locale,
): string {
  const forms = message.split('|');
  const isOne = typeof values.n === 'number' && new Intl.PluralRules(language).select(values.n) === 'one';
  const form = (isOne ? forms[0] : forms.at(-1)) ?? '';
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? value.toLocaleString(language) : value;
  });
}
