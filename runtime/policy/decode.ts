// Owns reading what was written in an encoding: escapes (percent, HTML, JSON, quoted-printable), base64,
// hex, compressed bytes. Each reader gives a view with the way back. Every pattern is a run of disjoint
// classes with a bound, so reading is linear in the text.
import { matchesAt, matchesOf } from './find.ts';
import type { Survey } from './survey.ts';
import { replaceView, tokenView, type View } from './view.ts';

const ESCAPE_HINT = /[%&\\<]/;
const ESCAPE =
  /(?:%[0-9A-Fa-f]{2})+|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});?|(?:\\u[0-9A-Fa-f]{4})+|\\u\{[0-9A-Fa-f]{1,6}\}|(?:\\x[0-9A-Fa-f]{2})+|\\[nrtbf"'\\/]|<!--[^<>]{0,200}-->|<\/?[A-Za-z][A-Za-z0-9]{0,9}\s?\/?>/g;

const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: ' ',
    commat: '@',
    period: '.',
    lowbar: '_',
    hyphen: '-',
    dash: '-',
    num: '#',
    plus: '+',
    colon: ':',
    comma: ',',
    sol: '/',
    equals: '=',
    lpar: '(',
    rpar: ')',
    tab: '\t',
    newline: '\n',
    shy: '',
    zwnj: '',
    zwj: '',
  }),
);
const CONTROL_ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '', f: '' };

/** Every escape undone once; undefined where there is none. Markup goes, so values it cuts become whole. */
export function unescapeView(view: View): View | undefined {
  if (!ESCAPE_HINT.test(view.text)) return undefined;
  return replaceView(view, ESCAPE, (match) => unescapeOne(match[0]));
}

const QUOTED = /(?:=[0-9A-F]{2})+/g;
const QUOTED_HINT = /=[0-9A-F]{2}[^\n]{0,200}=[0-9A-F]{2}/;

/** RFC 2045 quoted-printable. On its own, because `q=51` in a URL looks like it. */
export function quotedPrintableView(view: View): View | undefined {
  if (!QUOTED_HINT.test(view.text)) return undefined;
  return replaceView(view, QUOTED, (match) => bytesToText(fromHex(match[0].replaceAll('=', '')), false));
}

function unescapeOne(sequence: string): string | undefined {
  const second = sequence.charAt(1);
  switch (sequence.charAt(0)) {
    case '%':
      return bytesToText(fromHex(sequence.replaceAll('%', '')), false);
    case '<':
      return '';
    case '&':
      return unescapeEntity(sequence.slice(1).replace(';', ''));
  }
  if (sequence.startsWith('\\u{')) return fromCode(Number.parseInt(sequence.slice(3, -1), 16));
  if (second === 'u') {
    const units = sequence.match(/[0-9A-Fa-f]{4}/g) ?? [];
    return units.map((unit) => String.fromCharCode(Number.parseInt(unit, 16))).join('');
  }
  if (second === 'x') return bytesToText(fromHex(sequence.replaceAll('\\x', '')), false);
  return CONTROL_ESCAPES[second] ?? second;
}

function unescapeEntity(body: string): string | undefined {
  if (/^#x/i.test(body)) return fromCode(Number.parseInt(body.slice(2), 16));
  if (body.startsWith('#')) return fromCode(Number(body.slice(1)));
  return ENTITIES.get(body) ?? ENTITIES.get(body.toLowerCase());
}

function fromCode(code: number): string | undefined {
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

/** What a token's bytes hold: text to search, or compressed bytes that need time to open. */
export type Decoded =
  | { readonly kind: 'text'; readonly view: View }
  | {
      readonly kind: 'compressed';
      readonly format: 'gzip' | 'deflate';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly start: number;
      readonly end: number;
    };

const BASE64 = /[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]{8,})*={0,2}/y;
const BASE64_PARTING = /[/\n\r]/;
const HEX = /(?<![0-9A-Fa-f])(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s:,;-]{0,2}){6,}/g;

/** Every token of `view` that decodes from base64 or hex to readable text or to compressed bytes. */
export function decodeTokens(view: View, { coded, hex }: Survey): Decoded[] {
  const decoded: Decoded[] = [];
  const starts = coded.map(({ start }) => start);
  for (const match of matchesAt(view.text, BASE64, starts)) {
    if (decodeBase64Token(view, match.index, match[0], decoded)) continue;
    if (BASE64_PARTING.test(match[0])) decodePieces(view, match, decoded);
  }
  if (hex) decodeHex(view, decoded);
  return decoded;
}

/** A path's slash is one of base64's characters too, and lines may be tokens of their own. */
function decodePieces(view: View, match: RegExpExecArray, decoded: Decoded[]): void {
  for (const piece of match[0].matchAll(/[^/\n\r]{8,}/g)) {
    if (piece[0].length < match[0].length) {
      decodeBase64Token(view, match.index + piece.index, piece[0], decoded);
    }
  }
}

function decodeHex(view: View, decoded: Decoded[]): void {
  for (const match of matchesOf(view.text, HEX)) {
    const digits = match[0].replace(/0x|\\x|[\s:,;-]/g, '');
    const length = match[0].trimEnd().length;
    keepDecoded(view, match.index, match.index + length, fromHex(digits), decoded);
  }
}

function decodeBase64Token(view: View, start: number, token: string, decoded: Decoded[]): boolean {
  const bytes = fromBase64(token);
  return bytes !== undefined && keepDecoded(view, start, start + token.length, bytes, decoded);
}

function keepDecoded(
  view: View,
  start: number,
  end: number,
  bytes: Uint8Array<ArrayBuffer>,
  decoded: Decoded[],
): boolean {
  const format = compression(bytes);
  if (format) {
    decoded.push({ kind: 'compressed', format, bytes, start, end });
    return true;
  }
  const text = bytesToText(bytes, true);
  if (text === undefined) return false;
  decoded.push({ kind: 'text', view: tokenView(text, view, start, end) });
  return true;
}

/** RFC 1952 and RFC 1950 magic numbers. */
function compression(bytes: Uint8Array): 'gzip' | 'deflate' | undefined {
  if (bytes.length < 10) return undefined;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8) return 'gzip';
  const header = (bytes[0]! << 8) | bytes[1]!;
  return bytes[0] === 0x78 && header % 31 === 0 ? 'deflate' : undefined;
}

const SEXTETS = new Int8Array(128).fill(-1);
for (const [value, char] of Array.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries()) {
  SEXTETS[char.charCodeAt(0)] = value;
}
SEXTETS['-'.charCodeAt(0)] = 62;
SEXTETS['_'.charCodeAt(0)] = 63;

/** Both alphabets, padding optional. Gives up at the first three bytes when they are neither text nor compressed. */
function fromBase64(token: string): Uint8Array<ArrayBuffer> | undefined {
  if (!promising(token)) return undefined;
  const bytes = new Uint8Array((token.length * 3) >> 2);
  let length = 0;
  let bits = 0;
  let count = 0;
  for (let at = 0; at < token.length; at += 1) {
    const value = SEXTETS[token.charCodeAt(at)] ?? -1;
    if (value < 0) continue;
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[length] = (bits >> count) & 0xff;
    length += 1;
  }
  return bytes.subarray(0, length);
}

/** Could a token that begins so hold text or compressed bytes? Its first four characters are three bytes. */
function promising(token: string): boolean {
  let bits = 0;
  for (let at = 0; at < 4; at += 1) bits = (bits << 6) | SEXTETS[token.charCodeAt(at)]!;
  const [first, second, third] = [bits >> 16, (bits >> 8) & 0xff, bits & 0xff];
  if (first === 0x1f || first === 0x78) return true;
  return (isPlain(first) || first >= 0xc2) && mayFollow(second) && mayFollow(third);
}

function mayFollow(byte: number): boolean {
  return byte === 0 || byte >= 0x80 || isPlain(byte);
}

function isPlain(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13;
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(digits.length >> 1);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  }
  return bytes;
}

const utf8 = new TextDecoder();
const latin1 = new TextDecoder('latin1');

/** UTF-8, or UTF-16 as some shells write it. `readable` refuses bytes that are no text. */
export function bytesToText(bytes: Uint8Array<ArrayBuffer>, readable: boolean): string | undefined {
  const wide = bytes.length >= 12 && bytes[1] === 0 && bytes[3] === 0;
  const plain = wide ? bytes.filter((_, at) => at % 2 === 0) : bytes;
  if (isReadable(plain)) return utf8.decode(plain);
  return readable ? undefined : latin1.decode(plain);
}

/** Well-formed UTF-8 without control characters. By hand: a decoder that throws costs more than the text. */
function isReadable(bytes: Uint8Array): boolean {
  let following = 0;
  for (const byte of bytes) {
    if (following > 0) {
      if (byte >> 6 !== 2) return false;
      following -= 1;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return false;
      following = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    } else if ((byte < 0x20 && (byte < 9 || byte > 13)) || byte === 0x7f) return false;
  }
  return following === 0;
}
