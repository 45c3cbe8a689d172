// Owns how a body of /v1/chat/completions becomes a ChatRequest. Only fields known here go on; others are
// dropped and named to the caller, so nothing unseen by the policy can travel.
import { z } from 'zod';
import { NearfieldError } from '../errors.ts';
import type { CacheMode, ChatRequest, TierKind } from '../types.ts';
import { compact, parse } from './body.ts';

const content = z.unknown().transform((value, context): string | null => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'expected a string or an array of text parts' });
    return z.NEVER;
  }
  const texts = value.map((part: unknown, index) => partText(part, index, context));
  return texts.some((text) => text === undefined) ? z.NEVER : texts.join('');
});

function partText(part: unknown, index: number, context: z.core.$RefinementCtx): string | undefined {
  const { type, text, refusal } = (part ?? {}) as Record<string, unknown>;
  if (type === 'text' && typeof text === 'string') return text;
  if (type === 'refusal' && typeof refusal === 'string') return refusal;
  const message = 'expected a text part; images, audio and files are not supported, so send their text';
  context.addIssue({ code: 'custom', path: [index], message });
  return undefined;
}

const toolCall = z.object({
  id: z.string().min(1).max(256),
  type: z.literal('function'),
  function: z.object({ name: z.string().min(1).max(256), arguments: z.string() }),
});

const message = z
  .object({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
    content,
    name: z.string().max(256).nullish(),
    tool_call_id: z.string().min(1).max(256).nullish(),
    tool_calls: z.array(toolCall).max(128).nullish(),
  })
  .superRefine((value, context) => {
    const fail = (path: string, text: string): void =>
      context.addIssue({ code: 'custom', path: [path], message: text });
    const calls = value.role === 'assistant' && (value.tool_calls?.length ?? 0) > 0;
    if (value.content === null && !calls) fail('content', 'expected text; only tool calls may go without');
    if (value.role === 'tool' && value.tool_call_id == null)
      fail('tool_call_id', 'expected, on a tool message');
  })
  // Null content means something: the turn was tool calls alone.
  .transform(({ content: kept, ...fields }) => ({ ...compact(fields), content: kept }));

const functionSpec = z
  .object({
    name: z.string().min(1).max(256),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
  })
  .transform(compact);

const jsonSchema = z.object({
  name: z.string().min(1).max(256),
  description: z.string().optional(),
  schema: z.record(z.string(), z.unknown()).optional(),
  strict: z.boolean().nullish(),
});

const document = z.object({
  id: z.string().min(1).max(512),
  title: z.string().optional(),
  text: z.string(),
});

const kind = z.enum(['device', 'edge', 'cloud']);
const cacheMode = z.enum(['use', 'refresh', 'bypass']);
const scope = z.string().min(1).max(512);
const tokens = z.int().positive();

const chatBody = z.object({
  model: z.string().max(256).nullish(),
  messages: z.array(message).min(1),
  max_completion_tokens: tokens.nullish(),
  max_tokens: tokens.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  tools: z
    .array(z.object({ type: z.literal('function'), function: functionSpec }))
    .max(128)
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.object({ type: z.literal('function'), function: z.object({ name: z.string().min(1) }) }),
    ])
    .nullish(),
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({ type: z.literal('json_schema'), json_schema: jsonSchema }),
    ])
    .nullish(),
  user: z.string().max(512).nullish(),
  n: z.literal(1, 'expected 1; ask again for another choice').nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  privacy: kind.nullish(),
  scope: scope.nullish(),
  cache: cacheMode.nullish(),
  documents: z.array(document).max(1000).nullish(),
});

export interface ChatCall {
  readonly request: ChatRequest;
  readonly stream: boolean;
  readonly includeUsage: boolean;
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
  const { n: _n, stream, stream_options, max_tokens, stop, ...rest } = parsed;
  const request: ChatRequest = {
    ...compact(rest),
    ...compact({
      max_completion_tokens: rest.max_completion_tokens ?? max_tokens,
      stop: typeof stop === 'string' ? [stop] : stop,
      privacy: nearer(rest.privacy ?? undefined, header(headers, 'nearfield-privacy', kind)),
      scope: same('scope', rest.scope ?? undefined, header(headers, 'nearfield-scope', scope)),
      cache: same('cache', rest.cache ?? undefined, header(headers, 'nearfield-cache', cacheMode)),
    }),
  };
  return {
    request,
    stream: stream === true,
    includeUsage: stream_options?.include_usage === true,
    ignored: Object.keys(body).filter((name) => !(name in chatBody.shape)),
  };
}

function header<S extends z.ZodType>(headers: Headers, name: string, schema: S): z.output<S> | undefined {
  const value = headers.get(name);
  return value === null ? undefined : parse(schema, value, name);
}

const FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];

/** Where body and header disagree the nearer one holds: privacy fails closed. */
function nearer(a: TierKind | undefined, b: TierKind | undefined): TierKind | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return FAR[Math.min(FAR.indexOf(a), FAR.indexOf(b))];
}

function same<T extends string | CacheMode>(name: string, a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined || a === b) return a ?? b;
  const message = `${name} and the nearfield-${name} header disagree. Send one of them.`;
  throw new NearfieldError('invalid-request', message, { param: name });
}
