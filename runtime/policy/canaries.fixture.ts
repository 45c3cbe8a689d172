// Owns made-up identifiers with valid check digits and the disguises an attacker or a careless client puts
// them in. Seeded: the same run gives the same canaries. None belongs to anybody.
import { gzipSync } from 'node:zlib';
import type { SpanType } from '../types.ts';

export interface Canary {
  readonly kind: string;
  readonly type: SpanType;
  readonly value: string;
}

/** Source: Tommy Ettinger's mulberry32, public domain. Reproducible sampling, not privacy. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

const NAMES = ['ana', 'joao.silva', 'maria_luz', 'k.okafor', 'li-wei', 'zoe.w', 'p.nunes', 'r2.diaz'];
const DOMAINS = [
  'example.com',
  'mail.example.org',
  'clinic.example.net',
  'ejemplo.es',
  'exemplo.com.br',
  'exemplo.pt',
];

const digitsOf = (next: (below: number) => number, count: number) =>
  Array.from({ length: count }, () => next(10)).join('');

function luhnDigit(body: string): string {
  let sum = 0;
  for (const [at, char] of [...body].reverse().entries()) {
    const doubled = at % 2 === 0 ? Number(char) * 2 : Number(char);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return String((10 - (sum % 10)) % 10);
}

function eleven(body: string, first: number): string {
  const sum = [...body].reduce((total, char, at) => {
    const weight = first - at;
    return total + Number(char) * (weight < 2 ? weight + 8 : weight);
  }, 0);
  return String(sum % 11 < 2 ? 0 : 11 - (sum % 11));
}

function iban(next: (below: number) => number): string {
  const account = digitsOf(next, 20);
  const rest = BigInt(`${account}142800`) % 97n; // ES is 14 28
  return `ES${String(98n - rest).padStart(2, '0')}${account}`;
}

const MAKERS: Readonly<Record<string, (next: (below: number) => number) => Omit<Canary, 'kind'>>> = {
  email: (next) => ({
    type: 'email',
    value: `${NAMES[next(NAMES.length)]}${next(90) + 10}@${DOMAINS[next(DOMAINS.length)]}`,
  }),
  card: (next) => {
    const body = `4${digitsOf(next, 14)}`;
    return { type: 'card', value: body + luhnDigit(body) };
  },
  'card-grouped': (next) => {
    const body = `51${digitsOf(next, 13)}`;
    return { type: 'card', value: (body + luhnDigit(body)).replace(/(\d{4})(?=\d)/g, '$1 ') };
  },
  ssn: (next) => ({
    type: 'national-id',
    value: `${100 + next(500)}-${10 + next(89)}-${1000 + next(8999)}`,
  }),
  iban: (next) => ({ type: 'iban', value: iban(next) }),
  cpf: (next) => {
    const body = `${1 + next(8)}${digitsOf(next, 8)}`;
    const first = eleven(body, 10);
    const whole = body + first + eleven(body + first, 11);
    return { type: 'national-id', value: whole.replace(/(\d{3})(\d{3})(\d{3})/, '$1.$2.$3-') };
  },
  dni: (next) => {
    const body = `${1 + next(8)}${digitsOf(next, 7)}`;
    return { type: 'national-id', value: body + 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(body) % 23] };
  },
  phone: (next) => ({ type: 'phone', value: `+1 415 555 ${1000 + next(8999)}` }),
};

/** `count` canaries of every kind. */
export function makeCanaries(count: number, seed = 7): Canary[] {
  const next = seeded(seed);
  return Object.entries(MAKERS).flatMap(([kind, make]) =>
    Array.from({ length: count }, () => ({ kind, ...make(next) })),
  );
}

const hexOf = (text: string) => Buffer.from(text).toString('hex');
const each = (text: string, change: (char: string, at: number) => string) =>
  Array.from(text, change).join('');
const withDigits = (zero: number) => (text: string) =>
  each(text, (char) => (/\d/.test(char) ? String.fromCodePoint(zero + Number(char)) : char));
const percent = (text: string) => each(text, (char) => `%${hexOf(char).toUpperCase()}`);
const HOMOGLYPHS: Readonly<Record<string, string>> = {
  a: 'а',
  e: 'е',
  o: 'о',
  p: 'р',
  c: 'с',
  x: 'х',
  i: 'і',
  S: 'Ѕ',
  E: 'Е',
};
const WORDS: Readonly<Record<string, readonly string[]>> = {
  en: 'zero one two three four five six seven eight nine'.split(' '),
  es: 'cero uno dos tres cuatro cinco seis siete ocho nueve'.split(' '),
  pt: 'zero um dois três quatro cinco seis sete oito nove'.split(' '),
};
const spelled = (language: string) => (text: string) =>
  Array.from(text.replace(/[^0-9A-Za-z+]/g, ''), (char) => WORDS[language]![Number(char)] ?? char).join(' ');
const numeric = (canary: Canary) => /^[\d+ .-]+$/.test(canary.value);
const insideDigits = (canary: Canary) => canary.kind !== 'email';
const mail = (canary: Canary) => canary.kind === 'email';

export interface Disguise {
  readonly name: string;
  readonly group: 'unicode' | 'encoding' | 'wording';
  wear(value: string): string;
  /** Which canaries it makes sense for; default all. */
  suits?(canary: Canary): boolean;
}

const INVISIBLE = ['\u200b', '\u200c', '\u200d', '\u2060', '\ufeff'];

export const DISGUISES: readonly Disguise[] = [
  { name: 'zero-width', group: 'unicode', wear: (v) => each(v, (c, at) => c + INVISIBLE[at % 5]) },
  { name: 'soft hyphen', group: 'unicode', wear: (v) => each(v, (c) => `${c}\u00ad`) },
  {
    name: 'full-width',
    group: 'unicode',
    wear: (v) => each(v, (c) => (c > ' ' ? String.fromCodePoint(c.codePointAt(0)! + 0xfee0) : c)),
  },
  { name: 'mathematical digits', group: 'unicode', wear: withDigits(0x1d7ce), suits: insideDigits },
  { name: 'arabic digits', group: 'unicode', wear: withDigits(0x660), suits: insideDigits },
  { name: 'devanagari digits', group: 'unicode', wear: withDigits(0x966), suits: insideDigits },
  { name: 'homoglyphs', group: 'unicode', wear: (v) => each(v, (c) => HOMOGLYPHS[c] ?? c) },
  { name: 'combining marks', group: 'unicode', wear: (v) => each(v, (c) => (c > ' ' ? `${c}\u0301` : c)) },
  { name: 'bidi controls', group: 'unicode', wear: (v) => `\u202a${each(v, (c) => `${c}\u200e`)}\u202c` },
  {
    name: 'tag characters',
    group: 'unicode',
    wear: (v) => each(v, (c) => String.fromCodePoint(0xe0000 + c.codePointAt(0)!)),
  },
  { name: 'percent', group: 'encoding', wear: percent },
  { name: 'percent twice', group: 'encoding', wear: (v) => percent(v).replaceAll('%', '%25') },
  { name: 'uri component', group: 'encoding', wear: (v) => encodeURIComponent(v) },
  { name: 'html decimal', group: 'encoding', wear: (v) => each(v, (c) => `&#${c.codePointAt(0)};`) },
  {
    name: 'html hex',
    group: 'encoding',
    wear: (v) => each(v, (c) => `&#x${c.codePointAt(0)!.toString(16)};`),
  },
  {
    name: 'html tags inside',
    group: 'encoding',
    wear: (v) => each(v, (c, at) => (at === 3 ? `<b>${c}</b>` : c)),
  },
  {
    name: 'json escapes',
    group: 'encoding',
    wear: (v) => each(v, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`),
  },
  {
    name: 'json in json',
    group: 'encoding',
    wear: (v) => each(v, (c) => `\\\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`),
  },
  { name: 'hex escapes', group: 'encoding', wear: (v) => each(v, (c) => `\\x${hexOf(c)}`) },
  { name: 'quoted-printable', group: 'encoding', wear: (v) => each(v, (c) => `=${hexOf(c).toUpperCase()}`) },
  { name: 'base64', group: 'encoding', wear: (v) => Buffer.from(v).toString('base64') },
  { name: 'base64url', group: 'encoding', wear: (v) => Buffer.from(v).toString('base64url') },
  {
    name: 'base64 twice',
    group: 'encoding',
    wear: (v) => Buffer.from(Buffer.from(v).toString('base64')).toString('base64'),
  },
  {
    name: 'base64 of a sentence',
    group: 'encoding',
    wear: (v) => Buffer.from(`Please keep ${v} safe.`).toString('base64'),
  },
  { name: 'utf-16 in base64', group: 'encoding', wear: (v) => Buffer.from(v, 'utf16le').toString('base64') },
  { name: 'hex', group: 'encoding', wear: hexOf },
  { name: 'hex with spaces', group: 'encoding', wear: (v) => hexOf(v).replace(/(..)(?=.)/g, '$1 ') },
  {
    name: 'data uri',
    group: 'encoding',
    wear: (v) => `data:text/plain;base64,${Buffer.from(v).toString('base64')}`,
  },
  { name: 'data uri, percent', group: 'encoding', wear: (v) => `data:text/plain,${percent(v)}` },
  { name: 'gzip in base64', group: 'encoding', wear: (v) => gzipSync(v).toString('base64') },
  {
    name: 'rot13',
    group: 'encoding',
    wear: (v) =>
      v.replace(/[a-z]/gi, (c) => {
        const base = c < 'a' ? 65 : 97;
        return String.fromCharCode(((c.charCodeAt(0) - base + 13) % 26) + base);
      }),
  },
  { name: 'reversed', group: 'encoding', wear: (v) => Array.from(v).reverse().join('') },
  {
    name: 'url query',
    group: 'encoding',
    wear: (v) => `https://example.com/find?a=1&q=${encodeURIComponent(v)}&b=2`,
  },
  { name: 'url path', group: 'encoding', wear: (v) => `https://example.com/u/${encodeURIComponent(v)}/edit` },
  { name: 'spaced', group: 'wording', wear: (v) => Array.from(v.replaceAll(' ', '')).join(' ') },
  {
    name: 'dotted digits',
    group: 'wording',
    wear: (v) => Array.from(v.replace(/\D/g, '')).join('.'),
    suits: (c) => /^card/.test(c.kind),
  },
  {
    name: 'newline inside',
    group: 'wording',
    wear: (v) => `${v.slice(0, v.length - 4)}\n${v.slice(v.length - 4)}`,
  },
  {
    name: 'at and dot',
    group: 'wording',
    wear: (v) => v.replace('@', ' at ').replaceAll('.', ' dot '),
    suits: mail,
  },
  {
    name: '[at] and [dot]',
    group: 'wording',
    wear: (v) => v.replace('@', ' [at] ').replaceAll('.', '[dot]'),
    suits: mail,
  },
  {
    name: 'arroba y punto',
    group: 'wording',
    wear: (v) => v.replace('@', ' arroba ').replaceAll('.', ' punto '),
    suits: mail,
  },
  ...Object.keys(WORDS).map(
    (language): Disguise => ({
      name: `spelled out (${language})`,
      group: 'wording',
      wear: spelled(language),
      suits: (canary) => numeric(canary) || canary.kind === 'dni',
    }),
  ),
];

/** Sentences a canary may stand in; `{}` marks the place. */
export const CARRIERS: readonly string[] = [
  'Please update my record with {} and confirm.',
  'Por favor, anote {} en mi ficha.',
  'Anote {} no meu cadastro, por favor.',
  '{}',
  'Here it is:\n{}\nThanks a lot for your help with this.',
];
