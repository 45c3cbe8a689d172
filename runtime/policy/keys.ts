// Owns keys of structured text that give their value away: JSON, environment files, markup, tables, Markdown. Each is
// read as the words it is made of, so that `"userPassword": "…"` and `DB_PASS=…` say what "password: …" says.

import type { SpanType } from '../types.ts';
import type { Find } from './find.ts';
import { replaceView, type View } from './view.ts';

/** What counts behind such a key. Names and places there are as often what a tool may be given ("from": "Berlin"). */
const TELLING: ReadonlySet<SpanType> = new Set([
  'secret',
  'national-id',
  'document-id',
  'medical-id',
  'account',
]);
/** An `account_id` or a `policy` is in every second file and says nothing; these say it by themselves. */
const TELLING_KEY =
  /pass(?:$|[\s_-]|w|phrase|code|port|aporte)|pwd|secret|ssn|social.?sec|itin\b|tax.?id|cpf|dni\b|nie\b|nif\b|driv\w{0,4}.?licen[cs]e|licen[cs]e.?num|(?:account|acct|cuenta|conta).?num|routing|iban|mrn\b|medical.?record|(?:medical|health|patient).?num|clave|senha|contrase|cvv|cvc|otp\b/i;

const KEY = '[A-Za-z][A-Za-z0-9_-]{1,40}';
const KEYED = new RegExp(
  String.raw`(?<![A-Za-z0-9_-])((?:${KEY} ){0,2}${KEY})([\s"'\x60*|]{0,4}[:=|>*"\x60][\s"'\x60*|=]{0,6})`,
  'g',
);

/** The same somewhere in a text, where a key is not the end: most texts have none, and are done with at once. */
const TELLING_TEXT = new RegExp(TELLING_KEY.source.replace('$', '[^A-Za-z0-9]|$'), 'i');

export function isTellingKey(key: string): boolean {
  return TELLING_KEY.test(key);
}

export function isTold({ type }: { readonly type: SpanType }): boolean {
  return TELLING.has(type);
}

/** `userPassword`, `db_pass` and `PGPASSWORD` as whoever reads them does. */
export function keyWords(key: string): string {
  return key
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll(/[_-]+/g, ' ')
    .replace(/(\w)(password|passwd)$/i, '$1 $2')
    .replace(/ (?:pass|pw)$/i, ' password');
}

/** The text with such keys in words; undefined where there is none that was not in words already. */
export function keyedView(view: View): View | undefined {
  if (!TELLING_TEXT.test(view.text)) return undefined;
  return replaceView(view, KEYED, ([whole, key, sign]) => {
    if (!isTellingKey(key!)) return undefined;
    // Cells and tags set words apart as well: there, as in prose, the value itself must look like one.
    const words = `${keyWords(key!)}${/[:=]/.test(sign!) ? ': ' : ' '}`;
    return words === whole ? undefined : words;
  });
}

/** No value: a type, a reference to where the value is, or the word that there is none. */
const NO_VALUE =
  /^(?:null|nil|none|undefined|true|false|string|boolean|required|optional|[*x.]{3,}|\$\{?\w+\}?|%\w+%)[}\]).]*$/i;

/** What such keys give away, among what was found in their view. */
export function toldBy(text: string, finds: readonly Find[]): Find[] {
  return finds.filter((find) => isTold(find) && !NO_VALUE.test(text.slice(find.start, find.end)));
}
