// Owns how detection is scored: labels of public sets to our types, sums over letters and digits, and the
// metrics as ratios of such sums.
import type { Detector } from 'nearfield/policy';

export interface Row {
  readonly id: string;
  readonly lang: string;
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly label: string }[];
}

/** Labels of public sets to the types Nearfield finds; what is not here is no identifier (sex, title, laws). */
const LABELS: Readonly<Record<string, string>> = {
  ...map(
    'person',
    'PERSON NAME PER PESSOA NOMBRE_SUJETO_ASISTENCIA NOMBRE_PERSONAL_SANITARIO FIRST_NAME LAST_NAME',
  ),
  ...map('address', 'ADDRESS STREET_ADDRESS CALLE'),
  ...map('location', 'LOCATION LOC LOCAL GPE GEOGRAPHIC_LOCATION TERRITORIO PAIS ZIP_CODE CITY COUNTY STATE'),
  ...map('organization', 'ORGANIZATION ORG ORGANIZACAO HOSPITAL INSTITUCION CENTRO_SALUD COMPANY'),
  ...map('date', 'DATE DATE_TIME FECHAS TEMPO DATE_OF_BIRTH DOB'),
  ...map('email', 'EMAIL EMAIL_ADDRESS CORREO_ELECTRONICO'),
  ...map('phone', 'PHONE PHONE_NUMBER NUMERO_TELEFONO NUMERO_FAX FAX_NUMBER'),
  ...map('url', 'URL DOMAIN_NAME URL_WEB'),
  ...map('ip', 'IP IP_ADDRESS IPV4 IPV6'),
  ...map('card', 'CREDIT_CARD CREDIT_CARD_NUMBER'),
  ...map('iban', 'IBAN IBAN_CODE'),
  ...map('account', 'ACCOUNT_NUMBER BANK_ACCOUNT'),
  ...map('national-id', 'US_SSN SSN SOCIAL_SECURITY_NUMBER CPF CNPJ DNI NIE NIF'),
  ...map(
    'medical-id',
    'MEDICAL_RECORD_NUMBER HEALTH_PLAN_BENEFICIARY_NUMBER ID_SUJETO_ASISTENCIA ID_ASEGURAMIENTO ID_CONTACTO_ASISTENCIAL ID_TITULACION_PERSONAL_SANITARIO ID_EMPLEO_PERSONAL_SANITARIO',
  ),
  ...map('document-id', 'US_DRIVER_LICENSE PASSPORT DRIVER_LICENSE UNIQUE_IDENTIFIER'),
  ...map('username', 'USERNAME USER_NAME'),
  ...map('secret', 'PASSWORD API_KEY SECRET'),
};

function map(type: string, labels: string): Record<string, string> {
  return Object.fromEntries(labels.split(' ').map((label) => [label, type]));
}

/** Sums of one row; every metric is a ratio of such sums over rows. */
export interface Tally {
  goldChars: number;
  hiddenGoldChars: number;
  hiddenChars: number;
  plainChars: number;
  overChars: number;
  gold: number;
  whole: number;
}

export interface Judged {
  readonly lang: string;
  readonly all: Tally;
  readonly byType: ReadonlyMap<string, Tally>;
}

const WORD = /[\p{L}\p{N}]/u;

/** Which labelled spans count; what is left out here is neither to be found nor wrong to find. */
export interface Counted {
  readonly types?: ReadonlySet<string> | undefined;
  /** Only spans whose text this matches: `\\d|@` leaves structured ids and addresses of mail. */
  readonly matching?: RegExp | undefined;
}

export async function judge(row: Row, detector: Detector, counted: Counted = {}): Promise<Judged> {
  const found = await detector.detect(row.text, { signal: new AbortController().signal });
  const hidden = new Uint8Array(row.text.length);
  for (const span of found) hidden.fill(1, span.start, span.end);
  const gold = new Uint8Array(row.text.length);
  const aside = new Uint8Array(row.text.length);
  const byType = new Map<string, Tally>();
  const all = emptyTally();
  for (const span of row.spans) {
    const type = LABELS[span.label];
    if (type === undefined) continue;
    const { types, matching } = counted;
    if (types?.has(type) === false || matching?.test(row.text.slice(span.start, span.end)) === false) {
      aside.fill(1, span.start, span.end);
      continue;
    }
    gold.fill(1, span.start, span.end);
    const own = byType.get(type) ?? emptyTally();
    byType.set(type, own);
    countSpan(row.text, span, hidden, own);
    countSpan(row.text, span, hidden, all);
  }
  // Only letters and digits count: a comma inside an address is nobody's secret.
  all.goldChars = 0;
  all.hiddenGoldChars = 0;
  for (let at = 0; at < row.text.length; at += 1) {
    if (!WORD.test(row.text.charAt(at)) || (aside[at] && !gold[at])) continue;
    if (hidden[at]) all.hiddenChars += 1;
    if (gold[at]) all.goldChars += 1;
    else all.plainChars += 1;
    if (gold[at] && hidden[at]) all.hiddenGoldChars += 1;
    if (!gold[at] && hidden[at]) all.overChars += 1;
  }
  return { lang: row.lang, all, byType };
}

function countSpan(
  text: string,
  span: { start: number; end: number },
  hidden: Uint8Array,
  tally: Tally,
): void {
  let chars = 0;
  let covered = 0;
  for (let at = span.start; at < span.end; at += 1) {
    if (!WORD.test(text.charAt(at))) continue;
    chars += 1;
    covered += hidden[at] as number;
  }
  tally.gold += 1;
  if (covered === chars) tally.whole += 1;
  tally.goldChars += chars;
  tally.hiddenGoldChars += covered;
}

function emptyTally(): Tally {
  return { goldChars: 0, hiddenGoldChars: 0, hiddenChars: 0, plainChars: 0, overChars: 0, gold: 0, whole: 0 };
}

export function metricsOf(tallies: readonly Tally[]): Record<string, number> {
  const sum = emptyTally();
  for (const one of tallies) for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += one[key];
  const recall = sum.hiddenGoldChars / Math.max(1, sum.goldChars);
  const precision = sum.hiddenGoldChars / Math.max(1, sum.hiddenChars);
  return {
    'character-recall': recall,
    'whole-span-recall': sum.whole / Math.max(1, sum.gold),
    precision,
    F2: recall + precision === 0 ? 0 : (5 * precision * recall) / (4 * precision + recall),
    'over-redaction': sum.overChars / Math.max(1, sum.plainChars),
  };
}
