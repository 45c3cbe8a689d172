// Owns reading a chat request: its text parts, its last question. Shared by the data path and the tiers.
import type { ChatMessage, ChatRequest } from './types.ts';

/** A message's text; content parts joined. */
export function textOf(message: ChatMessage): string {
  if (message.content === null) return '';
  if (typeof message.content === 'string') return message.content;
  return message.content.map((part) => part.text).join('');
}

/** Index of the last user message, or -1. */
export function lastUserIndex(request: ChatRequest): number {
  return request.messages.findLastIndex((message) => message.role === 'user');
}

/** The last user text, or the empty string. */
export function questionOf(request: ChatRequest): string {
  const message = request.messages[lastUserIndex(request)];
  return message === undefined ? '' : textOf(message);
}
