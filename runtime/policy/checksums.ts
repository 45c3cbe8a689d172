// Owns check digits: pure functions over compact strings (no separators, upper case). Each names the rule
// it follows; none decides where in a text to look.

/** ISO/IEC 7812-1 annex B. */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48;
    const doubled = at % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Issuer ranges with the lengths they issue. Source: ISO/IEC 7812 ranges as the networks publish them. */
const ISSUERS: readonly { readonly pattern: RegExp; readonly lengths: readonly number[] }[] = [
  { pattern: /^4/, lengths: [13, 16, 19] },
  { pattern: /^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { pattern: /^3[47]/, lengths: [15] },
  { pattern: /^(?:6011|64[4-9]|65|62)/, lengths: [16, 17, 18, 19] },
  { pattern: /^(?:30[0-5]|3[689])/, lengths: [14, 16] },
  { pattern: /^35(?:2[89]|[3-8])/, lengths: [16, 17, 18, 19] },
  { pattern: /^(?:2131|1800)/, lengths: [15] },
  { pattern: /^(?:50|5[6-8]|6)/, lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
];

/** A payment card number: an issuer's prefix and length, and Luhn. */
export function isCard(digits: string): boolean {
  if (digits.length < 12 || digits.length > 19 || /^(\d)\1*$/.test(digits)) return false;
  const issued = ISSUERS.some((one) => one.lengths.includes(digits.length) && one.pattern.test(digits));
  return issued && luhn(digits);
}

/** Country to IBAN length. Source: SWIFT IBAN registry, release 99. */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18' +
    'FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27' +
    'MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27' +
    'SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30'
  )
    .match(/.{4}/g)!
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

export function ibanLength(country: string): number | undefined {
  return Object.hasOwn(IBAN_LENGTHS, country) ? IBAN_LENGTHS[country] : undefined;
}

/** ISO 13616 and ISO 7064 mod 97-10. */
export function isIban(compact: string): boolean {
  if (ibanLength(compact.slice(0, 2)) !== compact.length) return false;
  return mod97(compact.slice(4) + compact.slice(0, 4)) === 1;
}

function mod97(text: string): number {
  let remainder = 0;
  for (const char of text) {
    const value = Number.parseInt(char, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder;
}

/** US SSN or ITIN by allocation rules; it has no check digit. Source: SSA, IRS. */
export function isSsn(digits: string): boolean {
  if (digits.length !== 9) return false;
  const area = digits.slice(0, 3);
  const group = digits.slice(3, 5);
  if (area === '000' || area === '666' || group === '00' || digits.slice(5) === '0000') return false;
  if (area >= '900') return /^(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])$/.test(group);
  return true;
}

function weighted(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, at) => sum + weight * (digits.charCodeAt(at) - 48), 0);
}

/** 11 minus the sum mod 11, where 10 and 11 are written 0. Brazil's and Portugal's habit. */
function elevenDigit(sum: number): number {
  const digit = 11 - (sum % 11);
  return digit >= 10 ? 0 : digit;
}

/** Brazil, pessoa física: two mod 11 digits. */
export function isCpf(digits: string): boolean {
  if (digits.length !== 11 || /^(\d)\1*$/.test(digits)) return false;
  const first = elevenDigit(weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]));
  const second = elevenDigit(weighted(digits, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
  return digits.endsWith(`${first}${second}`);
}

/**
 * Brazil, pessoa jurídica, digits or letters. Source: Receita Federal, IN RFB 2.229/2024: each character
 * counts as its ASCII code minus 48.
 */
export function isCnpj(compact: string): boolean {
  if (!/^[0-9A-Z]{12}\d{2}$/.test(compact) || /^(.)\1*$/.test(compact)) return false;
  const weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
  const first = elevenDigit(weighted(compact, weights.slice(1)));
  const second = elevenDigit(weighted(compact, weights));
  return compact.endsWith(`${first}${second}`);
}

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

/** Spain, DNI `12345678Z` and NIE `X1234567L`. Source: Real Decreto 1553/2005. */
export function isDniOrNie(compact: string): boolean {
  if (!/^(?:\d{8}|[XYZ]\d{7})[A-Z]$/.test(compact)) return false;
  const number = Number(compact.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))));
  return DNI_LETTERS[number % 23] === compact.at(-1);
}

/** Portugal, NIF: mod 11 over nine digits. */
export function isPortugueseNif(digits: string): boolean {
  if (!/^(?:[123568]|45|7[0-9]|9[0189])\d+$/.test(digits) || digits.length !== 9) return false;
  return elevenDigit(weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2])) === digits.charCodeAt(8) - 48;
}

/** Spain, social security number: province, number, mod 97 of both. */
export function isSpanishSocialSecurity(digits: string): boolean {
  if (digits.length !== 12) return false;
  const number = digits.slice(2, 10);
  const base = number.startsWith('0') ? digits.slice(0, 2) + number.slice(1) : digits.slice(0, 10);
  return Number(base) % 97 === Number(digits.slice(10));
}

/** United Kingdom, NHS number: mod 11 over ten digits. */
export function isNhsNumber(digits: string): boolean {
  if (digits.length !== 10) return false;
  const digit = 11 - (weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return digit !== 10 && digit % 11 === digits.charCodeAt(9) - 48;
}

/** Brazil, PIS/PASEP/NIS: one mod 11 digit. */
export function isPis(digits: string): boolean {
  if (digits.length !== 11 || /^(\d)\1*$/.test(digits)) return false;
  return elevenDigit(weighted(digits, [3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) === digits.charCodeAt(10) - 48;
}

const ODD_PLACES = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

/** Italian codice fiscale: 15 signs and a letter that checks them. Source: Decreto Ministeriale 12 March 1974. */
export function isCodiceFiscale(compact: string): boolean {
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const code = compact.charCodeAt(at);
    const value = code < 65 ? code - 48 : code - 65;
    sum += at % 2 === 0 ? ODD_PLACES[value]! : value;
  }
  return compact.charCodeAt(15) === 65 + (sum % 26);
}
