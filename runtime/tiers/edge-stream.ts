// Owns reading OpenAI's event stream: bytes cut anywhere, inside a character or an event, become parts; an
// error, early or late, becomes a code.
import { createParser } from 'eventsource-parser';
import * as z from 'zod/mini';
import { type ErrorCode, NearfieldError } from '../errors.ts';
import type { FinishReason, TierPart, TokenLogprob, Usage } from '../types.ts';
import { refusalOf, textIn } from './upstream.ts';

// An event is a few hundred bytes, a source list some thousands. Beyond this something is wrong.
const MAX_EVENT_CHARS = 1024 * 1024;

/** The data of each event, in order. */
export async function* eventsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const ready: string[] = [];
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: ({ data }) => void ready.push(data),
    onError(error) {
      // An unknown field is to be overlooked (the standard says so); an endless event is not.
      if (error.type === 'max-buffer-size-exceeded') throw error;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* ready.splice(0);
  }
}

const passage = z.object({
  documentId: z.string(),
  title: z.optional(z.string()),
  start: z.number(),
  end: z.number(),
  text: z.string(),
  similarity: z.number(),
});
const toolCall = z.object({
  index: z.nullish(z.number()),
  id: z.nullish(z.string()),
  function: z.nullish(z.object({ name: z.nullish(z.string()), arguments: z.nullish(z.string()) })),
});
const delta = z.object({
  content: z.nullish(z.string()),
  refusal: z.nullish(z.string()),
  tool_calls: z.nullish(z.array(toolCall)),
});
const likelihood = { token: z.string(), logprob: z.number(), bytes: z.nullish(z.array(z.number())) };
const likelihoods = z.nullish(
  z.array(z.object({ ...likelihood, top_logprobs: z.nullish(z.array(z.object(likelihood))) })),
);
const choice = z.object({
  delta: z.nullish(delta),
  finish_reason: z.nullish(z.string()),
  // What is told in another form than OpenAI's, as some endpoints do, must not cost the answer.
  logprobs: z.catch(z.nullish(z.object({ content: likelihoods, refusal: likelihoods })), null),
});
const chunkData = z.object({
  model: z.nullish(z.string()),
  choices: z.nullish(z.array(choice)),
  usage: z.nullish(
    z.object({ prompt_tokens: z.nullish(z.number()), completion_tokens: z.nullish(z.number()) }),
  ),
  error: z.optional(z.unknown()),
  nearfield: z.nullish(z.object({ sources: z.optional(z.array(passage)) })),
});
type Chunk = z.output<typeof chunkData>;

const FINISH: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
};

/** Parts, ended by one `finish` at `[DONE]`, or at the end of a stream that gave its finish reason. */
export async function* partsOf(
  events: AsyncIterable<string>,
  tierId: string,
  { logprobs = false }: { readonly logprobs?: boolean } = {},
): AsyncGenerator<TierPart, void, void> {
  const withLikelihoods = logprobs ? createLikelihoods() : undefined;
  let finishReason: FinishReason | undefined;
  let usage: Usage | undefined;
  let model: string | undefined;
  const numbered = createNumbering();
  for await (const data of events) {
    if (data === '[DONE]') break;
    const chunk = chunkData.parse(JSON.parse(data));
    if (chunk.error !== undefined && chunk.error !== null) throw streamErrorOf(tierId, chunk.error);
    withLikelihoods?.add(chunk);
    for (const part of deltasOf(chunk)) {
      if (part.type === 'tool-call-delta') yield numbered(part);
      else yield part.type === 'text-delta' && withLikelihoods ? withLikelihoods.to(part) : part;
    }
    const reason = chunk.choices?.[0]?.finish_reason;
    if (reason) finishReason = FINISH[reason] ?? 'stop';
    model = chunk.model ?? model;
    if (chunk.usage) {
      const { prompt_tokens: prompt, completion_tokens: completion } = chunk.usage;
      usage = { promptTokens: prompt ?? 0, completionTokens: completion ?? 0 };
    }
  }
  if (finishReason !== undefined) yield { type: 'finish', finishReason, usage, model };
}

type CallDelta = Extract<TierPart, { type: 'tool-call-delta' }>;
type FoundDelta = Exclude<TierPart, CallDelta> | (Omit<CallDelta, 'index'> & { index: number | undefined });

/** Some endpoints leave out a call's index or its id: a name begins the next call, all else goes on with the last. */
function createNumbering(): (part: Extract<FoundDelta, { type: 'tool-call-delta' }>) => CallDelta {
  const begun = new Set<number>();
  let last = 0;
  return (part) => {
    const next = part.name === undefined ? last : begun.size;
    last = part.index ?? next;
    const id = part.id ?? (begun.has(last) ? undefined : `call_${crypto.randomUUID()}`);
    begun.add(last);
    return { ...part, index: last, id };
  };
}

type TextDelta = Extract<TierPart, { type: 'text-delta' }>;

/** A token that ends no character comes with no text; its likelihood goes with the next that has some. */
function createLikelihoods(): { add(chunk: Chunk): void; to(part: TextDelta): TextDelta } {
  let waiting: TokenLogprob[] = [];
  return {
    add({ choices }) {
      const told = choices?.[0]?.logprobs;
      for (const { top_logprobs: top, bytes = null, ...chosen } of told?.content ?? told?.refusal ?? []) {
        const others = (top ?? []).map((other) => ({ ...other, bytes: other.bytes ?? null }));
        waiting.push({ ...chosen, bytes, top: others });
      }
    },
    to(part) {
      const logprobs = waiting;
      waiting = [];
      return logprobs.length > 0 ? { ...part, logprobs } : part;
    },
  };
}

function* deltasOf({ choices, nearfield }: Chunk): Generator<FoundDelta, void, void> {
  if (nearfield?.sources !== undefined) yield { type: 'sources', passages: nearfield.sources };
  const said = choices?.[0]?.delta;
  const text = said?.content ?? said?.refusal;
  if (text) yield { type: 'text-delta', text };
  for (const { index, id, function: fn } of said?.tool_calls ?? []) {
    yield {
      type: 'tool-call-delta',
      index: index ?? undefined,
      id: id || undefined,
      name: fn?.name || undefined,
      argumentsText: fn?.arguments ?? '',
    };
  }
}

/** Codes an upstream may name, in our words or OpenAI's, and what each means for the tier that asked it. */
const MEANING: Readonly<Record<string, ErrorCode>> = {
  // The edge's policy let nothing on: no other tier may be tried behind its back.
  'egress-denied': 'egress-denied',
  'redaction-failed': 'egress-denied',
  'queue-full': 'upstream-throttled',
  'rate-limited': 'upstream-throttled',
  rate_limit_exceeded: 'upstream-throttled',
  // A 429 that no waiting mends.
  insufficient_quota: 'upstream-rejected',
  'context-overflow': 'context-overflow',
  context_length_exceeded: 'context-overflow',
  'model-not-found': 'model-not-found',
  model_not_found: 'model-not-found',
  'upstream-timeout': 'upstream-timeout',
  'upstream-throttled': 'upstream-throttled',
  'upstream-rejected': 'upstream-rejected',
};

function streamErrorOf(tierId: string, error: unknown): NearfieldError {
  const code = meaningOf(error) ?? 'upstream-unavailable';
  return new NearfieldError(code, `Tier ${tierId} reported an error in its stream.`, { tier: tierId });
}

function meaningOf(error: unknown): ErrorCode | undefined {
  const name = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof name === 'string' && Object.hasOwn(MEANING, name) ? MEANING[name] : undefined;
}

/** An answer that is no event stream, as an error. Of what it says only a place in `sent` is repeated. */
export async function refused(response: Response, tierId: string, sent: object): Promise<NearfieldError> {
  const { status, headers } = response;
  if (response.ok) {
    await response.body?.cancel();
    const message = `Expected an event stream from tier ${tierId}, got another content type.`;
    return new NearfieldError('upstream-rejected', message, { tier: tierId });
  }
  const named = headers.get('nearfield-error');
  // A named one says no more, but which field is at fault.
  const isTold = named !== null && status !== 400;
  if (isTold) await response.body?.cancel();
  const said = isTold ? undefined : await errorIn(response);
  const code = meaningOf(named === null ? said : { code: named });
  return refusalOf({ tierId, status, headers, code, param: placeIn(sent, said) });
}

/** The field at fault where it names one of the body's own, `tools[0].function.parameters` for one; else nothing. */
function placeIn(sent: object, error: unknown): string | undefined {
  const param = typeof error === 'object' && error !== null && 'param' in error ? error.param : undefined;
  if (typeof param !== 'string' || !/^\w+(?:\.[\w$-]+|\[\d+\])*$/.test(param)) return undefined;
  let found: unknown = sent;
  for (const [step] of param.matchAll(/[\w$-]+/g)) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found === undefined ? undefined : param;
}

async function errorIn(response: Response): Promise<unknown> {
  try {
    return (JSON.parse((await textIn(response)) ?? '') as { error?: unknown } | null)?.error;
  } catch {
    return undefined;
  }
}
