// Owns identifiers that are not plain numbers: mail addresses, IBANs, Spanish and Brazilian ids with
// letters, IP addresses. Every search is anchored on a rare character or a short prefix: linear.
import { ibanLength, isCnpj, isCodiceFiscale, isDniOrNie, isIban } from './checksums.ts';
import { type Find, matchesOf, precededBy, standsAlone } from './find.ts';
import type { Stretch, Survey } from './survey.ts';

const LOCAL_CHAR = /[A-Za-z0-9._%+'-]/;
const DOMAIN = /(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}(?:[A-Za-z]{2,24}|xn--[A-Za-z0-9-]{2,58})/y;
/** RFC 5321: a local part has 64 octets at most. */
const MAX_LOCAL = 64;

export function findEmails(text: string): Find[] {
  const finds: Find[] = [];
  for (let sign = text.indexOf('@'); sign >= 0; sign = text.indexOf('@', sign + 1)) {
    const left = skipBack(text, sign);
    let start = left;
    while (start > 0 && left - start < MAX_LOCAL && LOCAL_CHAR.test(text.charAt(start - 1))) start -= 1;
    while (start < left && /[.'-]/.test(text.charAt(start))) start += 1;
    DOMAIN.lastIndex = skipForward(text, sign + 1);
    const domain = DOMAIN.exec(text);
    if (start < left && domain) {
      const score = hasCommonEnding(domain[0]) ? 0.95 : 0.7;
      const end = brokenEnding(text, DOMAIN.lastIndex);
      finds.push({ start, end, type: 'email', score, pattern: 'email' });
    } else findWideEmail(text, sign, finds);
  }
  return finds;
}

const WIDE_CHAR = /[\p{L}\p{N}._%+'-]/u;
const WIDE_DOMAIN = /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}\p{L}{2,24}/uy;

/** RFC 6531: letters of any script. Asked last, for where words have no spaces it takes their neighbours along. */
function findWideEmail(text: string, sign: number, finds: Find[]): void {
  let start = sign;
  while (start > 0 && sign - start < MAX_LOCAL && WIDE_CHAR.test(text.charAt(start - 1))) start -= 1;
  WIDE_DOMAIN.lastIndex = sign + 1;
  if (start === sign || !WIDE_DOMAIN.test(text)) return;
  finds.push({ start, end: WIDE_DOMAIN.lastIndex, type: 'email', score: 0.7, pattern: 'email' });
}

const BROKEN_ENDING = /(?:\.\r?\n|\r?\n\.)[a-z]{2,24}(?![A-Za-z])/y;

/** `ana@mail.example\n.org`: a line break around the last dot cuts the ending off. */
function brokenEnding(text: string, end: number): number {
  BROKEN_ENDING.lastIndex = end;
  const rest = BROKEN_ENDING.exec(text);
  return rest && hasCommonEnding(rest[0].replace(/\s/g, '')) ? BROKEN_ENDING.lastIndex : end;
}

const COMMON_ENDINGS: ReadonlySet<string> = new Set(
  (
    'com net org edu gov mil int io ai app dev info biz co me tv xyz online site tech store cloud health example test ' +
    'es pt br mx ar cl pe ve ec uy py bo cr gt cu do pr uk us ca eu de fr it nl be ch at ie se no dk fi pl cz ro gr hu ' +
    'ru ua tr il in cn jp kr au nz za ng ke eg ma ao mz cv cat gal'
  ).split(' '),
);

/** A top-level domain seen often enough to read a mail address out of encoded or broken text. */
export function hasCommonEnding(domain: string): boolean {
  return COMMON_ENDINGS.has(domain.slice(domain.lastIndexOf('.') + 1).toLowerCase());
}

const AT_WORD =
  /(?:\s?[[({<]\s?|\s)(?:at|arroba)(?:\s?[\])}>]\s?|\s)([A-Za-z0-9-]{1,63}(?:(?:\s?[[({<]\s?|\s)(?:dot|punto|ponto)(?:\s?[\])}>]\s?|\s)[A-Za-z0-9-]{2,63}|\.[A-Za-z0-9-]{2,63}){1,4})/gi;
const SAID_LOCAL =
  /(?:[\w+-]{1,64}(?:\.|(?:\s?[[({<]\s?|\s)(?:dot|punto|ponto|underscore|guion bajo|dash|hyphen)(?:\s?[\])}>]\s?|\s))){0,4}[\w+-]{1,64}$/i;
const MAIL_WORDS = /\b(?:e-?mail\w*|mail\w*|correo\w*|contact\w*|reach|write|escrib\w*|escrev\w*|address)\b/i;

/** `john dot smith at example dot com`, `maria (arroba) ejemplo.es`. */
export function findSaidEmails(text: string): Find[] {
  const finds: Find[] = [];
  for (const match of matchesOf(text, AT_WORD)) {
    const local = SAID_LOCAL.exec(text.slice(Math.max(0, match.index - 100), match.index));
    if (!local) continue;
    const start = match.index - local[0].length;
    const end = match.index + match[0].length;
    const said = /[[({<]|\barroba\b|\b(?:dot|punto|ponto)\b/i.test(text.slice(start, end));
    const plausible = said || /[._\d]/.test(local[0]) || precededBy(text, start, MAIL_WORDS);
    const domain = match[1]!.replace(/\W*\b(?:dot|punto|ponto)\b\W*/gi, '.');
    if (plausible && hasCommonEnding(domain)) {
      finds.push({ start, end, type: 'email', score: 0.8, pattern: 'said-email' });
    }
  }
  return finds;
}

/** `john @ example.com`: one space on either side belongs to the address. */
function skipBack(text: string, at: number): number {
  return text.charAt(at - 1) === ' ' && LOCAL_CHAR.test(text.charAt(at - 2)) ? at - 1 : at;
}

function skipForward(text: string, at: number): number {
  return text.charAt(at) === ' ' ? at + 1 : at;
}

const IBAN_START = /[A-Za-z]{2}[\s-]{0,2}\d[\s-]{0,2}\d(?=[\s-]{0,3}[A-Za-z0-9])/g;

export function findIbans(text: string, survey: Survey): Find[] {
  const finds: Find[] = [];
  if (survey.digits < 2) return finds;
  IBAN_START.lastIndex = 0;
  for (let match = IBAN_START.exec(text); match; match = IBAN_START.exec(text)) {
    const start = match.index;
    const length = ibanLength(text.slice(start, start + 2).toUpperCase());
    IBAN_START.lastIndex = start + 1;
    if (length === undefined || /[A-Za-z]/.test(text.charAt(start - 1))) continue;
    const end = endOfCompact(text, start, length);
    if (end !== undefined && isPrinted(text.slice(start, end)) && isIban(compact(text.slice(start, end)))) {
      finds.push({ start, end, type: 'iban', score: 1, pattern: 'iban' });
      IBAN_START.lastIndex = end;
    }
  }
  return finds;
}

/** Words of a sentence are no IBAN, whatever they add up to: small letters count only in even groups. */
function isPrinted(text: string): boolean {
  if (!/[a-z]/.test(text) || !/\s/.test(text)) return true;
  const lengths = text.split(/[\s.-]+/).map((group) => group.length);
  return lengths.slice(0, -1).every((length) => length === lengths[0] && (length === 1 || length === 4));
}

/** Where `length` letters and digits from `start` end, at most three separators in a row between them. */
function endOfCompact(text: string, start: number, length: number): number | undefined {
  let left = length;
  let gap = 0;
  for (let at = start; at < text.length; at += 1) {
    if (/[A-Za-z0-9]/.test(text.charAt(at))) {
      gap = 0;
      left -= 1;
      if (left === 0) return at + 1;
    } else {
      gap += 1;
      if (gap > 3 || !/[\s.-]/.test(text.charAt(at))) return undefined;
    }
  }
  return undefined;
}

function compact(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '').toUpperCase();
}

const DNI =
  /(?:\d[\s.]?){7}\d[\s.-]{0,3}[A-Za-z](?![A-Za-z0-9])|[XYZxyz][\s.-]{0,2}(?:\d[\s.]?){6}\d[\s.-]{0,3}[A-Za-z](?![A-Za-z0-9])/g;
const CNPJ = /[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}\/?[0-9A-Z]{4}-?\d{2}(?![0-9A-Za-z])/g;
const CODICE_FISCALE = /[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]/gi;
/** Mexican; so long and so built that its check digit would tell nothing more. */
const CURP = /[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[A-Z0-9]\d/gi;
/** British, without a check digit: as it is printed, in capitals. */
const NINO = /[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]/g;

interface Lettered {
  readonly pattern: string;
  readonly shape: RegExp;
  readonly score: number;
  /** Could it be in such a text? */
  fits(survey: Survey): boolean;
  isValid?(compact: string): boolean;
}

const LETTERED: readonly Lettered[] = [
  { pattern: 'dni', shape: DNI, score: 1, fits: ({ crowd }) => crowd >= 7, isValid: isDniOrNie },
  {
    pattern: 'cnpj',
    shape: CNPJ,
    score: 1,
    fits: ({ runs }) => runs.some(hasDigits(14, 2)),
    isValid: isCnpj,
  },
  {
    pattern: 'codice-fiscale',
    shape: CODICE_FISCALE,
    score: 1,
    fits: ({ coded }) => coded.some(hasDigits(16, 7)),
    isValid: isCodiceFiscale,
  },
  { pattern: 'curp', shape: CURP, score: 0.9, fits: ({ coded }) => coded.some(hasDigits(18, 7)) },
  { pattern: 'nino', shape: NINO, score: 0.85, fits: ({ crowd }) => crowd >= 6 },
];

function hasDigits(length: number, least: number): (stretch: Stretch) => boolean {
  return ({ start, end, digits }) => digits >= least && end - start >= length;
}

export function findLetteredIds(text: string, survey: Survey): Find[] {
  const finds: Find[] = [];
  for (const { pattern, shape, score, fits, isValid } of LETTERED) {
    if (!fits(survey)) continue;
    for (const match of matchesOf(text, shape)) {
      const { start, end } = range(match);
      if (!standsAlone(text, start, end) || isValid?.(compact(match[0])) === false) continue;
      finds.push({ start, end, type: 'national-id', score, pattern });
    }
  }
  return finds;
}

/** Where money lies that everybody can look into: Ethereum, and Bitcoin's newer form. */
const WALLET = /(?<![0-9A-Za-z])(?:0x[0-9A-Fa-f]{40}|bc1[02-9ac-hj-np-z]{25,87})(?![0-9A-Za-z])/g;

export function findWallets(text: string): Find[] {
  return matchesOf(text, WALLET).map((match) => ({
    ...range(match),
    type: 'other' as const,
    score: 0.9,
    pattern: 'wallet',
  }));
}

const IPV4 = /(?<![\d.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\d.]\d|\d)/g;
const IPV6 = /(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z:])/g;
const MAC = /(?<![0-9A-Za-z:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![0-9A-Za-z:-])/g;
const VERSION_WORDS = /\b(?:v|ver|version|release|build|section|chapter)\.?\s*$/i;

export function findNetworkAddresses(text: string, survey: Survey): Find[] {
  const finds: Find[] = [];
  if (survey.digits >= 4) findIpv4(text, finds);
  if (survey.colons) {
    for (const match of matchesOf(text, IPV6)) {
      if (isIpv6(match[0])) finds.push({ ...range(match), type: 'ip', score: 0.9, pattern: 'ipv6' });
    }
  }
  if (survey.hex) {
    for (const match of matchesOf(text, MAC)) {
      finds.push({ ...range(match), type: 'other', score: 0.8, pattern: 'mac' });
    }
  }
  return finds;
}

function findIpv4(text: string, finds: Find[]): void {
  for (const match of matchesOf(text, IPV4)) {
    if (/^(?:127|0)\./.test(match[0]) || precededBy(text, match.index, VERSION_WORDS)) continue;
    finds.push({ ...range(match), type: 'ip', score: 0.8, pattern: 'ipv4' });
  }
}

/** RFC 4291 text form; `::1` and `::` name no one. */
function isIpv6(text: string): boolean {
  const groups = text.split(':');
  const elided = text.includes('::');
  if (text.indexOf('::') !== text.lastIndexOf('::') || text.includes(':::')) return false;
  if (elided) return groups.filter((group) => group !== '').length >= 2 && groups.length <= 8;
  return groups.length === 8 && groups.every((group) => group !== '');
}

export function range(match: RegExpExecArray): { start: number; end: number } {
  return { start: match.index, end: match.index + match[0].length };
}
