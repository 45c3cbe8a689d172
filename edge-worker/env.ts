// Owns the edge's settings: every name the environment may hold, read once, checked, given a type. An unknown
// value refuses to start; a message names the setting and what was expected, never the value.
import { isNearfieldError, NearfieldError } from 'nearfield';
import { type PolicyDocument, type PresetName, readPolicyDocument } from 'nearfield/policy';
import { z } from 'zod';
import { type ApiKey, parseApiKeys } from './keys.ts';

/** Settings by name, as `process.env` or a worker's bindings give them. Names: README.md. */
export type Env = Readonly<Record<string, string | undefined>>;

export interface RemoteDatabase {
  readonly url: string;
  readonly authToken: string | undefined;
}

export interface BedrockSettings {
  readonly modelId: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  /** Another endpoint than the region's own, e.g. a VPC endpoint or an emulator. */
  readonly endpoint: string | undefined;
}

export interface EdgeSettings {
  readonly keys: readonly ApiKey[];
  readonly origins: readonly string[];
  readonly policy: PolicyDocument | PresetName;
  readonly requestsPerMinute: number;
  readonly bodyBytes: number;
  readonly auditSecret: string | undefined;
  /** Rows older than this are erased. */
  readonly auditDays: number;
  /** Audit, receipts and telemetry. Absent: in memory. */
  readonly database: RemoteDatabase | undefined;
  readonly cache: RemoteDatabase | undefined;
  readonly bedrock: BedrockSettings | undefined;
}

const integer = (fallback: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.int().min(1).max(max)).default(fallback);

const schema = z.object({
  NEARFIELD_API_KEYS: z.string().default(''),
  NEARFIELD_ORIGINS: z.string().default(''),
  NEARFIELD_POLICY: z.string().default('balanced'),
  NEARFIELD_REQUESTS_PER_MINUTE: integer(120, 1_000_000),
  NEARFIELD_BODY_LIMIT_BYTES: integer(4 * 1024 * 1024, 64 * 1024 * 1024),
  NEARFIELD_AUDIT_SECRET: z.string().min(16).optional(),
  NEARFIELD_AUDIT_DAYS: integer(30, 3650),
  NEARFIELD_DATABASE_URL: z.string().optional(),
  NEARFIELD_DATABASE_TOKEN: z.string().optional(),
  NEARFIELD_CACHE_URL: z.string().optional(),
  NEARFIELD_CACHE_TOKEN: z.string().optional(),
  NEARFIELD_BEDROCK_MODEL: z.string().optional(),
  AWS_REGION: z.string().optional(),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: z.url().optional(),
});
type Raw = z.output<typeof schema>;

/** @throws invalid-request naming the setting at fault */
export function readSettings(env: Env): EdgeSettings {
  const raw = parse(env);
  return {
    keys: parseApiKeys(raw.NEARFIELD_API_KEYS),
    origins: originsOf(raw.NEARFIELD_ORIGINS),
    policy: policyOf(raw.NEARFIELD_POLICY),
    requestsPerMinute: raw.NEARFIELD_REQUESTS_PER_MINUTE,
    bodyBytes: raw.NEARFIELD_BODY_LIMIT_BYTES,
    auditSecret: raw.NEARFIELD_AUDIT_SECRET,
    auditDays: raw.NEARFIELD_AUDIT_DAYS,
    database: databaseOf(raw.NEARFIELD_DATABASE_URL, raw.NEARFIELD_DATABASE_TOKEN),
    cache: databaseOf(raw.NEARFIELD_CACHE_URL, raw.NEARFIELD_CACHE_TOKEN),
    bedrock: bedrockOf(raw),
  };
}

function parse(env: Env): Raw {
  // An empty variable is how many shells and platforms say "not set".
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(set);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(String(issue?.path[0] ?? 'the environment'), issue?.message ?? 'a valid value');
}

function policyOf(text: string): PolicyDocument | PresetName {
  try {
    return readPolicyDocument(text.trimStart().startsWith('{') ? JSON.parse(text) : text);
  } catch (error) {
    if (isNearfieldError(error)) throw invalid('NEARFIELD_POLICY', error.message);
    throw invalid('NEARFIELD_POLICY', 'strict, balanced, open or a policy document in JSON');
  }
}

function originsOf(text: string): readonly string[] {
  const origins = text.split(',').map((origin) => origin.trim());
  return origins
    .filter((origin) => origin !== '')
    .map((origin) => {
      if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
        throw invalid('NEARFIELD_ORIGINS', 'origins like https://app.example.com, separated by commas');
      }
      return origin;
    });
}

function databaseOf(url: string | undefined, authToken: string | undefined): RemoteDatabase | undefined {
  return url === undefined ? undefined : { url, authToken };
}

/** All of Bedrock's settings or none: half a set is a mistake, and silence would hide it. */
function bedrockOf(raw: Raw): BedrockSettings | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = raw;
  const { NEARFIELD_BEDROCK_MODEL: modelId, AWS_REGION: region } = raw;
  if (modelId === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined || region === undefined) {
    throw invalid(
      'NEARFIELD_BEDROCK_MODEL',
      'AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to be set with it',
    );
  }
  const { AWS_SESSION_TOKEN: sessionToken, AWS_ENDPOINT_URL_BEDROCK_RUNTIME: endpoint } = raw;
  return { modelId, region, accessKeyId, secretAccessKey, sessionToken, endpoint };
}

function invalid(name: string, expected: string): NearfieldError {
  return new NearfieldError('invalid-request', `${name}: expected ${expected}.`, { param: name });
}
