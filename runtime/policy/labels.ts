// Owns values of plain JSON that their key gives away: `hunter2` is a word until `password` stands beside it.
// Such a value is read once more behind its key; only numbers and secrets that words give away count there.
import type { Span, SpanType } from '../types.ts';
import type { Field } from './fields.ts';

/** Names and places behind a key are as often what a tool may be given ("from": "Berlin"). */
const TELLING: ReadonlySet<SpanType> = new Set([
  'secret',
  'national-id',
  'document-id',
  'medical-id',
  'account',
]);
const TELLING_KEY =
  /pass|pwd|secret|token|key|auth|credential|pin\b|otp|cvv|cvc|ssn|social|itin|tax|nif|nis|pis|nhs|nass|cpf|rg\b|cnh|dni|nie\b|licen[cs]e|visa|voter|identi|mrn|medical|health|chart|patient|member|insurance|policy|npi|account|acct|routing|iban|swift|bic\b|cuenta|conta|clave|chave|senha|contrase/i;

interface Labelled {
  readonly at: number;
  readonly text: string;
  /** Where the value begins in `text`. */
  readonly from: number;
}

/** What `detect` finds in each field, and behind the keys of those that have one. */
export async function detectLabelled(
  fields: readonly Field[],
  detect: (texts: readonly string[]) => Promise<Span[][]>,
): Promise<Span[][]> {
  const labelled = fields.flatMap((field, at) => labelledOf(field, at));
  const texts = fields.map((field) => field.text);
  const all = await detect([...texts, ...labelled.map(({ text }) => text)]);
  const found = all.slice(0, texts.length);
  for (const [index, { at, from }] of labelled.entries()) {
    for (const span of all[texts.length + index]!) {
      if (span.end <= from || !TELLING.has(span.type)) continue;
      found[at]!.push({ ...span, start: Math.max(0, span.start - from), end: span.end - from });
    }
  }
  return found;
}

function labelledOf({ label, text }: Field, at: number): Labelled[] {
  if (label === undefined || text === '' || !TELLING_KEY.test(label)) return [];
  // `userPassword` and `user_password` are two words to whoever reads them.
  const words = label.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2').replaceAll(/[_-]+/g, ' ');
  return [{ at, text: `${words}: ${text}`, from: words.length + 2 }];
}
