// Owns what only words around it give away: names, addresses, dates of birth, record and document
// numbers, in English, Spanish and Portuguese. A modest layer: a trigger, then a value of the right shape
// right after it. The text is folded, so accents need no thought here.
import type { SpanType } from '../types.ts';
import { type Find, matchesOf, precededBy } from './find.ts';
import { createTriggers } from './heads.ts';
import { FIRST_NAMES, NOT_NAMES } from './names.ts';
import type { Survey } from './survey.ts';
import { range } from './words.ts';

const PARTICLE =
  '(?:de la|de las|de los|del|de|da|do|dos|das|van der|van den|van|von|der|den|di|la|le|el|bin|al|ibn|y|e)';
const WORD = `[A-Z](?:[A-Za-z]{0,24}['-])?[A-Za-z]{1,24}`;
const NAME = `${WORD}(?: {1,2}(?:${PARTICLE} )?(?:${WORD}|[A-Z]\\.?(?![A-Za-z]))){0,5}`;
const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre|janeiro|fevereiro|marco|maio|junho|julho|setembro|outubro|novembro|dezembro)';
const DATE = [
  String.raw`\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})`,
  String.raw`\d{4}[/.-]\d{1,2}[/.-]\d{1,2}`,
  String.raw`${MONTH}\.? \d{1,2}(?:st|nd|rd|th)?,? {1,2}\d{4}`,
  String.raw`\d{1,2}(?:st|nd|rd|th)?(?: of| de)? ${MONTH}\.?,?(?: de| del)? {1,2}\d{4}`,
].join('|');

interface Context {
  readonly pattern: string;
  readonly type: SpanType;
  readonly score: number;
  readonly trigger: RegExp;
  /** Characters of the trigger before its first word, at most. Default 0. */
  readonly lead?: number | undefined;
  /** Sticky: what must come right after the trigger. */
  readonly value: RegExp;
  accept?(value: string): boolean;
}

const GAP = String.raw`(?:\s?(?:is|es|e|was|no|nr|num|number|numero|n|id|code)\b\.?){0,3}\s?[#:=.]{0,2}\s{0,3}`;
const IDENTIFIER = /[A-Za-z]{0,4}[ -]?\d[A-Za-z0-9]{0,14}(?:[ ./-][A-Za-z0-9]{1,12}){0,4}/y;

const CONTEXTS: readonly Context[] = [
  {
    pattern: 'said-name',
    type: 'person',
    score: 0.9,
    trigger:
      /\b(?:name\s?is|name's|called|named|me llamo|se llama|llamad[oa]|nombre es|meu nome e|chamo-me|me chamo|chama-se|se chama|nome e)\s{1,2}/gi,
    value: new RegExp(NAME, 'y'),
  },
  {
    pattern: 'labelled-name',
    type: 'person',
    score: 0.9,
    trigger:
      /\b(?:name|surname|patient|client|customer|employee|applicant|tenant|cardholder|contact|spouse|doctor|physician|author|from|to|cc|nombres?|apellidos?|paciente|cliente|titular|medic[oa]|remitid[oa] por|firma(?:do)?(?: por)?|nome(?: completo)?|sobrenome|assinado|mae|pai|madre|padre|requerente|apelante|apelado|autor|reu|relator|advogad[oa])(?: ?\( ?s ?\))? ?[:=]\s{0,3}(?:(?:dr|dra|d|sr|sra)\.? ?){0,2}/gi,
    value: new RegExp(NAME, 'y'),
  },
  {
    pattern: 'titled-name',
    type: 'person',
    score: 0.85,
    trigger:
      /\b(?:mr|mrs|ms|miss|mx|dr|dra|prof|sr|sra|srta|don|dona|senor|senora|senorita|senhor|senhora|ministr[oa]|desembargador[a]?|juiz|juiza|judge|sgt|capt|lt|col|gen|rev|hon)\.? {1,2}/gi,
    value: new RegExp(NAME, 'y'),
  },
  {
    pattern: 'greeted-name',
    type: 'person',
    score: 0.7,
    lead: 2,
    trigger:
      /(?:^|[\n.!?"] ?)(?:dear|hi|hello|hey|hola|estimad[oa]|querid[oa]|ola|oi|prezad[oa]|car[oa])\s{1,2}/gi,
    value: new RegExp(`${NAME}(?=\\s?[,!:;.\\n]|$)`, 'y'),
  },
  {
    pattern: 'signed-name',
    type: 'person',
    score: 0.7,
    trigger:
      /\b(?:regards|sincerely|thanks|cheers|yours|best|atentamente|saludos|un saludo|cordialmente|atenciosamente|abracos|obrigad[oa]|gracias),?\s{0,2}\n\s{0,3}/gi,
    value: new RegExp(`${NAME}(?=\\s{0,2}(?:[,.]|\\n|$))`, 'y'),
  },
  {
    pattern: 'patient-name',
    type: 'person',
    score: 0.75,
    trigger:
      /\b(?:patient|pt|paciente|colleague|client|cliente|wife|husband|son|daughter|mother|father|brother|sister|friend|boss|neighbou?r|esposa|marido|hij[oa]|herman[oa]|filh[oa]|irmao|irma|amig[oa]),? {1,2}/gi,
    value: new RegExp(NAME, 'y'),
  },
  {
    pattern: 'birth-date',
    type: 'date',
    score: 0.9,
    trigger:
      /\b(?:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?date|birthday|nacid[oa](?: el)?|fecha de nac\w*\.?|f\. ?nac\.?|nascid[oa](?: em| a)?|data de nasc\w*\.?|nascimento)\s?(?:is|es|e|was)?\s?[:=]?\s{0,3}/gi,
    value: new RegExp(DATE, 'yi'),
  },
  {
    pattern: 'medical-record',
    type: 'medical-id',
    score: 0.85,
    trigger: new RegExp(
      String.raw`\b(?:mrn|medical record|health record|patient id|hospital number|chart|nhc|historia clinica|historia|episodio|prontuario|processo clinico|utente|cartao sus|health plan|insurance|beneficiary|member id|policy|nass|aseguramiento|poliza|n\.?o?\.?col\w*|colegiado|crm|npi|dea)${GAP}`,
      'gi',
    ),
    value: IDENTIFIER,
    accept: hasDigits,
  },
  {
    pattern: 'document-number',
    type: 'document-id',
    score: 0.85,
    trigger: new RegExp(
      String.raw`\b(?:passport|pasaporte|passaporte|driver'?s? ?licen[cs]e|driving licen[cs]e|licen[cs]e|carnet de conducir|permiso de conducir|cnh|rg|identidade|identity card|id card|dni|nie|cartao de cidadao|bilhete de identidade|titulo de eleitor|green card|visa number|voter id)${GAP}`,
      'gi',
    ),
    value: IDENTIFIER,
    accept: hasDigits,
  },
  {
    pattern: 'account-number',
    type: 'account',
    score: 0.8,
    trigger: new RegExp(
      String.raw`\b(?:account|acct|routing|aba|sort code|cuenta(?: bancaria)?|conta(?: corrente| bancaria)?|agencia|swift|bic)${GAP}`,
      'gi',
    ),
    value: IDENTIFIER,
    accept: hasDigits,
  },
  {
    pattern: 'username',
    type: 'username',
    score: 0.7,
    trigger:
      /\b(?:user ?name|user ?id|login|handle|usuario|nome de usuario|nick(?:name)?)\s?(?:is|es|e)?\s?[:=]\s{0,3}/gi,
    value: /@?[A-Za-z0-9](?:[\w.-]{1,40})/y,
  },
  {
    pattern: 'labelled-address',
    type: 'address',
    score: 0.85,
    trigger:
      /\b(?:address|domicilio|direccion|endereco|morada|residente en|residencia|residente em|residente na|lives at|living at|reside at|resides at|vive en|mora em|mora na)(?: is| es| e)?\s?:?\s{1,3}(?=[A-Za-z#]{0,24}\.?\s?[A-Z0-9])/gi,
    value: /[^\n;]{5,90}?(?=\.\s|\.$|[\n;]|$)/y,
    accept: hasDigits,
  },
  {
    pattern: 'street',
    type: 'address',
    score: 0.85,
    trigger:
      /\b(?:calle|c\/|avenida|avda\.?|av\.|plaza|pza\.?|paseo|camino|carretera|ctra\.?|ronda|travesia|rua|r\.|praca|travessa|alameda|estrada|rodovia|largo|urbanizacion|urb\.)\s{1,2}(?=(?:de|del|de la|de los|da|do|dos|das|la|el)?\s?[A-Z0-9])/gi,
    value:
      /[A-Za-z0-9 .'-]{2,50}?(?:,? (?:n[o.]{0,2} ?)?|, ?|no )\d{1,5}(?: ?[A-Z](?![A-Za-z]))?(?:, ?[A-Za-z0-9 ]{1,12}(?=[,.\n]))?(?:, ?\d{4,5}(?:-\d{3,4})?)?(?:,? ?(?:[A-Z][A-Za-z]{2,20})(?: [A-Z][a-z]{2,20}){0,2}(?=[,.\n]|$))?/y,
  },
  {
    pattern: 'postal-code',
    type: 'location',
    score: 0.8,
    trigger:
      /\b(?:zip(?: ?code)?|postal code|postcode|c\.?p\.?|codigo postal|cep)\s?(?:is|es|e)?\s?:?\s{0,3}/gi,
    value: /\d{5}(?:-\d{3,4})?(?!\d)|\d{4}-\d{3}(?!\d)|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}(?![A-Za-z])/y,
  },
  {
    pattern: 'labelled-place',
    type: 'location',
    score: 0.7,
    trigger:
      /\b(?:city|town|country|province|localidad|provincia|ciudad|municipio|pais|cidade|municipio|naturalidade|localidad\/ ?provincia) ?:\s{1,3}/gi,
    value: new RegExp(NAME, 'y'),
  },
];

const ENGLISH_STREET =
  /\b\d{1,6}[A-Za-z]? (?:(?:[NSEW]|North|South|East|West)\.? )?(?:[A-Z0-9][A-Za-z0-9'-]{1,20}\.? ){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Close|Crescent|Mews|Trail|Loop|Alley|Quay)\b\.?(?:[,\n]? ?(?:Apt|Apartment|Suite|Ste|Unit|Floor|Flat|#)\.? ?[A-Za-z0-9-]{1,6})?(?:[,\n] ?[A-Z][A-Za-z' ]{2,25}){0,2}(?:[,\n]? ?[A-Z]{2}[, ]{1,2}\d{5}(?:-\d{4})?)?/g;
const PO_BOX = /\b(?:P\.? ?O\.? ?Box|Apartado(?: de Correos)?|Caixa Postal) \d{1,6}\b/gi;
const ANY_DATE = new RegExp(`(?<![\\d/.-])(?:${DATE})(?:[T ]\\d{1,2}:\\d{2}(?::\\d{2})?)?(?![\\d/-])`, 'gi');
const PERSON_THEN_AGE = new RegExp(
  `\\b${NAME}(?=,? \\(?,?(?:age )?\\d{1,3} ?(?:yo|y/o|yrs?|years?|-year|anos)\\b)`,
  'g',
);
/** An age in figures has one of these; {@link PERSON_THEN_AGE} is dear. */
const AGE_HINT = /\d ?-?[ay]/i;
const CAPITALISED = new RegExp(`\\b${NAME}`, 'g');
const TRIGGERS = createTriggers([
  ...CONTEXTS.map(({ trigger, lead }) => ({ pattern: trigger, lead })),
  { pattern: PO_BOX },
]);

export function findContext(text: string, allDates: boolean, survey: Survey): Find[] {
  const finds: Find[] = [];
  const boxes: Find[] = [];
  for (const [index, match] of TRIGGERS.matches(text, survey.words())) {
    const context = CONTEXTS[index];
    if (context) findAfter(text, match, context, finds);
    else boxes.push({ ...range(match), type: 'address', score: 0.85, pattern: 'po-box' });
  }
  const add = (pattern: RegExp, type: SpanType, score: number, name: string) => {
    for (const match of matchesOf(text, pattern)) finds.push({ ...range(match), type, score, pattern: name });
  };
  if (survey.digits > 0) add(ENGLISH_STREET, 'address', 0.85, 'street-en');
  finds.push(...boxes);
  if (allDates && survey.digits > 0) add(ANY_DATE, 'date', 0.6, 'date');
  if (survey.digits > 0 && AGE_HINT.test(text)) {
    for (const match of matchesOf(text, PERSON_THEN_AGE))
      keepName(match.index, match[0], 0.7, 'aged-name', finds);
  }
  findKnownNames(text, finds);
  return finds;
}

function findAfter(text: string, trigger: RegExpExecArray, context: Context, finds: Find[]): void {
  context.value.lastIndex = trigger.index + trigger[0].length;
  const value = context.value.exec(text);
  if (!value || (context.accept && !context.accept(value[0]))) return;
  if (context.type === 'person') keepName(value.index, value[0], context.score, context.pattern, finds);
  else finds.push({ ...range(value), type: context.type, score: context.score, pattern: context.pattern });
}

/** A run of capitalised words may begin or end with words that name nobody. */
function keepName(start: number, value: string, score: number, pattern: string, finds: Find[]): void {
  const words = value.split(' ');
  let from = 0;
  let to = words.length;
  while (from < to && NOT_NAMES.has(words[from]!.toLowerCase())) from += 1;
  while (to > from && NOT_NAMES.has(words[to - 1]!.toLowerCase())) to -= 1;
  if (from === to) return;
  const begin = start + words.slice(0, from).join(' ').length + (from > 0 ? 1 : 0);
  const end = begin + words.slice(from, to).join(' ').length;
  finds.push({ start: begin, end, type: 'person', score, pattern });
}

/** Capitalised runs that hold a common first name; what follows it is taken for the rest of the name. */
function findKnownNames(text: string, finds: Find[]): void {
  for (const match of matchesOf(text, CAPITALISED)) {
    const words = match[0].split(' ');
    const at = words.findIndex((word) => FIRST_NAMES.has(word.toLowerCase().split('-')[0]!));
    // ANA or EVA alone is an acronym more often than a woman.
    if (at < 0 || (words.length - at === 1 && /^[A-Z]+$/.test(words[at]!))) continue;
    const start = match.index + words.slice(0, at).join(' ').length + (at > 0 ? 1 : 0);
    if (precededBy(text, start, /\b(?:saint|san|santa|sao|st\.?|calle|rua|street|avenida) $/i)) continue;
    keepName(start, words.slice(at).join(' '), words.length - at > 1 ? 0.75 : 0.6, 'first-name', finds);
  }
}

/** Enough digits to identify; an ordinary number after the word is not. */
function hasDigits(value: string): boolean {
  return (value.match(/\d/g)?.length ?? 0) >= (value.includes(' ') ? 1 : 3);
}
