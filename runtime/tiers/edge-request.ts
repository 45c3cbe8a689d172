// Owns what a chat request looks like when it leaves for an OpenAI-compatible endpoint. Fields are copied by
// name, so one that is not listed here can never travel; `user` is not listed, for it names a person.
import { personOf, textOf } from '../messages.ts';
import type { CacheControl, ChatMessage, ChatRequest } from '../types.ts';
import { documentsText } from './upstream.ts';

export interface EdgeTarget {
  readonly kind: 'edge' | 'cloud';
  readonly model: string | undefined;
  readonly forwardScope: boolean;
}

/** OpenAI's streaming body. Another's endpoint knows no `documents`, so there they become a system message. */
export function chatBodyOf(request: ChatRequest, target: EdgeTarget): object {
  const documents = request.documents ?? [];
  const ours = target.kind === 'edge';
  const messages = request.messages.map((message) => messageOf(message, ours));
  if (!ours && documents.length > 0) messages.unshift({ role: 'system', content: documentsText(documents) });
  return {
    model: target.model ?? request.model ?? 'nearfield',
    messages,
    max_completion_tokens: request.max_completion_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    frequency_penalty: request.frequency_penalty,
    presence_penalty: request.presence_penalty,
    seed: request.seed,
    logprobs: request.logprobs,
    top_logprobs: request.logprobs === true ? request.top_logprobs : undefined,
    stop: request.stop,
    tools: request.tools,
    tool_choice: request.tool_choice,
    parallel_tool_calls: request.parallel_tool_calls,
    response_format: request.response_format,
    documents:
      ours && documents.length > 0
        ? documents.map(({ id, title, text }) => ({ id, title, text }))
        : undefined,
    // In the body, for a header cannot hold every script.
    scope: ours && target.forwardScope ? personOf(request) : undefined,
    stream: true,
    stream_options: { include_usage: true },
  };
}

function messageOf(message: ChatMessage, ours: boolean): Record<string, unknown> {
  return {
    // Every compatible endpoint knows `system`; OpenAI takes it for its own `developer`.
    role: message.role === 'developer' && !ours ? 'system' : message.role,
    content: message.content === null ? null : textOf(message),
    name: message.name,
    tool_call_id: message.tool_call_id,
    tool_calls: message.tool_calls?.map(({ id, function: { name, arguments: json } }) => ({
      id,
      type: 'function',
      function: { name, arguments: json },
    })),
  };
}

/**
 * Nearfield's own wishes, told to our own edge only. Unless the request says how far it may go, the edge must
 * not pass it on. A scope names a person, so by default it stays, and the edge's cache is left alone then:
 * answers of two people must never meet there.
 */
export function wishesOf(request: ChatRequest, target: EdgeTarget): Record<string, string> {
  if (target.kind !== 'edge') return {};
  const cache = personOf(request) !== undefined && !target.forwardScope ? 'bypass' : request.cache;
  return {
    'nearfield-privacy': request.privacy ?? 'edge',
    ...(cache !== undefined && { 'nearfield-cache': cache }),
    'cache-control': cacheControlOf(request.cacheControl),
  };
}

/** A year: longer says nothing more, and leaves no room for a number that means something else. */
const MOST_CACHE_MS = 365 * 86_400_000;

/**
 * Never absent: a browser's fetch that must not be kept would itself add `no-cache`, and the edge would obey.
 * `max-stale` alone says what saying nothing says. Source: Fetch, HTTP-network-or-cache fetch; RFC 9111, 5.2.1.
 */
function cacheControlOf({ maxAgeMs, maxStaleMs, minFreshMs }: CacheControl = {}): string {
  const said = Object.entries({ 'max-age': maxAgeMs, 'max-stale': maxStaleMs, 'min-fresh': minFreshMs })
    .filter((entry): entry is [string, number] => entry[1] !== undefined)
    .map(([name, ms]) => `${name}=${Math.floor(Math.min(ms, MOST_CACHE_MS) / 1000)}`);
  return said.length === 0 ? 'max-stale' : said.join(', ');
}
