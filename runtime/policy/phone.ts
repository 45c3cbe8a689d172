// Owns the question whether digits are a phone number, answered by libphonenumber over the countries the
// app expects. The library is asked last and its answers are remembered: it costs tens of microseconds.
import { type CountryCode, isValidPhoneNumber } from 'libphonenumber-js/min';

/** National formats accepted without a country code. */
const COUNTRIES: readonly CountryCode[] = ['US', 'ES', 'BR', 'PT', 'GB', 'MX', 'AR', 'CO', 'FR', 'DE'];
/** Bare digits without words or separators count only where mobile numbers are dialled that way. */
const BARE_COUNTRIES: readonly CountryCode[] = ['US', 'ES', 'BR', 'PT'];
const MAX_KNOWN = 2048;
const known = new Map<string, boolean>();

export interface PhoneContext {
  /** A `+` stands before. */
  readonly international: boolean;
  /** A word like "phone" stands before. */
  readonly said: boolean;
  readonly grouped: boolean;
}

export function isPhone(digits: string, context: PhoneContext): boolean {
  if (context.international) return valid(`+${digits}`);
  if (digits.startsWith('00') && valid(`+${digits.slice(2)}`)) return true;
  if (digits.length < 9 && !context.said) return false;
  if (context.said && digits.length >= 7) return true;
  if (!context.grouped && digits.length > 11) return false;
  const countries = context.grouped ? COUNTRIES : BARE_COUNTRIES;
  if (countries.some((country) => valid(digits, country))) return true;
  return context.grouped && digits.length > 10 && valid(`+${digits}`);
}

function valid(number: string, country?: CountryCode): boolean {
  const key = `${country ?? ''}${number}`;
  const cached = known.get(key);
  if (cached !== undefined) return cached;
  const answer = country ? isValidPhoneNumber(number, country) : isValidPhoneNumber(number);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, answer);
  return answer;
}
