// Owns reading an HTTP body: bytes up to a limit, JSON, then a schema. Its errors name fields and types,
// never values, since a value may be somebody's secret.
import type * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';

/** Reads and parses a JSON object. @throws payload-too-large, invalid-request */
export async function readJson(request: Request, maxBytes: number): Promise<Record<string, unknown>> {
  const text = utf8(await readBytes(request, maxBytes));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    throw new NearfieldError('invalid-request', 'Expected a JSON body, got something that does not parse.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NearfieldError('invalid-request', 'Expected a JSON object as the body.');
  }
  return value as Record<string, unknown>;
}

/** Strictly: a name of which a letter was replaced is one that the policy may not find. Source: RFC 8259, 8.1. */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new NearfieldError('invalid-request', 'Expected the body in UTF-8.');
  }
}

/** Names the fields of a body that a schema has no use for; a name is the caller's own text, so harmless ones only. */
export function ignoredHeader(ignored: readonly string[]): Record<string, string> {
  const named = ignored.filter((name) => /^[\w.-]{1,64}$/.test(name)).slice(0, 20);
  return named.length === 0 ? {} : { 'nearfield-ignored': named.join(', ') };
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): NearfieldError =>
    new NearfieldError('payload-too-large', `Expected a body of at most ${maxBytes} bytes. Send less.`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of iterate(request.body)) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** Not every browser's ReadableStream is async iterable. */
async function* iterate(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Checks a value, or the one called `name`. @throws invalid-request naming the field at fault */
export function parse<S extends z.ZodMiniType>(schema: S, value: unknown, name = ''): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = deepest(result.error.issues);
  const param = name === '' ? issue.path.map(String).join('.').slice(0, 120) : name;
  throw new NearfieldError('invalid-request', `${param === '' ? 'The body' : param}: ${issue.message}.`, {
    param,
  });
}

/** Where it is at fault. A key that no schema of ours names is the caller's text, and may be anybody's address. */
function placeOf(issue: z.core.$ZodIssue): readonly PropertyKey[] {
  return issue.code === 'invalid_key' ? issue.path.slice(0, -1) : issue.path;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A union reports every branch; the branch that got farthest is what the caller meant. */
function deepest(issues: readonly z.core.$ZodIssue[]): Issue {
  const first = issues[0]!;
  if (first.code !== 'invalid_union') return { path: placeOf(first), message: describe(first) };
  const inner = first.errors.filter((branch) => branch.length > 0).map((branch) => deepest(branch));
  const best = inner.reduce<Issue | undefined>(
    (a, b) => (a === undefined || b.path.length > a.path.length ? b : a),
    undefined,
  );
  return { path: [...first.path, ...(best?.path ?? [])], message: best?.message ?? 'expected another value' };
}

/** What was expected, in words of the schema alone. */
function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'too_small':
      return `expected ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `expected ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'custom':
      return issue.message;
    default:
      return 'expected another value';
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}

/** Without keys whose value is null or undefined: OpenAI's clients send null for "not set". */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], null> } {
  const kept = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]: Exclude<T[K], null> };
}
