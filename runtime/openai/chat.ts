// Owns /v1/chat/completions: runtime parts in, OpenAI's completion or its chunks out. Nearfield's own facts
// (tier, cache, timings, receipt, sources) ride in a `nearfield` field that other clients overlook.
import { isNearfieldError, NearfieldError } from '../errors.ts';
import type { ChatRequest, FinishReason, Passage, ResponseEnd, StreamPart, Usage } from '../types.ts';
import { ignoredHeader, readJson } from './body.ts';
import { cacheHeadersOf } from './cache-headers.ts';
import { type ChatCall, chatCallOf } from './chat-request.ts';
import { errorResponse, openAiErrorOf } from './errors.ts';
import { padded } from './obfuscation.ts';
import { eventStream } from './sse.ts';

type Start = Extract<StreamPart, { type: 'response-start' }>;
type Delta = Exclude<StreamPart, { type: 'response-start' | 'response-end' }>;

export interface ChatOptions {
  readonly maxBodyBytes: number;
  readonly heartbeatMs: number;
  /** Whether a stream's deltas are padded where the request does not say. */
  readonly obfuscate: boolean;
  readonly prepare: (request: ChatRequest, http: Request) => ChatRequest | Promise<ChatRequest>;
  readonly onError: (error: unknown) => void;
}

export type Generate = (request: ChatRequest, call: { signal: AbortSignal }) => AsyncIterable<StreamPart>;

/** Resolves when the answer has begun, so that an earlier failure still has its own status. */
export async function chatResponse(
  generate: Generate,
  http: Request,
  options: ChatOptions,
): Promise<Response> {
  const body = await readJson(http, options.maxBodyBytes);
  const call = chatCallOf(body, http.headers);
  const request = await options.prepare(call.request, http);
  const stop = new AbortController();
  const signal = AbortSignal.any([http.signal, stop.signal]);
  const parts = generate(request, { signal })[Symbol.asyncIterator]();
  const first = await beginning(parts, request);
  if (first instanceof Response) return first;
  if (first.done === true || first.value.type !== 'response-start') {
    throw new NearfieldError('internal', 'The runtime gave no start part.');
  }
  const headers = headersOf(first.value, call);
  if (!call.stream) return Response.json(await completionOf(first.value, parts), { headers });
  // The chunks' generator closes the parts only once it has begun; a client may leave before that.
  const leave = (): void => {
    stop.abort();
    void parts.return?.().catch(() => {});
  };
  http.signal.addEventListener('abort', leave, { once: true });
  const stream = eventStream(
    chunksOf(first.value, parts, call.includeUsage, call.includeObfuscation ?? options.obfuscate),
    {
      heartbeatMs: options.heartbeatMs,
      failureData(error) {
        options.onError(error);
        return JSON.stringify({ error: openAiErrorOf(error) });
      },
      signal: http.signal,
      onCancel: leave,
    },
  );
  return new Response(stream, {
    headers: {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      // What compresses or gathers on the way would hold frames back.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    },
  });
}

/** The first part, or 504 where a kept answer alone was wanted and there is none. Source: RFC 9111, 5.2.1.7. */
async function beginning(
  parts: AsyncIterator<StreamPart>,
  request: ChatRequest,
): Promise<IteratorResult<StreamPart, unknown> | Response> {
  try {
    return await parts.next();
  } catch (error) {
    const isUnkept = isNearfieldError(error) && error.code === 'no-tier';
    if (!isUnkept || request.cacheControl?.onlyIfCached !== true) throw error;
    return errorResponse(error, { 'cache-status': 'Nearfield; detail=only-if-cached' }, 504);
  }
}

function headersOf(start: Start, call: ChatCall): Record<string, string> {
  return {
    'cache-control': 'no-store',
    ...cacheHeadersOf(start.cacheReport ?? { status: start.cache, reason: '' }),
    'nearfield-tier': start.tier.kind,
    ...ignoredHeader(call.ignored),
  };
}

async function* chunksOf(
  start: Start,
  parts: AsyncIterator<StreamPart>,
  includeUsage: boolean,
  obfuscate: boolean,
): AsyncGenerator<string, void, void> {
  const chunk = (choices: readonly unknown[], more: object = {}): string =>
    JSON.stringify({
      id: start.id,
      object: 'chat.completion.chunk',
      created: Math.floor(start.createdMs / 1000),
      model: start.model,
      choices,
      ...(includeUsage && { usage: null }),
      ...more,
    });
  const choice = (delta: object, finishReason: string | null = null, logprobs: object | null = null) => [
    { index: 0, delta, logprobs, finish_reason: finishReason },
  ];
  yield chunk(choice({ role: 'assistant', content: '' }));
  let end: ResponseEnd | undefined;
  const told = new Map<number, boolean>();
  for await (const part of rest(parts)) {
    if (part.type === 'response-end') end = part;
    else if (part.type === 'sources') yield chunk(choice({}), { nearfield: { sources: part.passages } });
    else {
      if (part.type === 'tool-call-delta')
        told.set(part.index, told.get(part.index) === true || part.argumentsText !== '');
      const frame = chunk(choice(deltaOf(part), null, logprobsOf(part)));
      yield obfuscate ? padded(frame, likelihoodsIn(part)) : frame;
    }
  }
  if (end === undefined) throw endless();
  for (const [index, hasArguments] of told) {
    const argumentsText = wholeArguments('', end.finishReason);
    if (!hasArguments && argumentsText !== '')
      yield chunk(choice(deltaOf({ type: 'tool-call-delta', index, argumentsText })));
  }
  // Which model it was is known for certain only now; clients keep what the last chunk says.
  const { model } = end;
  yield chunk(choice({}, end.finishReason), { model, nearfield: factsOf(end) });
  if (includeUsage) yield chunk([], { model, usage: usageOf(end.usage) });
}

function deltaOf(part: Exclude<Delta, { type: 'sources' }>): object {
  if (part.type === 'text-delta') return { content: part.text };
  // The call's id and name come once, with its first piece; JSON leaves undefined fields out.
  return {
    tool_calls: [
      {
        index: part.index,
        id: part.id,
        type: part.id === undefined ? undefined : 'function',
        function: { name: part.name, arguments: part.argumentsText },
      },
    ],
  };
}

/**
 * A call's arguments once the answer has ended. Some models stream none at all for a call without, and LangChain and the
 * OpenAI SDK's helpers take the empty text for broken JSON.
 */
function wholeArguments(json: string, finishReason: FinishReason): string {
  return json === '' && finishReason !== 'length' ? '{}' : json;
}

function likelihoodsIn(part: Delta): number {
  const told = part.type === 'text-delta' ? (part.logprobs ?? []) : [];
  return told.reduce((sum, { top }) => sum + 1 + top.length, 0);
}

function logprobsOf(part: Delta): { content: object[]; refusal: null } | null {
  if (part.type !== 'text-delta' || part.logprobs === undefined) return null;
  const content = part.logprobs.map(({ top, ...chosen }) => ({ ...chosen, top_logprobs: top }));
  return { content, refusal: null };
}

async function completionOf(start: Start, parts: AsyncIterator<StreamPart>): Promise<object> {
  let content = '';
  let logprobs: object[] | undefined;
  let sources: readonly Passage[] | undefined;
  let end: ResponseEnd | undefined;
  const calls = new Map<number, { id: string; name: string; arguments: string }>();
  for await (const part of rest(parts)) {
    if (part.type === 'text-delta') {
      content += part.text;
      const told = logprobsOf(part)?.content;
      if (told !== undefined) logprobs = [...(logprobs ?? []), ...told];
    } else if (part.type === 'sources') sources = part.passages;
    else if (part.type === 'response-end') end = part;
    else {
      const call = calls.get(part.index) ?? { id: '', name: '', arguments: '' };
      call.id = part.id ?? call.id;
      call.name = part.name ?? call.name;
      call.arguments += part.argumentsText;
      calls.set(part.index, call);
    }
  }
  if (end === undefined) throw endless();
  const { finishReason } = end;
  const toolCalls = [...calls.values()].map(({ id, name, arguments: json }) => ({
    id,
    type: 'function',
    function: { name, arguments: wholeArguments(json, finishReason) },
  }));
  const message = {
    role: 'assistant',
    content: content === '' && toolCalls.length > 0 ? null : content,
    refusal: null,
    ...(toolCalls.length > 0 && { tool_calls: toolCalls }),
  };
  return {
    id: start.id,
    object: 'chat.completion',
    created: Math.floor(start.createdMs / 1000),
    model: end.model,
    choices: [
      {
        index: 0,
        message,
        logprobs: logprobs === undefined ? null : { content: logprobs, refusal: null },
        finish_reason: finishReason,
      },
    ],
    usage: usageOf(end.usage),
    nearfield: { ...factsOf(end), ...(sources !== undefined && { sources }) },
  };
}

/** What is left of a begun iterator, closed when the reader stops. */
async function* rest(parts: AsyncIterator<StreamPart>): AsyncGenerator<Exclude<StreamPart, Start>> {
  try {
    for (;;) {
      const result = await parts.next();
      if (result.done === true) return;
      if (result.value.type !== 'response-start') yield result.value;
    }
  } finally {
    await parts.return?.();
  }
}

function factsOf({ tier, cache, timings, receipt }: ResponseEnd): object {
  return { tier, cache, timings, receipt };
}

function usageOf({ promptTokens, completionTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function endless(): NearfieldError {
  return new NearfieldError('upstream-cut', 'The answer ended before it was finished. Ask again.');
}
