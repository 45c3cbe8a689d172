// Owns the pattern detector: the text as it stands, then every readable form of it, each searched by the
// same patterns, every find told in the original's offsets. Text that unfolds into too much to read is
// reported as unreadable, which keeps the request on the device.
import type { Span } from '../types.ts';
import { isSsn } from './checksums.ts';
import { findContext } from './context.ts';
import { bytesToText, type Decoded, decodeTokens, quotedPrintableView, unescapeView } from './decode.ts';
import { type Detector, UnreadableText } from './detector.ts';
import type { Find } from './find.ts';
import { fold } from './fold.ts';
import { inflate } from './inflate.ts';
import { keyedView, toldBy } from './keys.ts';
import { findNumbers } from './numbers.ts';
import { findKnownSecrets, findSecrets } from './secrets.ts';
import { type Survey, surveyOf } from './survey.ts';
import {
  backwardsView,
  closedUpView,
  joinedViews,
  rot13View,
  spacedNamesView,
  spelledView,
  unmarkedView,
  unquotedView,
  untaggedView,
} from './turn.ts';
import { locate, originalView, tokenView, type View } from './view.ts';
import {
  findEmails,
  findIbans,
  findLetteredIds,
  findNetworkAddresses,
  findSaidEmails,
  findWallets,
} from './words.ts';

export interface PatternOptions {
  /** `birth`: dates only after words like "born". `all`: every full date, for clinical text. Default `birth`. */
  readonly dates?: 'birth' | 'all' | undefined;
}

/** Encodings inside encodings are followed this deep. */
const MAX_DEPTH = 3;
/** All readable forms together may be this many times as long as the text, and a little more. */
const MAX_GROWTH = 16;

const SHORT = 512;
/** The pattern detector's id. */
export const PATTERNS = 'pattern';

interface Scan {
  readonly options: PatternOptions;
  survey(text: string): Survey;
  readonly spans: Span[];
  readonly compressed: Promise<void>[];
  budget: number;
}

/** Patterns with check digits over every readable form of a text. No network, no model. */
export function createPatternDetector(options: PatternOptions = {}): Detector {
  return createSurveyingDetector(options, surveyOf);
}

/** With another look at the texts than {@link surveyOf}; what is found may not depend on it. */
export function createSurveyingDetector(options: PatternOptions, survey: (text: string) => Survey): Detector {
  return {
    id: PATTERNS,
    detect(text) {
      const budget = text.length * MAX_GROWTH + 4096;
      const scan: Scan = { options, survey, spans: [], compressed: [], budget };
      read(scan, originalView(text), MAX_DEPTH);
      if (scan.compressed.length === 0) return scan.spans;
      return drain(scan);
    },
  };
}

/** Opening one may queue another, so wait until none is left. */
async function drain(scan: Scan): Promise<readonly Span[]> {
  for (let next = scan.compressed.shift(); next; next = scan.compressed.shift()) await next;
  return scan.spans;
}

function read(scan: Scan, view: View, depth: number): void {
  spend(scan, view);
  const plain = fold(view);
  const text = plain.text;
  const survey = scan.survey(text);
  const finds = findAll(text, survey, scan.options);
  keep(scan, plain, finds);
  if (depth === 0) return;
  // A turned text inside escapes is read where it is short; a whole prompt with one escape is not read twice.
  if (depth === MAX_DEPTH || text.length <= SHORT) readTurned(scan, plain, finds);
  for (const reader of [unescapeView, quotedPrintableView]) {
    const unescaped = reader(plain);
    if (unescaped) read(scan, unescaped, depth - 1);
  }
  for (const decoded of decodeTokens(plain, survey)) readDecoded(scan, plain, decoded, depth - 1);
}

function readDecoded(scan: Scan, parent: View, decoded: Decoded, depth: number): void {
  if (decoded.kind === 'text') {
    read(scan, decoded.view, depth);
    return;
  }
  const { bytes, format, start, end } = decoded;
  const opened = inflate(bytes, format).then((inside) => {
    const text = inside && bytesToText(inside, false);
    if (text !== undefined) read(scan, tokenView(text, parent, start, end), depth);
    else if (format === 'gzip') throw new UnreadableText();
  });
  opened.catch(() => undefined);
  scan.compressed.push(opened);
}

/** Forms that keep the text but turn, join or respell it: only finds that are sure in themselves count. */
function readTurned(scan: Scan, plain: View, finds: readonly Find[]): void {
  const all = ({ text }: View) => findAll(text, scan.survey(text), scan.options);
  const sure = ({ text }: View, numbers: boolean) => findSure(text, scan.survey(text), numbers);
  const spelled = spelledView(plain);
  if (spelled) {
    const { text } = spelled;
    const survey = scan.survey(text);
    const finds = [...findNumbers(text, survey), ...findLetteredIds(text, survey)];
    keep(scan, spelled, [...finds, ...findSaidDigits(spelled)]);
  }
  const closed = closedUpView(plain);
  if (closed) keep(scan, closed, all(closed));
  const unquoted = unquotedView(plain);
  if (unquoted) keep(scan, unquoted, all(unquoted));
  const keyed = keyedView(plain);
  if (keyed) keep(scan, keyed, toldBy(keyed.text, all(keyed)));
  const spaced = spacedNamesView(plain);
  if (spaced) keep(scan, spaced, findFileNames(spaced.text, scan.survey(spaced.text)));
  const untagged = untaggedView(plain);
  if (untagged) keep(scan, untagged, sure(untagged, true));
  const unmarked = unmarkedView(plain);
  if (unmarked) keep(scan, unmarked, sure(unmarked, true));
  const turned = rot13View(plain);
  if (turned) keep(scan, turned, sure(turned, false));
  const backwards = backwardsView(plain);
  if (backwards) keep(scan, backwards, sure(backwards, true));
  for (const joined of joinedViews(plain)) {
    keepNew(scan, plain, finds, joined, sure(joined, false));
  }
}

function findAll(text: string, survey: Survey, options: PatternOptions): Find[] {
  return [
    ...findEmails(text),
    ...findSaidEmails(text),
    ...findIbans(text, survey),
    ...findLetteredIds(text, survey),
    ...findNumbers(text, survey),
    ...findNetworkAddresses(text, survey),
    ...findWallets(text),
    ...findSecrets(text, survey),
    ...findContext(text, options.dates === 'all', survey),
  ];
}

/** Check digits, known prefixes, common domains. Numbers only where the digits themselves were turned. */
function findSure(text: string, survey: Survey, numbers: boolean): Find[] {
  const finds = [
    ...findEmails(text),
    ...findIbans(text, survey),
    ...findLetteredIds(text, survey),
    ...findKnownSecrets(text, survey),
  ];
  if (numbers) finds.push(...findNumbers(text, survey, true));
  return finds.filter((find) => find.score >= 0.9);
}

/** People in the names of files; `MAX_Size` is code. */
function findFileNames(text: string, survey: Survey): Find[] {
  const finds = findContext(text, false, survey);
  return finds.filter(
    ({ type, start }) => type === 'person' && /^[A-Z][a-z]/.test(text.slice(start, start + 2)),
  );
}

/** Seven digits said in words are meant to be written down, whatever they are. */
function findSaidDigits(spelled: View): Find[] {
  const finds: Find[] = [];
  for (const match of spelled.text.matchAll(/\d(?:[+./-]{0,2}\d){6,}/g)) {
    const start = match.index;
    const end = start + match[0].length;
    const range = locate(spelled, start, end);
    const digits = match[0].replace(/\D/g, '');
    // Written digits stand for themselves: one character each.
    if (range.end - range.start < digits.length * 2 || COUNTING.includes(digits)) continue;
    const type = isSsn(digits) ? 'national-id' : 'other';
    finds.push({ start, end, type, score: 0.5, pattern: 'said-digits' });
  }
  return finds;
}

const COUNTING = '0123456789';

/** A joined line adds to an address that was whole before the break; such finds say nothing new. */
function keepNew(scan: Scan, plain: View, finds: readonly Find[], joined: View, more: readonly Find[]): void {
  const before = finds.map((find) => locate(plain, find.start, find.end));
  const fresh = more.filter((find) => {
    const range = locate(joined, find.start, find.end);
    return before.every((one) => one.end <= range.start || range.end <= one.start);
  });
  keep(scan, joined, fresh);
}

function keep(scan: Scan, view: View, finds: readonly Find[]): void {
  for (const find of finds) {
    const { start, end } = locate(view, find.start, find.end);
    scan.spans.push({ start, end, type: find.type, score: find.score, source: `pattern:${find.pattern}` });
  }
}

function spend(scan: Scan, view: View): void {
  scan.budget -= view.text.length;
  if (scan.budget < 0) throw new UnreadableText();
}
