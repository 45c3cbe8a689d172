// Owns the formats of strings as patterns. Each allows a part of what its standard does, and nothing else:
// what is written is right, though not everything right can be written.

const DAY = '(0[1-9]|1[0-9]|2[0-8])';
// The 29th of February is left out: a regular expression would have to count leap years.
const DATE = `[0-9]{4}-((0[1-9]|1[0-2])-${DAY}|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)`;
const CLOCK = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?';
const ZONE = '(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])';
// No two hyphens together, which would announce an encoded name, and a last label of letters, for digits
// would make an address of it.
const LABEL = '[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}';
const HOST = `(${LABEL}\\.){0,4}[a-z]{2,12}`;
const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const GROUP = '[0-9a-f]{1,4}';
const PATH = "[A-Za-z0-9._~!$&'()*+,;=:@/-]*";

/** Sources: RFC 3339, RFC 5321, RFC 4122, RFC 2673, RFC 4291, RFC 1123, RFC 3986. */
export const FORMATS: Readonly<Record<string, string>> = Object.freeze({
  date: `^${DATE}$`,
  time: `^${CLOCK}${ZONE}$`,
  'date-time': `^${DATE}T${CLOCK}${ZONE}$`,
  duration:
    '^P([0-9]{1,4}W|[0-9]{1,4}Y([0-9]{1,2}M)?([0-9]{1,3}D)?|[0-9]{1,4}D(T[0-9]{1,2}H([0-9]{1,2}M)?)?|T[0-9]{1,4}[HMS])$',
  email: `^[a-z0-9]([a-z0-9_+-]|\\.[a-z0-9]){0,40}@(${LABEL}\\.){1,3}[a-z]{2,12}$`,
  uuid: '^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
  ipv4: `^${BYTE}(\\.${BYTE}){3}$`,
  ipv6: `^(${GROUP}:){7}${GROUP}$`,
  hostname: `^${HOST}$`,
  byte: '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$',
  'json-pointer': '^(/[A-Za-z0-9_-]*)*$',
  uri: `^https?://${HOST}(:[1-9][0-9]{1,3})?(/${PATH})?(\\?${PATH})?$`,
});
