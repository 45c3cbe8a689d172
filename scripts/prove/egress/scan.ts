// Owns the search: every form a value could have left in, looked for in any bytes. Two ways: exact forms by
// one pass over everything, and what is left when a text is decoded and stripped, for one value at a time.

/** Exact forms of a value, ASCII lower case, each long enough not to occur by chance. */
export function formsOf(value: string, worn: readonly string[] = []): ReadonlyMap<string, string> {
  const bytes = Buffer.from(value);
  const chars = Array.from(value);
  const forms: [string, string][] = [
    ['raw', value],
    ['percent', encodeURIComponent(value)],
    ['percent, every byte', bytes.toString('hex').replace(/../g, '%$&')],
    ['form', encodeURIComponent(value).replaceAll('%20', '+')],
    ['hex', bytes.toString('hex')],
    ['html decimal', chars.map((char) => `&#${char.codePointAt(0)};`).join('')],
    ['html hex', chars.map((char) => `&#x${char.codePointAt(0)!.toString(16)};`).join('')],
    [
      'json escapes',
      chars.map((char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`).join(''),
    ],
    ['reversed', [...chars].reverse().join('')],
    ['rot13', rot13(value)],
    ['utf-16', bytes.toString('latin1').split('').join('\0')],
    ...[0, 1, 2].map((shift): [string, string] => [`base64 at ${shift}`, base64At(bytes, shift)]),
    ...[0, 1, 2].map((shift): [string, string] => [
      `base64url at ${shift}`,
      base64At(bytes, shift).replaceAll('+', '-').replaceAll('/', '_'),
    ]),
  ];
  const digits = value.replace(/\D/g, '');
  if (digits.length >= 11) forms.push(['digits only', digits]);
  for (const text of worn) {
    forms.push(['as disguised', text], ['as disguised, in JSON', JSON.stringify(text).slice(1, -1)]);
  }
  const named = new Map<string, string>();
  // The first name stands: digits turned by rot13 are the digits.
  for (const [name, form] of forms) {
    const bytes = lower(form);
    if (bytes.length >= MIN_FORM && !named.has(bytes)) named.set(bytes, name);
  }
  return named;
}

const WINDOW = 6;
const MIN_FORM = 9;

/** The part of a base64 text that does not depend on what stands before and after the value. */
function base64At(bytes: Buffer, shift: number): string {
  const whole = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const lead = Math.ceil((shift * 8) / 6);
  const known = Math.floor(((shift + bytes.length) * 8) / 6);
  return whole.slice(lead, known);
}

function rot13(text: string): string {
  return text.replace(/[a-z]/gi, (char) => {
    const base = char < 'a' ? 65 : 97;
    return String.fromCharCode(((char.charCodeAt(0) - base + 13) % 26) + base);
  });
}

/** As UTF-8 in latin1, ASCII letters small: what {@link createScanner} compares. */
function lower(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/[A-Z]/g, (char) => char.toLowerCase());
}

export interface Hit {
  readonly value: string;
  readonly form: string;
  readonly at: number;
}

export interface Scanner {
  add(value: string, worn?: readonly string[]): void;
  /** First hit of each value. */
  scan(bytes: Uint8Array): readonly Hit[];
  readonly forms: number;
}

interface Needle {
  readonly form: string;
  readonly bytes: Buffer;
  readonly value: string;
}

/** Rabin and Karp's way: the first six bytes as one number, looked up at each place. Thousands of values cost
 * one pass. */
export function createScanner(): Scanner {
  const byStart = new Map<number, Needle[]>();
  let forms = 0;
  return {
    get forms() {
      return forms;
    },
    add(value, worn) {
      for (const [text, form] of formsOf(value, worn)) {
        const bytes = Buffer.from(text, 'latin1');
        const key = windowAt(bytes, 0);
        const list = byStart.get(key);
        if (list === undefined) byStart.set(key, [{ form, bytes, value }]);
        else list.push({ form, bytes, value });
        forms += 1;
      }
    },
    scan(given) {
      const bytes = Buffer.from(given);
      for (let at = 0; at < bytes.length; at += 1) {
        const byte = bytes[at]!;
        if (byte >= 65 && byte <= 90) bytes[at] = byte + 32;
      }
      const hits = new Map<string, Hit>();
      let key = 0;
      for (let at = 0; at + WINDOW <= bytes.length; at += 1) {
        key = at === 0 ? windowAt(bytes, 0) : (key % TOP) * 256 + bytes[at + WINDOW - 1]!;
        for (const needle of byStart.get(key) ?? []) {
          if (hits.has(needle.value) || at + needle.bytes.length > bytes.length) continue;
          if (needle.bytes.compare(bytes, at, at + needle.bytes.length) === 0) {
            hits.set(needle.value, { value: needle.value, form: needle.form, at });
          }
        }
      }
      return [...hits.values()];
    },
  };
}

const TOP = 256 ** (WINDOW - 1);

function windowAt(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, WINDOW);
}

/**
 * Is the value, or half of it, in what a reader of these bytes could make out: decoded, folded, and with all but
 * letters and digits taken out? For one value and few bytes; over many, digits meet by chance.
 */
export function canBeRead(
  bytes: Uint8Array,
  value: string,
  worn: readonly string[] = [],
): string | undefined {
  const text = Buffer.from(bytes).toString('utf8');
  const views = [text, decoded(text), decoded(decoded(text))].map(squeeze);
  for (const [name, form] of readings(value, worn)) {
    if (form.length >= 6 && views.some((view) => view.includes(form))) return name;
  }
  return undefined;
}

function readings(value: string, worn: readonly string[]): [string, string][] {
  const plain = squeeze(value);
  const half = Math.floor(plain.length / 2);
  return [
    ['readable', plain],
    ['first half readable', plain.slice(0, half)],
    ['last half readable', plain.slice(-half)],
    ...worn.map((text): [string, string] => ['as disguised, stripped', squeeze(text)]),
  ];
}

function squeeze(text: string): string {
  return digitsFolded(text.normalize('NFKC'))
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

/** Arabic-Indic and Devanagari digits are not folded by NFKC. */
function digitsFolded(text: string): string {
  return text
    .replace(/[\u0660-\u0669]/g, (char) => String(char.charCodeAt(0) - 0x660))
    .replace(/[\u0966-\u096f]/g, (char) => String(char.charCodeAt(0) - 0x966));
}

function decoded(text: string): string {
  return text
    .replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\u([0-9a-f]{4})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/\\x([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/&#(\d{1,6});/g, (_all, code: string) => String.fromCharCode(Number(code)))
    .replace(/&#x([0-9a-f]{1,5});/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
