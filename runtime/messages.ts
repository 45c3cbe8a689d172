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

/** Whom the request is for, where it says so: its scope, else OpenAI's `user`. */
export function personOf({ scope, user }: Pick<ChatRequest, 'scope' | 'user'>): string | undefined {
  return scope === undefined || scope === 'default' ? user : scope;
}

/** Deeper than any request that is answered; what loops back to itself ends here. */
const MAX_DEPTH = 80;

/** A copy of all that is plain data in it, so that what its app does to it meanwhile changes nothing here. */
export function copyOf<T>(value: T, depth = 0): T {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return Array.from(value, (item: unknown) => copyOf(item, depth + 1)) as T;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value).map(([key, child]) => [key, copyOf(child as unknown, depth + 1)]);
  return Object.fromEntries(entries) as T;
}
