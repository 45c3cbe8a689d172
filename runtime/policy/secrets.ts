// Owns keys, tokens and passwords: well-known prefixes first, then assignments whose value looks random.
// The patterns are ours; their recall is measured against a public rule set, not copied from it.
import { type Find, matchesOf } from './find.ts';
import { createTriggers } from './heads.ts';
import { matchesInRuns, RUN, type Stretch, type Survey } from './survey.ts';
import { range } from './words.ts';

/** Fixed prefixes, so one pass finds them all. Every repetition is a single bounded class. */
const PREFIXED = new RegExp(
  [
    /(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9])/, // AWS key id
    /ABSK[A-Za-z0-9+/]{100,300}={0,2}/, // Bedrock API key
    /gh[pousr]_[A-Za-z0-9]{20,255}/,
    /github_pat_[A-Za-z0-9_]{20,255}/,
    /gl(?:pat|ptt|rt|dt|agent|oas|soat|cbt|ft|imt|ffct)-[A-Za-z0-9_=.-]{16,300}/,
    /xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}/,
    /xapp-[0-9]-[A-Za-z0-9-]{10,200}/,
    /(?:sk|rk|pk|whsec|ek)_(?:live_|test_|prod_)?[A-Za-z0-9]{16,247}/,
    /AIza[A-Za-z0-9_-]{30,45}/,
    /ops_eyJ[A-Za-z0-9+/=]{100,400}/, // 1Password
    /(?:CLOJARS_|FLWSECK_TEST-|FLWPUBK_TEST-|GR1348941|EAA[MC]|AKCp|bedrock-api-key-|dt0c01\.|EZ[AT]K|rdme_|settlemint_|NRAK-|NRJS-|NRII-|p8e-|v1\.0-)[A-Za-z0-9_.=-]{16,400}/,
    /GOCSPX-[A-Za-z0-9_-]{20,40}/,
    /ya29\.[A-Za-z0-9_-]{20,500}/,
    /sk-(?:proj-|svcacct-|admin-|ant-[a-z]{3,8}\d\d-|or-v1-)?[A-Za-z0-9_-]{20,250}/,
    /(?:hf|npm|pul|shpat|shpss|shpca|shppa|dop_v1|doo_v1|dor_v1|lin_api|api_org|figd|sgp|rubygems|dckr_pat|PMAK|EZAK|EZTK|r8|nvapi|xai|gsk|pplx|tvly|fio-u|ntn|secret|sntrys|sntryu|glsa|glc|hvs|hvb|atlasv1|phc|phx|vercel|cfut|cfat|pscale_(?:tkn|oauth|pw)|prefect|frp|duffel_(?:test|live)|shippo_(?:live|test)|patch|tskey-[a-z]+|sbp|ATATT3|ATCTT3|ATBB|CCIPAT|akab|dapi|dp\.(?:pt|st|ct|sa|scim|audit))[_.-]?[A-Za-z0-9_.=-]{24,400}/,
    /SG\.[A-Za-z0-9_-]{16,30}\.[A-Za-z0-9_-]{30,60}/,
    /(?:AC|SK|AP)[0-9a-f]{32}(?![0-9a-zA-Z])/, // Twilio
    /key-[0-9a-f]{32}/,
    /(?:AGE-SECRET-KEY-1)[A-Z0-9]{50,70}/,
    /eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,8000}(?:\.[A-Za-z0-9_-]{0,2000})?/, // JWT
    /[0-9]{8,10}:AA[A-Za-z0-9_-]{32,34}/, // Telegram
    /[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}/, // Discord
    /https:\/\/hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9+/]{30,80}/,
    /https:\/\/[a-z0-9]{1,60}\.webhook\.office\.com\/[A-Za-z0-9@/_-]{60,250}/,
    /https:\/\/discord(?:app)?\.com\/api\/webhooks\/\d{10,20}\/[A-Za-z0-9_-]{40,90}/,
  ]
    .map((part) => `(?:${part.source})`)
    .join('|'),
  'g',
);
/** `xoxb-` and ten characters. */
const SHORTEST_KEY = 15;
const PEM_BEGIN = /-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const PEM_END = /-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const URL_CREDENTIALS = /[a-z][a-z0-9+.-]{1,20}:\/\/([^\s/@:'"<>]{1,200}:[^\s/@'"<>]{1,200})@/gi;
const AUTH_HEADER = /\b(?:bearer|basic|token)\s{1,3}([A-Za-z0-9+/_.~=-]{16,4000})/gi;

const ASSIGNED =
  /(?:api|secret|token|key|auth|access|private|credential|client|bearer|signature|session|cookie|webhook|encryption|clave|chave|segredo)[\w .-]{0,24}['"\]]{0,2}\s{0,3}(?:=>|:=|[=:]|\bis\b|\bes\b|\be\b)\s{0,3}['"`]?([A-Za-z0-9+/_.~=!@#$%^&*-]{12,512})/gi;
/** Any name given a value that looks random, unless the name says it is a fingerprint or an id. */
const NAMED =
  /\b([A-Za-z][\w.-]{1,40})['"\]]{0,2}\s{0,3}(?:=>|:=|={1,2}|:)\s{0,3}['"`]([A-Za-z0-9+/_.~=-]{16,512})['"`]/g;
const FINGERPRINT =
  /sha|hash|commit|digest|checksum|etag|md5|uuid|guid|integrity|revision|version|fingerprint/i;
/** Thirty-two characters or more of every class standing alone: nothing people write by hand. */
const SHORTEST_RANDOM = 32;
const RANDOM = /(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9_-]{32,200}={0,2}(?![A-Za-z0-9+/_=.-])/g;

const PASSWORD =
  /\b(?:password|passwd|passphrase|pass\s?code|pwd|contrasena|clave|senha|palavra-passe|pin(?:\s+(?:code|number))?|otp|cvv|cvc)\b['"]?(?:\s{1,3}(?:is|es|e|was|para\s\w{1,20}\s(?:es|e)))?\s{0,3}(?:=>|:=|[=:]|\s)\s{0,3}['"`]?([^\s'"`,;<>]{3,128})/gi;

/** "My netflix password is sunflower": said of one's own, a plain word is the password, unless it says how that is. */
const OWN_PASSWORD =
  /\b(?:my|our|his|her|their|mi|nuestra|su|minha|nossa|sua)\s(?:[\w-]{1,20}\s){0,2}(?:password|passphrase|pass\s?code|clave|contrasena|senha)\s(?:is|was|es|era|e)\s['"`]?([a-z][\w-]{3,30})(?![\w-])/gi;
const HOW_IT_IS =
  /^(?:wrong|(?:in)?correct|required|this|that|very|weak|strong|same|(?:un|in)?(?:safe|secure)|invalid|valid|still|also|only|always|never|longer|case|about|what|where|when|long|short|lost|gone|(?:un)?known|different|empty|blank|visible|public|private|mandatory|optional|easy|hard|simple|good|fine|okay|just|really|stuck|similar|please|there|here|from|with|under|like|more|less|good|stolen|broken|forgotten|written|taken|hidden|incorrect[ao]|correct[ao]|demasiado|segur[ao]|insegur[ao]|incorret[ao]|corret[ao]|errada|fraca|forte|debil|fuerte|larga|corta|longa|curta|muito|igual|mism[ao]|mesm[ao]|\w+(?:ed|ing|ly|[ai]d[ao]|mente))$/i;

const [AUTH_AT, PASSWORD_AT] = [0, 1];
const TRIGGERS = createTriggers([{ pattern: AUTH_HEADER }, { pattern: PASSWORD }, { pattern: OWN_PASSWORD }]);

/** Keys with a known prefix, and private keys: sure in themselves, whatever stands around them. */
export function findKnownSecrets(text: string, survey: Survey): Find[] {
  const finds: Find[] = [];
  for (const { start, match } of matchesInRuns(text, survey, PREFIXED, SHORTEST_KEY)) {
    if (/[A-Za-z0-9]/.test(text.charAt(start - 1))) continue;
    finds.push({ start, end: start + match[0].length, type: 'secret', score: 1, pattern: 'known-prefix' });
  }
  if (text.includes('-----BEGIN')) findPem(text, finds);
  return finds;
}

export function findSecrets(text: string, survey: Survey): Find[] {
  const finds = findKnownSecrets(text, survey);
  const secret: Keep = (start, end, score, pattern) => {
    finds.push({ start, end, type: 'secret', score, pattern });
  };
  if (text.includes('://') && text.includes('@')) {
    for (const { start, match } of matchesInRuns(text, survey, URL_CREDENTIALS, RUN)) {
      secret(...inner(match, start), 0.95, 'url-credentials');
    }
  }
  const said = [...TRIGGERS.matches(text, survey.words())];
  for (const [trigger, match] of said) {
    if (trigger === AUTH_AT && looksRandom(match[1]!)) secret(...inner(match), 0.8, 'authorization');
  }
  if (survey.runs.some(mayBeRandom)) findAssigned(text, survey, secret);
  for (const [trigger, match] of said) {
    if (trigger === PASSWORD_AT && looksLikePassword(match)) secret(...inner(match), 0.7, 'password');
    if (trigger > PASSWORD_AT && !HOW_IT_IS.test(match[1]!)) secret(...inner(match), 0.6, 'own-password');
  }
  return finds;
}

/** What {@link looksRandom} and the least length of an assigned value leave over. */
function mayBeRandom({ start, end, digits }: Stretch): boolean {
  return end - start >= 20 || (digits > 0 && end - start >= 12);
}

function findAssigned(text: string, survey: Survey, secret: Keep): void {
  for (const match of matchesOf(text, ASSIGNED)) {
    if (looksRandom(match[1]!)) secret(...inner(match), 0.8, 'assignment');
  }
  if (/['"`]/.test(text)) {
    for (const match of matchesOf(text, NAMED)) {
      if (FINGERPRINT.test(match[1]!) || !looksRandom(match[2]!)) continue;
      const end = match.index + match[0].length - 1;
      secret(end - match[2]!.length, end, 0.7, 'named-value');
    }
  }
  for (const { start, match } of matchesInRuns(text, survey, RANDOM, SHORTEST_RANDOM)) {
    if (looksVeryRandom(match[0])) secret(start, start + match[0].length, 0.6, 'random');
  }
}

type Keep = (start: number, end: number, score: number, pattern: string) => void;

/** A key without an end runs to the end of the text: better too much than half a key. */
function findPem(text: string, finds: Find[]): void {
  let from = 0;
  for (const match of matchesOf(text, PEM_BEGIN)) {
    if (match.index < from) continue;
    PEM_END.lastIndex = match.index;
    const end = PEM_END.exec(text);
    from = end ? range(end).end : text.length;
    finds.push({ start: match.index, end: from, type: 'secret', score: 1, pattern: 'private-key' });
  }
}

/** Offsets of the last group, which ends the match but for a closing `@`. */
function inner(match: RegExpExecArray, begin: number = match.index): [number, number] {
  const start = begin + match[0].lastIndexOf(match[1]!);
  return [start, start + match[1]!.length];
}

/** Random strings mix classes and hardly repeat; words and paths do not. Thresholds chosen by trial. */
export function looksRandom(value: string): boolean {
  if (/^(?:true|false|null|undefined|none|process\.env|os\.environ)/i.test(value)) return false;
  if (/^[\w.-]*\.(?:com|org|net|io|js|ts|py|json|html)$/i.test(value)) return false;
  const digits = /\d/.test(value);
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value);
  if (!digits && !(mixed && value.length >= 20)) return false;
  return entropy(value) >= (value.length >= 20 ? 3 : 2.6);
}

function looksVeryRandom(value: string): boolean {
  const digits = value.match(/\d/g)?.length ?? 0;
  return digits >= 3 && /[a-z]/.test(value) && /[A-Z]/.test(value) && entropy(value) >= 4.2;
}

/** After an explicit `=` or `:` any value counts; after mere words it must not be a word. */
function looksLikePassword(match: RegExpExecArray): boolean {
  const value = match[1]!;
  const assigned = /[=:]/.test(match[0].slice(0, match[0].lastIndexOf(value)));
  return assigned || /[\d!@#$%^&*]/.test(value.slice(0, -1));
}

/** Shannon entropy, bits a character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
