// Owns the policy document: what it may say, its presets, and its validation. Rules can only narrow
// what `base` opens, so no order of rules and no added rule ever lets more out. Unknown fields refuse.
import { z } from 'zod';
import { NearfieldError } from '../errors.ts';
import type { Sensitivity, SpanType, TierKind } from '../types.ts';

/** Where in a request a text stood. */
export type TextOrigin = 'system' | 'user' | 'assistant' | 'tool' | 'document' | 'schema' | 'metadata';

/** All conditions present must hold; a list holds when any of its items does. `{}` always holds. */
export interface RuleCondition {
  /** The request is at least this sensitive. */
  readonly sensitivity?: Sensitivity | undefined;
  /** A span of one of these types was found. */
  readonly spans?: readonly SpanType[] | undefined;
  readonly task?: readonly ('generate' | 'answer' | 'embed')[] | undefined;
  /** The request holds text from here; with `spans`, such a span was found here. */
  readonly origin?: readonly TextOrigin[] | undefined;
  /** The person's consent reaches less far than this tier. No consent reaches the device only. */
  readonly consentBelow?: 'edge' | 'cloud' | undefined;
}

/** Every effect narrows; none can widen. */
export interface RuleEffect {
  readonly farthest?: TierKind | undefined;
  /** Redact before these tiers. */
  readonly redact?: readonly ('edge' | 'cloud')[] | undefined;
  readonly cacheable?: false | undefined;
  /** Only these of the document's hosts. */
  readonly hosts?: readonly string[] | undefined;
  /** Only hosts the document places in these regions; a host without a region is left out. */
  readonly regions?: readonly string[] | undefined;
}

export interface PolicyRule {
  readonly id: string;
  /** One sentence for people, shown when the rule decides. */
  readonly why: string;
  readonly when: RuleCondition;
  readonly narrow: RuleEffect;
}

export interface PolicyDocument {
  readonly version: 1;
  readonly base: {
    readonly farthest: TierKind;
    readonly redact: readonly ('edge' | 'cloud')[];
    readonly cacheable: boolean;
  };
  /**
   * Hosts that may be reached, each as soon as the decision reaches its tier. Absent: the egress's list alone decides.
   */
  readonly hosts?:
    | readonly {
        readonly host: string;
        readonly tier: 'edge' | 'cloud';
        readonly region?: string | undefined;
      }[]
    | undefined;
  /** Replaces the default sensitivity of span types. */
  readonly sensitivity?: Readonly<Partial<Record<SpanType, Sensitivity>>> | undefined;
  /** Places of an answer where placeholders are put back besides prose. Default: none of them. */
  readonly restoreIn?: readonly ('url' | 'tool-arguments' | 'code')[] | undefined;
  /**
   * `leave`: places, organisations or dates that a model found count for nothing in a request that names nobody,
   * holds no identifier and only one of these kinds ("the capital of Australia"), and numbers it took for identifiers
   * count for nothing where a table holds figures. Default `count`.
   */
  readonly placesAlone?: 'count' | 'leave' | undefined;
  readonly rules: readonly PolicyRule[];
}

export type PresetName = 'strict' | 'balanced' | 'open';

const TIERS = ['device', 'edge', 'cloud'] as const;
const SENSITIVITIES = ['none', 'personal', 'sensitive', 'secret'] as const;
const REMOTE = ['edge', 'cloud'] as const;
const TASKS = ['generate', 'answer', 'embed'] as const;
const ORIGINS = ['system', 'user', 'assistant', 'tool', 'document', 'schema', 'metadata'] as const;

/** Default sensitivity of each span type; the document's `sensitivity` replaces entries. */
export const DEFAULT_SENSITIVITY: Readonly<Record<SpanType, Sensitivity>> = Object.freeze({
  person: 'personal',
  address: 'personal',
  location: 'personal',
  organization: 'none',
  date: 'personal',
  email: 'personal',
  phone: 'personal',
  url: 'personal',
  ip: 'personal',
  username: 'personal',
  other: 'personal',
  card: 'sensitive',
  iban: 'sensitive',
  account: 'sensitive',
  'national-id': 'sensitive',
  'medical-id': 'sensitive',
  'document-id': 'sensitive',
  secret: 'secret',
} as const);

export const SPAN_TYPES: ReadonlySet<string> = new Set(Object.keys(DEFAULT_SENSITIVITY));

const spanType = z.enum(Object.keys(DEFAULT_SENSITIVITY) as [SpanType, ...SpanType[]]);
/** A host as `URL.host` writes it: lower case, no scheme, no path, no wildcard. */
export const HOST: RegExp = /^[a-z0-9.-]+(?::\d{1,5})?$|^\[[0-9a-f:.]+\](?::\d{1,5})?$/;
const host = z.string().regex(HOST, {
  error: 'expected a lower-case host or host:port without scheme, path or wildcard',
});

const documentSchema = z.strictObject({
  version: z.literal(1),
  base: z.strictObject({
    farthest: z.enum(TIERS),
    redact: z.array(z.enum(REMOTE)),
    cacheable: z.boolean(),
  }),
  hosts: z
    .array(z.strictObject({ host, tier: z.enum(REMOTE), region: z.string().min(1).max(64).optional() }))
    .optional(),
  sensitivity: z.partialRecord(spanType, z.enum(SENSITIVITIES)).optional(),
  restoreIn: z.array(z.enum(['url', 'tool-arguments', 'code'])).optional(),
  placesAlone: z.enum(['count', 'leave']).optional(),
  rules: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9-]{1,64}$/),
        why: z.string().min(1).max(300),
        when: z.strictObject({
          sensitivity: z.enum(SENSITIVITIES).optional(),
          spans: z.array(spanType).min(1).optional(),
          task: z.array(z.enum(TASKS)).min(1).optional(),
          origin: z.array(z.enum(ORIGINS)).min(1).optional(),
          consentBelow: z.enum(REMOTE).optional(),
        }),
        narrow: z.strictObject({
          farthest: z.enum(TIERS).optional(),
          redact: z.array(z.enum(REMOTE)).optional(),
          cacheable: z.literal(false).optional(),
          hosts: z.array(host).optional(),
          regions: z.array(z.string().min(1).max(64)).optional(),
        }),
      }),
    )
    .max(256)
    .refine((rules) => new Set(rules.map((rule) => rule.id)).size === rules.length, {
      error: 'rule ids must be unique',
    }),
});

const STAY_SECRET: PolicyRule = {
  id: 'secret-stays',
  why: 'A secret was found; secrets stay on this device and are not kept.',
  when: { sensitivity: 'secret' },
  narrow: { farthest: 'device', cacheable: false },
};

const CONSENT_NEEDED: PolicyRule = {
  id: 'consent-needed',
  why: 'The person has not agreed to leave this device.',
  when: { consentBelow: 'edge' },
  narrow: { farthest: 'device' },
};

const CONSENT_CLOUD: PolicyRule = {
  id: 'consent-stops-at-edge',
  why: 'The person has agreed to the edge, not to the cloud.',
  when: { consentBelow: 'cloud' },
  narrow: { farthest: 'edge' },
};

const BALANCED: PolicyDocument = {
  version: 1,
  base: { farthest: 'cloud', redact: ['edge', 'cloud'], cacheable: true },
  placesAlone: 'leave',
  rules: [
    STAY_SECRET,
    CONSENT_NEEDED,
    CONSENT_CLOUD,
    {
      id: 'sensitive-stays',
      why: 'Financial, medical or identity numbers were found; they stay on this device and are not kept.',
      when: { sensitivity: 'sensitive' },
      narrow: { farthest: 'device', cacheable: false },
    },
    {
      id: 'personal-redacted',
      why: 'Personal data was found; it leaves only as placeholders.',
      when: { sensitivity: 'personal' },
      narrow: { redact: ['edge', 'cloud'] },
    },
  ],
};

const STRICT: PolicyDocument = {
  version: 1,
  base: { farthest: 'edge', redact: ['edge', 'cloud'], cacheable: true },
  rules: [
    STAY_SECRET,
    {
      id: 'personal-stays',
      why: 'Personal data was found; it stays on this device and is not kept.',
      when: { sensitivity: 'personal' },
      narrow: { farthest: 'device', cacheable: false },
    },
    {
      id: 'documents-stay',
      why: 'The request carries documents; they stay on this device.',
      when: { origin: ['document'] },
      narrow: { farthest: 'device' },
    },
    CONSENT_NEEDED,
  ],
};

const OPEN: PolicyDocument = {
  version: 1,
  base: { farthest: 'cloud', redact: [], cacheable: true },
  placesAlone: 'leave',
  rules: [
    STAY_SECRET,
    {
      id: 'sensitive-redacted',
      why: 'Financial, medical or identity numbers were found; personal data leaves only as placeholders.',
      when: { sensitivity: 'sensitive' },
      narrow: { redact: ['edge', 'cloud'], cacheable: false },
    },
  ],
};

/** Frozen: every policy of a preset reads this one, so a change to it would be a change to all. */
export const PRESETS: Readonly<Record<PresetName, PolicyDocument>> = frozen({
  strict: STRICT,
  balanced: BALANCED,
  open: OPEN,
});

function frozen<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) frozen(child);
  return Object.freeze(value);
}

/**
 * A validated document from a preset's name or from data of unknown origin.
 * @throws invalid-request naming the field at fault; unknown fields refuse.
 */
export function readPolicyDocument(source: unknown): PolicyDocument {
  if (typeof source === 'string' && Object.hasOwn(PRESETS, source)) return PRESETS[source as PresetName];
  const parsed = documentSchema.safeParse(source);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = issue?.path.join('.') || '(document)';
  throw new NearfieldError(
    'invalid-request',
    `Policy document refused at ${at}: ${issue?.code ?? 'invalid'}. Expected the fields of PolicyDocument and no others.`,
    { param: at },
  );
}
