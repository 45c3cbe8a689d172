// Owns telling figures from identifiers where only a model said they are one: a column of counts, sums or sizes looks
// to it like one of record numbers. Refuses to judge what stands in no column of numbers, what a pattern found, and
// whatever is in doubt: that stays found.
import type { Span } from '../types.ts';
import { type Cell, type Column, gridsOf } from './grids.ts';
import { once } from './survey.ts';

const words = (...lists: readonly string[]): RegExp =>
  new RegExp(`\\b(?:${lists.join(' ').split(' ').join('|')})\\b`, 'i');

/** Words that make numbers somebody's: in a column's head, in the row, and elsewhere. Without accents. */
const IDENTIFYING = words(
  'accounts? accts? a/?c c/c cuentas? cta cte contas? konto\\w* comptes? conto iban swift bic routing aba sort.?codes?',
  'agencias? banks? bancos? bancari[oa]s? nib clabe cbu loans? mortgages? cards? tarjetas? cartao cartoes wallets? cvv cvc',
  'ssns? social.?sec\\w* seguridad.social seguro.social itin ein tax.?(?:id|no|num|ref|payer)\\w* nif nie dni nipc cpfs?',
  'cnpjs? rg nis pis pasep nhs nino nass nuss naf rut rfc curp cedulas? cuit cuil aadhaar mrns? medical records? chart.?n\\w+',
  'patients? pacientes? nhc historias? episodios? prontuarios? utentes? cns passports? pasaportes? passaportes?',
  'licen[cs]es? licencias? carnets? carteiras? drivers? members? membership miembros? membros? socios? polic(?:y|ies)',
  'polizas? apolices? insur\\w* segur[oa]s? asegurad\\w* beneficiar\\w* afiliad\\w* phones? tel telephones? telef\\w*',
  'telemove\\w* mobiles? cell(?:.?phone)?s?.?n\\w* movil\\w* celular\\w* fax whats?app contact\\w* contat\\w* customers?',
  'clients? clientes? employees? emplead\\w* funcionari\\w* staff students? alumn\\w* alun\\w* users? usuari\\w* logins?',
  'names? nombres? nomes? surnames? apellidos? sobrenomes? persons? personas? pessoas? holders? titular\\w* payees? payers?',
  'recipients? destinatari\\w* owners? tenants? inquilin\\w* guests? donors? identifiers? identit\\w+ identidad\\w*',
  'identificac\\w* identificador\\w* passwords? pass.?codes? pins? otp codes? codigos? claves? senhas? births? born dob',
  'nacid\\w* nacim\\w* nascid\\w* nascim\\w* zip.?codes? zip postal\\w* postcodes? cep serial\\w* imei vin plates?',
  'matricul\\w* registrations? registros? processos? expedientes? badges? voters? crm npi dea refs? referenc\\w* enrol\\w*',
  'roll.?n\\w+ subscribers? suscriptor\\w* assinante\\w* pupils? payroll emp',
  'iccid imsi msisdn (?:sim|meter|ticket|case|file).?n\\w+ deb(?:it|ito)s? debtors? creditors? benef reg lic dl',
);
/** Words that number rows; what they head is somebody's from so many digits on. */
const FEW_DIGITS = 5;
const NUMBERING = /\bids?\b|#|\bn(?:[o.\u00ba\u00b0]{1,2}|r|um\w*)(?!\w)/i;
/** Those who are counted by the head alone: "patients" has how many, "patient" has which. */
const COUNTED =
  /^(?:(?:active|new|total|monthly|daily|unique) )?(?:users|customers|clients|patients|students|employees|members|people|voters|usuarios|clientes|pacientes|alumnos|alunos|empleados|funcionarios|miembros|membros|personas|pessoas)(?: (?:activos|ativos|nuevos|novos|totales|totais))?$/i;
/** Words that say what was counted, measured or paid. */
const COUNTING = words(
  'counts? totals? sums? amounts? sales revenues? incomes? costs? prices? budgets? planned spent profits? balances? values?',
  'visits visitors views clicks hits orders units items quantit\\w* qty volumes? population residents? inhabitants?',
  'areas? sizes? bytes? kb mb gb ms secs? seconds? minutes? hours? days? weeks? months? years? durations? latenc\\w*',
  'times? timestamps? ts ops rates? scores? points tokens loss(?:es)? epochs? steps? rows requests errors lengths?',
  'widths? heights? weights? distances? averages? mean median max min percent\\w* votes eur euros? usd gbp brl dollars?',
  'pounds? reais ventas? ingresos? gastos? costes? precios? importes? unidades? cantidad\\w* poblacion superficie habitantes',
  'anos? mes(?:es)? dias? horas? visitas pedidos media vendas? receitas? custos? despesas? precos? valor(?:es)?',
  'gdp pib cpu ram roi co2 gmv arr mrr ebitda dau mau rps qps fps ctr cpc cpm iops kpi nav',
  'quantidades? populacao tamanhos? medic(?:ion|iones|ao|oes) pontos puntos',
);
/** Letters that stand for words nobody knows here: in doubt, an identifier's. */
const ACRONYM = /\b[A-Z]{3,}\b/;
const UNIT = /[%$\u20ac\u00a3]|\/(?:s|h|min|day|km)\b|\^\d/;
/** Seconds or milliseconds since 1970, of this century. */
const MOMENT = /^1\d{9}(?:\d{3})?$/;
const MOMENTS = /\b(?:times?|timestamps?|ts|epoch|unix|created|updated|hora|fecha|data)\b/i;
const YEAR = /^(?:1[89]|20)\d\d$/;

/** Longer numbers are no count of anything people put in tables. */
const MOST_DIGITS = 9;
/** From here on, as many digits in every row are rather a number given out than one counted. */
const GIVEN_OUT = 8;

/** Patterns as sure as this have check digits, a plus or a word before. */
const SURE = 0.9;

/** `found`, one list a text of one request, without what was taken for identifiers and are figures of a table. */
export function withoutFigures(
  texts: readonly string[],
  found: readonly (readonly Span[])[],
): readonly (readonly Span[])[] {
  const isSaid = once(() => texts.some((text) => IDENTIFYING.test(plain(text))));
  return found.map((spans, at) => {
    const text = texts[at]!;
    if (!spans.some((span) => isGuess(text, span))) return spans;
    const elsewhere = () => found.some((others, other) => other !== at && others.some(isNaming));
    return withoutFiguresOf(text, spans, () => isSaid() || elsewhere());
  });
}

function withoutFiguresOf(text: string, spans: readonly Span[], isSaid: () => boolean): readonly Span[] {
  const map = mapOf(text, spans, isSaid);
  // No phone number lies in two cells.
  const rest = spans.filter((span) => !(isLoosePhone(span) && cellsOf(text, span, map) > 1));
  const sure = rest.filter((span) => !span.source.startsWith(MODEL) && !isLoosePhone(span));
  return rest.filter((span) => {
    if (!isGuess(text, span) || sure.some((other) => meet(other, span))) return true;
    const letters = lettersOf(text, span);
    // A rule between two rows says nothing of anybody; nor does one letter and a digit beside figures.
    const place = map[span.start];
    const isMark = letters === 0 || (letters < SHORTEST && (place === INSIDE || place === FIGURE));
    return !isMark && cellsOf(text, span, map) === 0;
  });
}

/** An identifier has more letters and digits: this is a quarter, a rank, a grade. */
const SHORTEST = 3;
const NUMBERED: ReadonlySet<Span['type']> = new Set([
  'account',
  'national-id',
  'medical-id',
  'document-id',
  'phone',
]);

function lettersOf(text: string, { start, end }: Span): number {
  return text.slice(start, end).match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}

const MODEL = 'model:';

/** Digits and what separates them, or hardly more than a letter, said by a model alone. */
function isGuess(text: string, span: Span): boolean {
  if (!span.source.startsWith(MODEL)) return false;
  const short = NUMBERED.has(span.type) && lettersOf(text, span) < SHORTEST;
  return short || /^[\d\s.,;:|+%$\u20ac\u00a3'-]+$/.test(text.slice(span.start, span.end));
}

function isLoosePhone({ source, score, type }: Span): boolean {
  return type === 'phone' && score < SURE && !source.startsWith(MODEL);
}

/** Of each character of a text: in no grid that is nobody's, in one, in a cell that is a figure, in one that is not. */
const [OUTSIDE, INSIDE, FIGURE, STANDS] = [0, 1, 2, 3];

function mapOf(text: string, spans: readonly Span[], isSaid: () => boolean): Uint8Array {
  const map = new Uint8Array(text.length).fill(OUTSIDE!);
  const naming = spans.filter(isNaming);
  for (const grid of gridsOf(text)) {
    // A model takes a head for a name now and then.
    const isNamed = () => naming.some(({ start }) => start < grid.start || start >= grid.body);
    const isSomebodys = once(() => isSaid() || isNamed());
    if (!isSomebodys()) raise(map, grid, INSIDE!);
    const judge = createJudge(isSomebodys);
    for (const cell of grid.cells) raise(map, cell, judge(cell) ? FIGURE! : STANDS!);
  }
  return map;
}

/** Whoever is named with a table of numbers is whose they are. */
const NAMING: ReadonlySet<Span['type']> = new Set(['person', 'email', 'username', 'iban', 'card']);

function isNaming({ type }: Span): boolean {
  return NAMING.has(type);
}

/** Where two grids say different things the one that hides counts. */
function raise(map: Uint8Array, { start, end }: Stretch, to: number): void {
  for (let at = start; at < end; at += 1) map[at] = Math.max(map[at]!, to);
}

/** In how many cells that are figures a span lies; 0 where it has a digit in none of them. */
function cellsOf(text: string, { start, end }: Span, map: Uint8Array): number {
  let cells = 0;
  for (let at = start; at < end; at += 1) {
    if (map[at] !== FIGURE && /\d/.test(text.charAt(at))) return 0;
    if (map[at] === FIGURE && (at === start || map[at - 1] !== FIGURE)) cells += 1;
  }
  return cells;
}

/** What a column says of all its cells. */
interface Verdict {
  /** Undefined: the column does not say. */
  readonly figures: boolean | undefined;
  /** It numbers something. */
  readonly numbers: boolean;
  /** Moments may be long. */
  readonly moments: boolean;
}

/** Is a cell a figure? Remembers what it found out about columns and rows. */
function createJudge(isSomebodys: () => boolean): (cell: Cell) => boolean {
  const verdicts = new Map<Column, Verdict>();
  const labels = new Map<string, { readonly identifies: boolean; readonly numbers: boolean }>();
  return ({ text, label, column }) => {
    const verdict = verdicts.get(column) ?? verdictOf(column);
    verdicts.set(column, verdict);
    const words = plain(label);
    const row = labels.get(label) ?? { identifies: IDENTIFYING.test(words), numbers: NUMBERING.test(words) };
    labels.set(label, row);
    if (verdict.figures === false || row.identifies) return false;
    if (verdict.moments) return true;
    const { length } = digitsOf(text);
    if (length > MOST_DIGITS || (length >= FEW_DIGITS && (verdict.numbers || row.numbers))) return false;
    return verdict.figures ?? !isSomebodys();
  };
}

function verdictOf({ head, values }: Column): Verdict {
  const words = plain(head);
  const counted = COUNTED.test(words);
  const numbers = NUMBERING.test(words);
  const moments = MOMENTS.test(words) && values.every((value) => MOMENT.test(value));
  const counting = counted || COUNTING.test(words) || UNIT.test(words) || YEAR.test(words);
  if (!counted && (IDENTIFYING.test(words) || (!counting && ACRONYM.test(words))))
    return { figures: false, numbers, moments: false };
  // A zero in front counts nothing; as many digits in every row are rather given out.
  if (values.some((value) => /^0\d/.test(value))) return { figures: false, numbers, moments: false };
  const lengths = new Set(values.map((value) => digitsOf(value).length));
  const given = lengths.size === 1 && Math.max(...lengths) >= GIVEN_OUT;
  return { figures: counting ? true : given ? false : undefined, numbers, moments };
}

function digitsOf(text: string): string {
  return text.replace(/\D/g, '');
}

/** Without accents and as the words it is made of, so that one spelling of a word is enough. */
function plain(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ');
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

function meet(a: Stretch, b: Stretch): boolean {
  return a.start < b.end && b.start < a.end;
}
