// Owns what a chat request looks like when it leaves for an OpenAI-compatible endpoint. Fields are copied by
// name, so one that is not listed here can never travel; `user` is not listed, for it names a person.
import { textOf } from '../messages.ts';
import type { ChatMessage, ChatRequest } from '../types.ts';
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
  const messages = request.messages.map(messageOf);
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
    stop: request.stop,
    tools: request.tools,
    tool_choice: request.tool_choice,
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

function messageOf(message: ChatMessage): Record<string, unknown> {
  return {
    role: message.role,
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
  };
}

/** Whom the request is for, where it says so. */
function personOf({ scope, user }: ChatRequest): string | undefined {
  return scope === undefined || scope === 'default' ? user : scope;
}
