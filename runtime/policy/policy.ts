// Owns the review of one request: every text looked at, facts gathered, the document applied, and the
// request made fit to leave. Whatever goes wrong on the way ends as a device-only review.
import { isAbortError, NearfieldError } from '../errors.ts';
import { personOf } from '../messages.ts';
import type { ChatRequest, Policy, PolicyInput, PolicyReview, Span } from '../types.ts';
import { completeSpans } from './complete.ts';
import { decide, type Facts, sensitivityOf, tierRank, type Uncertainty } from './decide.ts';
import { type Detector, detectAll, uncertaintyOf } from './detector.ts';
import { type PolicyDocument, type PresetName, readPolicyDocument } from './document.ts';
import { type Field, rewriteRequest } from './fields.ts';
import { withoutFigures } from './figures.ts';
import { detectLabelled } from './labels.ts';
import { createPatternDetector, PATTERNS } from './patterns.ts';
import {
  createPlaceholderSession,
  cryptoRandom,
  type PlaceholderSession,
  type RandomBytes,
} from './placeholders.ts';
import { type Redaction, redactRequest } from './redact.ts';
import { restoreParts } from './restore.ts';
import { detectSeams } from './seams.ts';
import { mergeSpans } from './spans.ts';

export interface PolicyOptions {
  /** Default: the pattern detector alone. */
  readonly detectors?: readonly Detector[] | undefined;
  /** Cryptographic randomness for placeholder nonces. Default: the platform's. */
  readonly random?: RandomBytes | undefined;
  /** For all detectors of one request together, milliseconds. Default 2000, a guess nobody measured. */
  readonly timeoutMs?: number | undefined;
  /** Requests with more text than this stay on the device unread. Default 2,000,000 UTF-16 units. */
  readonly maxLength?: number | undefined;
  readonly clock?: { monotonic(): number } | undefined;
}

/** Scopes whose placeholder numbering is remembered; the oldest is forgotten and begins a new session. */
const MAX_SESSIONS = 1000;

/**
 * A policy over a document or a preset; default `'balanced'`.
 * @throws invalid-request when the document is not one.
 */
export function createPolicy(
  document: PolicyDocument | PresetName = 'balanced',
  options: PolicyOptions = {},
): Policy {
  const rules = readPolicyDocument(document);
  const detectors = readDetectors(options.detectors);
  const now = options.clock?.monotonic ?? (() => performance.now());
  const timeoutMs = options.timeoutMs ?? 2000;
  const maxLength = options.maxLength ?? 2_000_000;
  const sessions = createSessions(options.random ?? cryptoRandom);

  return {
    forget: sessions.forget,
    async review(request, input) {
      input.signal?.throwIfAborted();
      let reviewed = request;
      let spans: Inspection['spans'] = [];
      let facts: Facts = { ...NOTHING_KNOWN, task: input.task };
      try {
        const inspected = await inspect(request, input, { detectors, timeoutMs, maxLength, now, rules });
        reviewed = inspected.request;
        spans = inspected.spans;
        facts = factsOf(reviewed, input, inspected);
      } catch (error) {
        if (isAbortError(error) && input.signal?.aborted) throw error;
      }
      return createReview(rules, reviewed, facts, spans, () => sessions.of(personOf(reviewed) ?? 'default'));
    },
  };
}

/** None at all would find nothing in anything: a slip, and one that nobody would notice. */
function readDetectors(given: readonly Detector[] | undefined): readonly Detector[] {
  if (given === undefined) return [createPatternDetector()];
  if (given.length > 0) return [...given];
  throw new NearfieldError(
    'invalid-request',
    'detectors: expected at least one, got none. Leave it out for the patterns alone.',
    { param: 'detectors' },
  );
}

interface Inspection {
  /** A copy, as it was read: what its app does to the request meanwhile neither leaves nor moves a span. */
  readonly request: ChatRequest;
  readonly fields: readonly Field[];
  readonly spans: readonly (readonly Span[])[];
  readonly uncertain: Uncertainty | undefined;
}

interface InspectOptions {
  readonly detectors: readonly Detector[];
  readonly timeoutMs: number;
  readonly maxLength: number;
  readonly rules: PolicyDocument;
  now(): number;
}

async function inspect(
  request: ChatRequest,
  input: PolicyInput,
  options: InspectOptions,
): Promise<Inspection> {
  const fields: Field[] = [];
  let length = 0;
  const read = rewriteRequest(request, (field) => {
    fields.push(field);
    length += field.text.length;
    return field.text;
  });
  const inspected = { request: read.request, fields, spans: [] };
  if (!(length <= options.maxLength)) return { ...inspected, uncertain: 'too-large' };
  try {
    const { signal } = input;
    const detectBy = (detectors: readonly Detector[]) => (texts: readonly string[]) =>
      detectAll(detectors, texts, { ...options, signal, now: options.now });
    const found = await detectLabelled(fields, detectBy(options.detectors));
    await detectSeams(fields, found, detectBy(options.detectors.filter(({ id }) => id === PATTERNS)));
    return { ...inspected, spans: merge(fields, found, options.rules), uncertain: read.uncertain };
  } catch (error) {
    if (isAbortError(error) && input.signal?.aborted) throw error;
    return { ...inspected, uncertain: uncertaintyOf(error) };
  }
}

function merge(fields: readonly Field[], found: readonly Span[][], rules: PolicyDocument): readonly Span[][] {
  const texts = fields.map((field) => field.text);
  const kept = rules.placesAlone === 'leave' ? withoutFigures(texts, found) : found;
  const completed = completeSpans(texts, kept);
  for (const [at, field] of fields.entries()) {
    if (field.kind === 'participant' && field.text !== '') completed[at]!.push(wholeName(field));
  }
  return withoutPlacesAlone(completed, rules).map((spans) =>
    mergeSpans(spans, (type) => sensitivityOf(rules, type)),
  );
}

const QUASI: ReadonlySet<Span['type']> = new Set(['location', 'organization', 'date']);

/**
 * Where nobody is named, a place a model found is the subject of a question. Two kinds at once (a place and a date, an
 * employer and a town) may single somebody out: those count.
 */
function withoutPlacesAlone(found: readonly (readonly Span[])[], rules: PolicyDocument): Span[][] {
  const spans = found.flat();
  const alone =
    rules.placesAlone === 'leave' &&
    new Set(spans.map(({ type }) => type)).size <= 1 &&
    spans.every(({ type, source }) => QUASI.has(type) && source.startsWith('model:'));
  return found.map((kept) => (alone ? [] : [...kept]));
}

/** A participant's name is one by definition; no detector needs to say so. */
function wholeName(field: Field): Span {
  return { start: 0, end: field.text.length, type: 'username', score: 1, source: 'field:name' };
}

const NOTHING_KNOWN: Omit<Facts, 'task'> = {
  consent: undefined,
  privacy: undefined,
  origins: new Set(),
  found: [],
  uncertain: 'policy-failed',
};

function createReview(
  rules: PolicyDocument,
  request: ChatRequest,
  facts: Facts,
  spans: Inspection['spans'],
  session: () => PlaceholderSession,
): PolicyReview {
  const decision = decide(rules, facts);
  return {
    decision,
    redactFor(kind) {
      if (tierRank(kind) > tierRank(decision.farthest)) {
        throw new NearfieldError(
          'egress-denied',
          `Policy allows the ${decision.farthest}, not the ${kind}. ${decision.explanation}`,
        );
      }
      const redaction = safely(() =>
        redactRequest(request, decision.redact[kind] ? spans : undefined, {
          session: session(),
          sensitivityOf: (type) => sensitivityOf(rules, type),
        }),
      );
      return {
        request: redaction.request,
        redactedByType: redaction.redactedByType,
        restore: (parts) => restoreParts(parts, redaction, rules.restoreIn ?? []),
      };
    },
  };
}

function safely(work: () => Redaction): Redaction {
  try {
    return work();
  } catch (error) {
    // The cause may quote the request, so only its kind is told.
    const kind = error instanceof Error ? error.name : typeof error;
    throw new NearfieldError('redaction-failed', `The request could not be redacted (${kind}).`);
  }
}

function factsOf(request: ChatRequest, input: PolicyInput, inspected: Inspection): Facts {
  const { fields, spans } = inspected;
  return {
    task: input.task,
    consent: input.consent,
    privacy: request.privacy,
    origins: new Set(fields.map((field) => field.origin)),
    found: spans.flatMap((list, at) => list.map(({ type }) => ({ type, origin: fields[at]!.origin }))),
    uncertain: inspected.uncertain ?? badInput(request, input),
  };
}

const TIER_KINDS: ReadonlySet<unknown> = new Set([undefined, 'device', 'edge', 'cloud']);

/** A tier name nobody knows cannot be compared, so it must not be read as "far". */
function badInput(request: ChatRequest, input: PolicyInput): Uncertainty | undefined {
  return TIER_KINDS.has(request.privacy) && TIER_KINDS.has(input.consent) ? undefined : 'unreadable-content';
}

interface Sessions {
  of(scope: string): PlaceholderSession;
  forget(scope: string): void;
}

function createSessions(random: RandomBytes): Sessions {
  const sessions = new Map<string, PlaceholderSession>();
  return {
    of(scope) {
      const session = sessions.get(scope) ?? createPlaceholderSession(random);
      sessions.delete(scope);
      sessions.set(scope, session);
      if (sessions.size > MAX_SESSIONS) sessions.delete(sessions.keys().next().value as string);
      return session;
    },
    forget: (scope) => void sessions.delete(scope),
  };
}
