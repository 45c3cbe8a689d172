// Owns comparing JSON values and writing them the way every grammar here writes them.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Between items and after a key, as most of what models have read is written. */
export const COMMA = ', ';
export const COLON = ': ';

export function written(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(written).join(COMMA)}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}${COLON}${written(item as Json)}`,
  );
  return `{${entries.join(COMMA)}}`;
}

/** Equal for equal values, whatever the order of keys. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`).join()}}`;
}
