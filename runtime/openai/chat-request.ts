// Owns how a body of /v1/chat/completions becomes a ChatRequest. Only fields known here go on; others are
// dropped and named to the caller, so nothing unseen by the policy can travel.
import * as z from 'zod/mini';
import { NearfieldError } from '../errors.ts';
import type { CacheMode, ChatRequest, TierKind } from '../types.ts';
import { compact, parse } from './body.ts';
import { cacheWishesOf } from './cache-headers.ts';

const name = z.string().check(z.minLength(1), z.maxLength(256));

/** Text, or text parts as one string; null where there is none. */
const content = z.pipe(
  z.unknown(),
  z.transform((value, context): string | null => {
    if (value === null || value === undefined) return null;
    if (typeof value === 'string') return value;
    if (!Array.isArray(value)) {
      fail(context, [], 'expected a string or an array of text parts');
      return null;
    }
    return value.map((part: unknown, index) => partText(part, index, context)).join('');
  }),
);

function partText(part: unknown, index: number, context: Refusals): string {
  const { type, text, refusal } = (part ?? {}) as Record<string, unknown>;
  if (type === 'text' && typeof text === 'string') return text;
  if (type === 'refusal' && typeof refusal === 'string') return refusal;
  fail(
    context,
    [index],
    'expected a text part; images, audio and files are not supported, so send their text',
  );
  return '';
}

interface Refusals {
  readonly issues: { push(issue: z.core.$ZodRawIssue): unknown };
}

function fail(context: Refusals, path: PropertyKey[], message: string): void {
  // The value is left out: it may be a secret.
  context.issues.push({ code: 'custom', path, message, input: undefined });
}

const toolCall = z.object({
  id: name,
  type: z.literal('function'),
  function: z.object({ name, arguments: z.string() }),
});

const message = z.pipe(
  z
    .object({
      role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
      content: z.optional(content),
      refusal: z.nullish(z.string()),
      name: z.nullish(z.string().check(z.maxLength(256))),
      tool_call_id: z.nullish(name),
      tool_calls: z.nullish(z.array(toolCall).check(z.maxLength(128))),
    })
    .check((context) => {
      const { role, content: said, refusal, tool_calls, tool_call_id } = context.value;
      const calls = role === 'assistant' && ((tool_calls?.length ?? 0) > 0 || refusal != null);
      if (said == null && !calls) fail(context, ['content'], 'expected text; only tool calls may go without');
      if (role === 'tool' && tool_call_id == null)
        fail(context, ['tool_call_id'], 'expected, on a tool message');
    }),
  // Null content means something: the turn was tool calls alone.
  z.transform(({ content: said, refusal, ...fields }) => ({
    ...compact(fields),
    content: said ?? refusal ?? null,
  })),
);

const functionSpec = z.pipe(
  z.object({
    name,
    description: z.nullish(z.string()),
    parameters: z.nullish(z.record(z.string(), z.unknown())),
    strict: z.nullish(z.boolean()),
  }),
  z.transform(compact),
);

const jsonSchema = z.pipe(
  z.object({
    name,
    description: z.nullish(z.string()),
    schema: z.nullish(z.record(z.string(), z.unknown())),
    strict: z.nullish(z.boolean()),
  }),
  z.transform(compact),
);

const document = z.object({
  id: z.string().check(z.minLength(1), z.maxLength(512)),
  title: z.optional(z.string()),
  text: z.string(),
});

const kind = z.enum(['device', 'edge', 'cloud']);
const cacheMode = z.enum(['use', 'refresh', 'bypass']);
const scope = z.string().check(z.minLength(1), z.maxLength(512));
const person = z.nullish(z.string().check(z.maxLength(512)));
const tokens = z.nullish(z.int().check(z.positive()));
const between = (low: number, high: number) => z.nullish(z.number().check(z.minimum(low), z.maximum(high)));

const chatBody = z.object({
  model: z.nullish(z.string().check(z.maxLength(256))),
  messages: z.array(message).check(z.minLength(1)),
  max_completion_tokens: tokens,
  max_tokens: tokens,
  temperature: between(0, 2),
  top_p: between(0, 1),
  frequency_penalty: between(-2, 2),
  presence_penalty: between(-2, 2),
  top_k: z.nullish(z.int().check(z.nonnegative())),
  min_p: between(0, 1),
  repetition_penalty: between(0.1, 10),
  logit_bias: z.nullish(
    z.record(z.string().check(z.regex(/^\d+$/)), z.number().check(z.minimum(-100), z.maximum(100))),
  ),
  logprobs: z.nullish(z.boolean()),
  top_logprobs: z.nullish(z.int().check(z.minimum(0), z.maximum(20))),
  seed: z.nullish(z.int()),
  stop: z.nullish(z.union([z.string(), z.array(z.string()).check(z.maxLength(16))])),
  tools: z.nullish(
    z.array(z.object({ type: z.literal('function'), function: functionSpec })).check(z.maxLength(128)),
  ),
  tool_choice: z.nullish(
    z.union([
      z.enum(['none', 'auto', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name }) }),
    ]),
  ),
  parallel_tool_calls: z.nullish(z.boolean()),
  response_format: z.nullish(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({ type: z.literal('json_schema'), json_schema: jsonSchema }),
    ]),
  ),
  user: person,
  safety_identifier: person,
  n: z.nullish(z.literal(1)),
  stream: z.nullish(z.boolean()),
  stream_options: z.nullish(
    z.object({ include_usage: z.nullish(z.boolean()), include_obfuscation: z.nullish(z.boolean()) }),
  ),
  privacy: z.nullish(kind),
  scope: z.nullish(scope),
  cache: z.nullish(cacheMode),
  documents: z.nullish(z.array(document).check(z.maxLength(1000))),
  phrase: z.nullish(z.boolean()),
  priority: z.nullish(z.enum(['interactive', 'background'])),
});

export interface ChatCall {
  readonly request: ChatRequest;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: as the host has it. */
  readonly includeObfuscation?: boolean | undefined;
  /** Top-level fields of the body that are not ours to use; none of them goes any further. */
  readonly ignored: readonly string[];
}

const LEGACY: Readonly<Record<string, string>> = { functions: 'tools', function_call: 'tool_choice' };

/** Reads body and `nearfield-*` headers. @throws invalid-request */
export function chatCallOf(body: Record<string, unknown>, headers: Headers): ChatCall {
  for (const [old, current] of Object.entries(LEGACY)) {
    if (body[old] === undefined || body[old] === null) continue;
    throw new NearfieldError('invalid-request', `${old} is no longer used. Send ${current}.`, { param: old });
  }
  const parsed = parse(chatBody, body);
  const { n: _n, stream, stream_options, max_tokens, stop, safety_identifier, ...rest } = parsed;
  const asked = same('cache', rest.cache ?? undefined, header(headers, 'nearfield-cache', cacheMode));
  const wishes = cacheWishesOf(headers, asked);
  const request: ChatRequest = {
    ...compact(rest),
    ...compact({
      max_completion_tokens: rest.max_completion_tokens ?? max_tokens,
      stop: typeof stop === 'string' ? [stop] : stop,
      // OpenAI's field for one person, now that `user` is on its way out there.
      user: safety_identifier ?? rest.user,
      privacy: nearer(rest.privacy ?? undefined, header(headers, 'nearfield-privacy', kind)),
      scope: same('scope', rest.scope ?? undefined, header(headers, 'nearfield-scope', scope)),
      cache: wishes.mode === 'use' ? asked : wishes.mode,
      cacheControl: wishes.control,
    }),
  };
  return {
    request,
    stream: stream === true,
    includeUsage: stream_options?.include_usage === true,
    includeObfuscation: stream_options?.include_obfuscation ?? undefined,
    ignored: Object.keys(body).filter((name) => !(name in chatBody.shape)),
  };
}

function header<S extends z.ZodMiniType>(headers: Headers, name: string, schema: S): z.output<S> | undefined {
  const value = headers.get(name);
  return value === null ? undefined : parse(schema, value, name);
}

const FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];

/** Where body and header disagree the nearer one holds: privacy fails closed. */
export function nearer(a: TierKind | undefined, b: TierKind | undefined): TierKind | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return FAR[Math.min(FAR.indexOf(a), FAR.indexOf(b))];
}

function same<T extends string | CacheMode>(name: string, a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  const message = `${name} and the nearfield-${name} header disagree. Send one of them.`;
  throw new NearfieldError('invalid-request', message, { param: name });
}
