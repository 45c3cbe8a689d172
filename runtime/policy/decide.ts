// Owns the decision: a document and the facts of a request in, a PolicyDecision out. Pure and total.
// Starts from what `base` opens and only ever takes the meet, so every added rule narrows or does nothing.
import type { PolicyDecision, PolicyInput, Sensitivity, SpanType, TierKind } from '../types.ts';
import { DEFAULT_SENSITIVITY, type PolicyDocument, type RuleCondition, type TextOrigin } from './document.ts';

const TIER_RANK: Readonly<Record<TierKind, number>> = { device: 0, edge: 1, cloud: 2 };
const SENSITIVITY_RANK: Readonly<Record<Sensitivity, number>> = {
  none: 0,
  personal: 1,
  sensitive: 2,
  secret: 3,
};

export function tierRank(kind: TierKind): number {
  return TIER_RANK[kind];
}

export function nearer(a: TierKind, b: TierKind): TierKind {
  return TIER_RANK[a] <= TIER_RANK[b] ? a : b;
}

/** What was learnt about a request; `uncertain` names why it cannot be trusted to leave, if it cannot. */
export interface Facts {
  readonly task: PolicyInput['task'];
  readonly consent: TierKind | undefined;
  readonly privacy: TierKind | undefined;
  readonly origins: ReadonlySet<TextOrigin>;
  /** One entry a span found. */
  readonly found: readonly { readonly type: SpanType; readonly origin: TextOrigin }[];
  readonly uncertain: Uncertainty | undefined;
}

/** Why a request could not be understood well enough to leave. Ids of built-in rules. */
export type Uncertainty =
  | 'unknown-field'
  | 'unreadable-content'
  | 'detector-failed'
  | 'detector-timeout'
  | 'detector-garbage'
  | 'too-large'
  | 'policy-failed';

const UNCERTAIN_WHY: Readonly<Record<Uncertainty, string>> = {
  'unknown-field': 'The request has a field this policy does not know',
  'unreadable-content': 'Part of the request cannot be read as text',
  'detector-failed': 'A detector failed',
  'detector-timeout': 'A detector did not answer in time',
  'detector-garbage': 'A detector gave an answer that makes no sense',
  'too-large': 'The request is too large to inspect',
  'policy-failed': 'The policy itself failed',
};

export function sensitivityOf(document: PolicyDocument, type: SpanType): Sensitivity {
  return document.sensitivity?.[type] ?? DEFAULT_SENSITIVITY[type];
}

interface Draft {
  farthest: TierKind;
  redact: Set<'edge' | 'cloud'>;
  cacheable: boolean;
  hosts: Set<string> | undefined;
  rules: string[];
  why: string[];
}

/** Applies the document to the facts. Same facts, same decision. */
export function decide(document: PolicyDocument, facts: Facts): PolicyDecision {
  const sensitivity = highest(document, facts);
  const draft: Draft = {
    farthest: document.base.farthest,
    redact: new Set(document.base.redact),
    cacheable: document.base.cacheable,
    hosts: document.hosts && new Set(document.hosts.map((entry) => entry.host)),
    rules: [],
    why: [],
  };
  for (const rule of document.rules) {
    if (holds(rule.when, facts, sensitivity)) narrow(draft, document, rule);
  }
  narrowBuiltIn(draft, facts);
  return {
    farthest: draft.farthest,
    sensitivity,
    rules: draft.rules.length > 0 ? draft.rules : ['base'],
    explanation: explain(draft),
    redact: { edge: draft.redact.has('edge'), cloud: draft.redact.has('cloud') },
    cacheable: draft.cacheable,
    spanCounts: countTypes(facts.found.map((entry) => entry.type)),
    ...(draft.hosts !== undefined && {
      hosts: [...draft.hosts].filter((host) => isNear(document, host, draft)),
    }),
  };
}

function highest(document: PolicyDocument, facts: Facts): Sensitivity {
  let top: Sensitivity = 'none';
  for (const { type } of facts.found) {
    const own = sensitivityOf(document, type);
    if (SENSITIVITY_RANK[own] > SENSITIVITY_RANK[top]) top = own;
  }
  return top;
}

function holds(when: RuleCondition, facts: Facts, sensitivity: Sensitivity): boolean {
  if (when.sensitivity && SENSITIVITY_RANK[sensitivity] < SENSITIVITY_RANK[when.sensitivity]) return false;
  if (when.task && !when.task.includes(facts.task)) return false;
  if (when.consentBelow && TIER_RANK[facts.consent ?? 'device'] >= TIER_RANK[when.consentBelow]) return false;
  const { spans, origin } = when;
  if (spans) {
    return facts.found.some((one) => spans.includes(one.type) && (!origin || origin.includes(one.origin)));
  }
  return !origin || origin.some((one) => facts.origins.has(one));
}

function narrow(draft: Draft, document: PolicyDocument, rule: PolicyDocument['rules'][number]): void {
  const effect = rule.narrow;
  if (effect.farthest) draft.farthest = nearer(draft.farthest, effect.farthest);
  for (const kind of effect.redact ?? []) draft.redact.add(kind);
  if (effect.cacheable === false) draft.cacheable = false;
  if (effect.hosts) draft.hosts = meet(draft.hosts, effect.hosts);
  if (effect.regions) draft.hosts = meet(draft.hosts, hostsIn(document, effect.regions));
  draft.rules.push(rule.id);
  draft.why.push(rule.why);
}

function narrowBuiltIn(draft: Draft, facts: Facts): void {
  if (facts.uncertain) {
    draft.farthest = 'device';
    draft.cacheable = false;
    draft.rules.push(`builtin:${facts.uncertain}`);
    draft.why.unshift(`${UNCERTAIN_WHY[facts.uncertain]}, so it stays on this device.`);
  }
  if (facts.consent !== undefined && TIER_RANK[facts.consent] < TIER_RANK[draft.farthest]) {
    draft.farthest = facts.consent;
    draft.rules.push('builtin:consent');
    draft.why.push(`The person agreed to no farther than the ${facts.consent}.`);
  }
  if (facts.privacy !== undefined && TIER_RANK[facts.privacy] < TIER_RANK[draft.farthest]) {
    draft.farthest = facts.privacy;
    draft.rules.push('builtin:request-privacy');
    draft.why.push(`The request asked to go no farther than the ${facts.privacy}.`);
  }
}

/** One sentence: how far, and the first reason that counts. */
function explain(draft: Draft): string {
  const reach = draft.farthest === 'device' ? 'Stays on this device' : `May reach the ${draft.farthest}`;
  return `${reach}: ${draft.why[0] ?? 'no rule narrows what the policy opens.'}`;
}

function meet(current: ReadonlySet<string> | undefined, only: readonly string[]): Set<string> {
  return new Set(current === undefined ? only : only.filter((host) => current.has(host)));
}

/** A tier may be set up with another kind than the document gives its host; the document's word holds. */
function isNear(document: PolicyDocument, host: string, { farthest }: Draft): boolean {
  const entries = (document.hosts ?? []).filter((entry) => entry.host === host);
  return entries.length === 0 || entries.some(({ tier }) => TIER_RANK[tier] <= TIER_RANK[farthest]);
}

function hostsIn(document: PolicyDocument, regions: readonly string[]): string[] {
  const inside = (document.hosts ?? []).filter((entry) => entry.region && regions.includes(entry.region));
  return inside.map((entry) => entry.host);
}

export function countTypes(types: readonly SpanType[]): Partial<Record<SpanType, number>> {
  const counts: Partial<Record<SpanType, number>> = {};
  for (const type of types) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
