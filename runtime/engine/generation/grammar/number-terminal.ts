// Owns JSON numbers within bounds: a digit may follow only where some number that begins so is allowed.
// Numbers have at most 15 digits, so that what is written and what is parsed are the same number.
import { createNumbering, type Terminal } from './terminal.ts';

export interface NumberBounds {
  readonly integer: boolean;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
  /** A positive integer; makes the numbers integers. */
  readonly multipleOf?: number | undefined;
}

/** Digits that a double always keeps. Source: IEEE 754, DBL_DIG. */
const DIGITS = 15;
const FRACTION_DIGITS = 6;

/** Undefined when no number of at most 15 digits is within the bounds. */
export function createNumberTerminal(bounds: NumberBounds): Terminal | undefined {
  const { scale, places, low, high, multiple } = rangeOf(bounds);
  const wholeDigits = DIGITS - places;

  /** Is a number within bounds among [from, to], both scaled? */
  const some = (from: number, to: number): boolean => {
    const least = Math.max(from, low);
    const most = Math.min(to, high);
    return least <= most && Math.floor(most / multiple) * multiple >= least;
  };
  const signed = (negative: boolean, from: number, to: number) =>
    negative ? some(-to, -from) : some(from, to);

  /** Can this text become a number within bounds? */
  function viable(text: string): boolean {
    const { negative, whole, fraction } = parts(text);
    if (whole === '') return some(-(10 ** DIGITS), negative ? 0 : 10 ** DIGITS);
    if (fraction !== undefined) {
      if (fraction.length > places) return false;
      const unit = 10 ** (places - fraction.length);
      const from = Number(whole + fraction) * unit;
      return signed(negative, from, from + unit - 1);
    }
    if (whole.length > wholeDigits || /^0./.test(whole)) return false;
    if (signed(negative, Number(whole) * scale, (Number(whole) + 1) * scale - 1)) return true;
    if (whole === '0') return false;
    for (let more = 1; whole.length + more <= wholeDigits; more += 1) {
      const unit = 10 ** more * scale;
      if (signed(negative, Number(whole) * unit, (Number(whole) + 1) * unit - 1)) return true;
    }
    return false;
  }

  function whole(text: string): boolean {
    const { negative, whole: digits, fraction } = parts(text);
    if (digits === '' || fraction === '') return false;
    const value = Number(digits + (fraction ?? '').padEnd(places, '0'));
    return signed(negative, value, value);
  }

  const texts = createNumbering<string>((text) => text);
  const start = texts.of('');
  if (!viable('')) return undefined;

  function step(state: number, byte: number): number {
    const text = texts.get(state);
    const letter = String.fromCharCode(byte);
    const isDigit = byte >= 48 && byte <= 57;
    const isSign = letter === '-' && text === '';
    const isPoint = letter === '.' && places > 0 && /^-?\d+$/.test(text);
    if (!isDigit && !isSign && !isPoint) return -1;
    const next = text + letter;
    return viable(next) ? texts.of(next) : -1;
  }

  return {
    start,
    step,
    accepts: (state) => whole(texts.get(state)),
    more: (state) => NUMBER_BYTES.some((byte) => step(state, byte) >= 0),
    closing: (state) => shortest(state, step, (at) => whole(texts.get(at))),
    alike: (state) => state,
  };
}

function parts(text: string): { negative: boolean; whole: string; fraction: string | undefined } {
  const negative = text.startsWith('-');
  const [whole = '', fraction] = (negative ? text.slice(1) : text).split('.');
  return { negative, whole, fraction };
}

interface Range {
  /** Numbers are told as integers of this unit: 10 ** places. */
  readonly scale: number;
  readonly places: number;
  readonly low: number;
  readonly high: number;
  readonly multiple: number;
}

function rangeOf(bounds: NumberBounds): Range {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = bounds;
  const given = [minimum, maximum, exclusiveMinimum, exclusiveMaximum].filter((bound) => bound !== undefined);
  const wholeDigits = Math.max(9, ...given.map((bound) => String(Math.trunc(Math.abs(bound))).length));
  const wanted = Math.max(FRACTION_DIGITS, ...given.map(decimals));
  const integer = bounds.integer || multipleOf !== undefined;
  const places = integer ? 0 : Math.max(0, Math.min(wanted, DIGITS - wholeDigits));
  const most = 10 ** DIGITS - 1;
  const low = Math.max(
    -most,
    minimum === undefined ? -most : scaled(minimum, places, 'up'),
    exclusiveMinimum === undefined ? -most : scaled(exclusiveMinimum, places, 'down') + 1,
  );
  const high = Math.min(
    most,
    maximum === undefined ? most : scaled(maximum, places, 'down'),
    exclusiveMaximum === undefined ? most : scaled(exclusiveMaximum, places, 'up') - 1,
  );
  return { scale: 10 ** places, places, low, high, multiple: multipleOf ?? 1 };
}

function decimals(value: number): number {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  return Math.max(0, (mantissa.split('.')[1]?.length ?? 0) - Number(exponent));
}

/** value * 10 ** places as an integer, by the number's decimal digits and not by its binary ones. */
function scaled(value: number, places: number, round: 'up' | 'down'): number {
  const [mantissa = '', exponent = '0'] = String(Math.abs(value)).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent) + places;
  const digits = whole + fraction;
  const point = whole.length + shift;
  const integer = Number(point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0');
  const rest = point >= digits.length ? '' : digits.slice(Math.max(0, point));
  const exact = !/[1-9]/.test(rest);
  const towardsZero = value < 0 ? round === 'up' : round === 'down';
  const magnitude = exact || towardsZero ? integer : integer + 1;
  return value < 0 ? -magnitude : magnitude;
}

/** Any JSON number without bounds: up to 15 digits, a fraction, an exponent of two digits. */
export function createFreeNumberTerminal(): Terminal {
  const texts = createNumbering<{ phase: Phase; digits: number }>(({ phase, digits }) => `${phase}${digits}`);
  const start = texts.of({ phase: 'start', digits: 0 });
  const step = (state: number, byte: number): number => {
    const { phase, digits } = texts.get(state);
    const next = PHASES[phase](String.fromCharCode(byte), digits);
    if (next === undefined) return -1;
    const count = next === phase ? digits + 1 : 1;
    return count <= (next === 'exponent' ? 2 : DIGITS) ? texts.of({ phase: next, digits: count }) : -1;
  };
  const accepts = (state: number) => ENDS.has(texts.get(state).phase);
  return {
    start,
    step,
    accepts,
    more: (state) => NUMBER_BYTES.some((byte) => step(state, byte) >= 0),
    closing: (state) => shortest(state, step, accepts),
    alike: (state) => state,
  };
}

type Phase = 'start' | 'minus' | 'zero' | 'whole' | 'point' | 'fraction' | 'e' | 'sign' | 'exponent';

const ENDS: ReadonlySet<Phase> = new Set(['zero', 'whole', 'fraction', 'exponent']);
const digit = (letter: string) => letter >= '0' && letter <= '9';
const first = (letter: string): Phase | undefined =>
  letter === '0' ? 'zero' : digit(letter) ? 'whole' : undefined;
const tail = (letter: string): Phase | undefined =>
  letter === '.' ? 'point' : letter === 'e' || letter === 'E' ? 'e' : undefined;

/** Source: RFC 8259, 6. */
const PHASES: Readonly<Record<Phase, (letter: string, digits: number) => Phase | undefined>> = Object.freeze({
  start: (letter) => (letter === '-' ? 'minus' : first(letter)),
  minus: first,
  zero: tail,
  whole: (letter) => (digit(letter) ? 'whole' : tail(letter)),
  point: (letter) => (digit(letter) ? 'fraction' : undefined),
  fraction: (letter) => (digit(letter) ? 'fraction' : letter === '.' ? undefined : tail(letter)),
  e: (letter) => (letter === '+' || letter === '-' ? 'sign' : digit(letter) ? 'exponent' : undefined),
  sign: (letter) => (digit(letter) ? 'exponent' : undefined),
  exponent: (letter) => (digit(letter) ? 'exponent' : undefined),
});

const NUMBER_BYTES = [...'0123456789.-e'].map((letter) => letter.charCodeAt(0));

/** Breadth first: few letters are enough, since every state can reach an end. */
function shortest(
  from: number,
  step: (state: number, byte: number) => number,
  accepts: (state: number) => boolean,
): readonly number[] {
  let front: { state: number; bytes: number[] }[] = [{ state: from, bytes: [] }];
  for (let length = 0; length <= DIGITS + 2; length += 1) {
    const end = front.find(({ state }) => accepts(state));
    if (end !== undefined) return end.bytes;
    const reached = new Map<number, { state: number; bytes: number[] }>();
    for (const { state, bytes } of front) {
      for (const byte of NUMBER_BYTES) {
        const next = step(state, byte);
        if (next >= 0 && !reached.has(next)) reached.set(next, { state: next, bytes: [...bytes, byte] });
      }
    }
    // As many as this are never needed: any of them leads to an end.
    front = [...reached.values()].slice(0, 64);
  }
  return [];
}
