// Owns numbers that identify somebody: cards, national ids, phones. Finds clusters of digits whatever
// separates them, then asks check digits, groupings and the words before. One pass, linear in the text.
import {
  isCard,
  isCnpj,
  isCpf,
  isNhsNumber,
  isPis,
  isPortugueseNif,
  isSpanishSocialSecurity,
  isSsn,
} from './checksums.ts';
import { type Find, precededBy } from './find.ts';
import { isPhone } from './phone.ts';
import type { Survey } from './survey.ts';

/** Seven digits or more, any of these between them. Digits and separators share no character: linear. */
const CLUSTER = /[+(]?\d(?:[\s.\-_/*|()]{0,4}\d){6,}/g;

/** A run of digits inside a cluster. */
interface Group {
  readonly start: number;
  readonly end: number;
  readonly digits: string;
}

/** The longest number looked for: a 19-digit card. */
const MAX_DIGITS = 19;

/** `sure` leaves out phones without a `+`: turned or joined digits say nothing about them. */
export function findNumbers(text: string, survey: Survey, sure = false): Find[] {
  const finds: Find[] = [];
  if (survey.crowd < 7) return finds;
  CLUSTER.lastIndex = 0;
  for (let match = CLUSTER.exec(text); match; match = CLUSTER.exec(text)) {
    const groups = groupsOf(text, match.index, match.index + match[0].length);
    scanCluster(text, groups, finds, sure);
    // What looked like one broken group may be the end of one row and the begin of the next: both are asked.
    const joined = joinBroken(text, groups);
    if (joined.length < groups.length) scanCluster(text, joined, finds, sure);
  }
  return finds;
}

function groupsOf(text: string, from: number, to: number): Group[] {
  const groups: Group[] = [];
  let start = -1;
  for (let at = from; at <= to; at += 1) {
    const code = at < to ? text.charCodeAt(at) : 0;
    const digit = code >= 48 && code <= 57;
    if (digit && start < 0) start = at;
    if (!digit && start >= 0) {
      groups.push({ start, end: at, digits: text.slice(start, at) });
      start = -1;
    }
  }
  return groups;
}

/** A line break inside a value splits a group in two: `1111\n1111` with nothing else between is one. */
function joinBroken(text: string, groups: readonly Group[]): Group[] {
  const joined: Group[] = [];
  for (const group of groups) {
    const last = joined.at(-1);
    const between = last && text.slice(last.end, group.start);
    if (last && (between === '\n' || between === '\r\n') && last.digits.length + group.digits.length <= 4) {
      joined[joined.length - 1] = { start: last.start, end: group.end, digits: last.digits + group.digits };
    } else joined.push(group);
  }
  return joined;
}

function scanCluster(text: string, groups: readonly Group[], finds: Find[], sure: boolean): void {
  for (let from = 0; from < groups.length; ) {
    const found = bestWindow(text, groups, from, sure);
    if (found) finds.push(found.find);
    from = found ? found.next : from + 1;
  }
}

/** The longest window of whole groups from `from` that is something. */
function bestWindow(
  text: string,
  groups: readonly Group[],
  from: number,
  sure: boolean,
): { readonly find: Find; readonly next: number } | undefined {
  let digits = '';
  const windows: { readonly to: number; readonly digits: string }[] = [];
  for (let to = from; to < groups.length; to += 1) {
    digits += groups[to]!.digits;
    if (digits.length > MAX_DIGITS) break;
    if (digits.length >= 7) windows.push({ to, digits });
  }
  let overflowing: { readonly find: Find; readonly next: number } | undefined;
  for (const window of windows.reverse()) {
    const shape = groups.slice(from, window.to + 1);
    const kind = classify(text, shape, window.digits, sure, groups.length);
    if (!kind || (overflowing && kind.type === 'phone')) continue;
    const start = openingOf(text, shape[0]!.start);
    const end = endOf(text, shape.at(-1)!.end, kind);
    const found = { find: { start, end, ...kind }, next: window.to + 1 };
    // With the first digits of the next row an identity number can pass for a phone; the number is the truth.
    if (kind.type !== 'phone' || !BORDER.test(text.slice(start, end))) return found;
    overflowing = found;
  }
  return overflowing;
}

/** Ends a row or a cell, or breaks a value. */
const BORDER = /[\n\r\t|]/;

/** A leading `+` or `(` belongs to the number. */
function openingOf(text: string, start: number): number {
  let at = start;
  while (at > 0 && start - at < 3 && '+('.includes(text.charAt(at - 1))) at -= 1;
  return at;
}

type Kind = Pick<Find, 'type' | 'score' | 'pattern'>;

function classify(
  text: string,
  groups: readonly Group[],
  digits: string,
  sure: boolean,
  all: number,
): Kind | undefined {
  const whole = groups.length === all;
  const shape = groups.map((group) => group.digits.length).join('-');
  const start = groups[0]!.start;
  const touching = touchesLetters(text, start, groups.at(-1)!.end);
  if (touching && groups.length === 1 && digits.length < 12) return undefined;
  const spelled = groups.length >= 7 && groups.every((group) => group.digits.length === 1);
  const regular = whole || groups.length === 1 || spelled || REGULAR.test(shape);
  if (regular && isCard(digits) && !(touching && groups.length > 1)) {
    return { type: 'card', score: 1, pattern: 'card' };
  }
  if (touching) return undefined;
  const id = national(text, start, digits, shape, whole || spelled);
  if (id || (sure && text.charAt(start - 1) !== '+')) return id;
  return phone(text, groups, digits, shape, spelled, all);
}

function touchesLetters(text: string, start: number, end: number): boolean {
  const after =
    /[A-Za-z_]/.test(text.charAt(end)) && !/^(?:x|ext|ramal)[. ]?\d/i.test(text.slice(end, end + 7));
  return after || /[A-Za-z_]/.test(text.charAt(start - 1));
}

const EXTENSION = /\s?(?:x|ext\.?|extension|ramal)\s?\d{1,6}/iy;

/** A phone's extension belongs to it. */
function endOf(text: string, end: number, kind: Kind): number {
  EXTENSION.lastIndex = end;
  return kind.type === 'phone' && EXTENSION.test(text) ? EXTENSION.lastIndex : end;
}

/** Groupings people and printers use for cards. */
const REGULAR =
  /^(?:4-4-4-4(?:-\d)?|4-4-4-4-3|4-6-5|4-6-4|4-4-5|4-4-4-[123]|4-5-6|8-8|(?:2-){6,8}[12]|(?:3-){4,5}[123])$/;

const SSN_WORDS = /\b(?:ssn|social\s+sec\w*|itin|tax\s+id|seguro\s+social)\b/i;
const CPF_WORDS = /\b(?:cpf|contribuinte|cadastro)\b/i;
const NIF_WORDS = /\b(?:nif|nipc|contribuinte|fiscal|finan[cz]as|tax)\b/i;
const NHS_WORDS = /\bnhs\b/i;
const NASS_WORDS = /\b(?:nass|nuss|naf|seguridad\s+social|afiliacion)\b/i;
const PIS_WORDS = /\b(?:pis|pasep|nis|nit|cns|sus)\b/i;

/** National identifiers by grouping and check digit, or by check digit and the words before. */
function national(
  text: string,
  start: number,
  digits: string,
  shape: string,
  alone: boolean,
): Kind | undefined {
  const said = (words: RegExp) => precededBy(text, start, words);
  const id = (score: number, pattern: string): Kind => ({ type: 'national-id', score, pattern });
  switch (digits.length) {
    case 9:
      if (isSsn(digits) && (shape === '3-2-4' || said(SSN_WORDS))) return id(0.9, 'ssn');
      if (isPortugueseNif(digits) && (shape === '3-3-3' || said(NIF_WORDS))) return id(0.9, 'nif');
      return undefined;
    case 10:
      return isNhsNumber(digits) && said(NHS_WORDS) ? id(1, 'nhs') : undefined;
    case 11:
      if (isCpf(digits) && (/^(?:3-3-3-2|11|9-2)$/.test(shape) || alone || said(CPF_WORDS)))
        return id(1, 'cpf');
      return isPis(digits) && (shape === '3-5-2-1' || said(PIS_WORDS)) ? id(1, 'pis') : undefined;
    case 12:
      return isSpanishSocialSecurity(digits) && (shape === '2-10' || shape === '2-8-2' || said(NASS_WORDS))
        ? id(1, 'nass')
        : undefined;
    case 14:
      return isCnpj(digits) && (/^(?:2-3-3-4-2|14|8-4-2|12-2)$/.test(shape) || alone)
        ? id(1, 'cnpj')
        : undefined;
    default:
      return undefined;
  }
}

const PHONE_WORDS =
  /\b(?:tel\w*|phone\w*|mobile|cell\w*|call\w*|fax|fon|movil|celular|whats?app\w*|zap|contact\w*|contato|ligar|ligue|llam\w*|text|sms|dial\w*|ring|reach|numero|number|fone)\b/i;

function phone(
  text: string,
  groups: readonly Group[],
  digits: string,
  shape: string,
  spelled: boolean,
  all: number,
): Kind | undefined {
  if (digits.length > 15) return undefined;
  const start = groups[0]!.start;
  const international = text.charAt(start - 1) === '+';
  // A table of figures or a date is not a phone number, whatever the words before.
  if (!international && !spelled && (all > 12 || DATE_SHAPE.test(shape))) return undefined;
  const said = precededBy(text, start, PHONE_WORDS);
  if (!international && !spelled && !said && all > 6) return undefined;
  if (spelled && !ascending(digits)) return { type: 'phone', score: 0.5, pattern: 'spaced-digits' };
  const kind: Kind = { type: 'phone', score: international || said ? 0.9 : 0.6, pattern: 'phone' };
  return isPhone(digits, { international, said, grouped: groups.length > 1 }) ? kind : undefined;
}

const DATE_SHAPE = /^(?:4-2-2|2-2-4|1-2-4|2-1-4|1-1-4|4-2-2-.*|2-2-4-.*|4-4)$/;

/** 1 2 3 4 5 6 7 is somebody counting. */
function ascending(digits: string): boolean {
  for (let at = 1; at < digits.length; at += 1) {
    if (digits.charCodeAt(at) - digits.charCodeAt(at - 1) !== 1) return false;
  }
  return true;
}
