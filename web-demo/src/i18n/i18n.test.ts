import { describe, expect, it } from 'vitest';
import { en, type MessageKey } from './en.ts';
import { es } from './es.ts';
import { fill, pickLocale } from './i18n.ts';
import { pt } from './pt.ts';

const keys = Object.keys(en) as MessageKey[];
const slots = (message: string): string[] => [...new Set(message.match(/\{\w+\}/g) ?? [])].sort();

describe('messages', () => {
  it.each([
    ['es', es],
    ['pt', pt],
  ] as const)('%s fills the same values as English and leaves no key empty', (_, messages) => {
    for (const key of keys) {
      expect(slots(messages[key]), key).toEqual(slots(en[key]));
      expect(messages[key].trim(), key).not.toBe('');
    }
  });

  it('picks the plural and leaves an unknown slot in sight', () => {
    expect(fill('{n} file|{n} files', { n: 1 }, 'en')).toBe('1 file');
    expect(fill('{n} file|{n} files', { n: 0 }, 'en')).toBe('0 files');
    expect(fill('{n} file|{n} files', { n: 1200 }, 'en')).toBe('1,200 files');
    expect(fill('to {host}', {}, 'en')).toBe('to {host}');
  });

  it('speaks the first language it knows', () => {
    expect(pickLocale(['de-DE', 'pt-BR', 'en'])).toBe('pt');
    expect(pickLocale(['de'])).toBe('en');
  });
});
