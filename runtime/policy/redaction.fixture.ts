// What the tests of redaction and restoring share.
import type { ChatRequest, Policy, RedactedRequest, TierPart } from '../types.ts';
import { createPolicy } from './index.ts';

export const task = 'generate' as const;
export const input: { readonly task: 'generate'; readonly consent: 'cloud' } = { task, consent: 'cloud' };
export const ask = (content: string): ChatRequest => ({ messages: [{ role: 'user', content }] });

export async function redact(
  request: ChatRequest,
  policy: Policy = createPolicy(),
): Promise<RedactedRequest> {
  const review = await policy.review(request, input);
  return review.redactFor('cloud');
}

export async function* streamOf(...parts: readonly TierPart[]): AsyncGenerator<TierPart> {
  yield* parts;
}

export async function textOf(parts: AsyncIterable<TierPart>): Promise<string> {
  let text = '';
  for await (const part of parts) if (part.type === 'text-delta') text += part.text;
  return text;
}

export const delta = (text: string): TierPart => ({ type: 'text-delta', text });
