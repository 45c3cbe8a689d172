// Owns an answer's way into a store and back, byte-faithful; what comes back is checked before it is
// trusted, as a store's file can be changed by anyone who can write to it.
import { z } from 'zod/mini';
import type { CachedAnswer } from '../types.ts';

const passage = z.object({
  documentId: z.string(),
  title: z.optional(z.string()),
  start: z.int(),
  end: z.int(),
  text: z.string(),
  similarity: z.number(),
});

const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text-delta'), text: z.string() }),
  z.object({
    type: z.literal('tool-call-delta'),
    index: z.int(),
    id: z.optional(z.string()),
    name: z.optional(z.string()),
    argumentsText: z.string(),
  }),
  z.object({ type: z.literal('sources'), passages: z.array(passage) }),
]);

const cachedAnswer: z.ZodMiniType<CachedAnswer> = z.object({
  parts: z.array(part),
  finishReason: z.enum(['stop', 'tool_calls']),
  usage: z.object({ promptTokens: z.number(), completionTokens: z.number() }),
  model: z.string(),
  tier: z.object({ id: z.string(), kind: z.enum(['device', 'edge', 'cloud']) }),
  costMs: z.number(),
});

export function encodeAnswer(answer: CachedAnswer): string {
  return JSON.stringify(answer);
}

/** Undefined when the stored text is not an answer. */
export function decodeAnswer(stored: string | undefined): CachedAnswer | undefined {
  if (stored === undefined) return undefined;
  try {
    const parsed = cachedAnswer.safeParse(JSON.parse(stored));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** May this answer be kept at all? Whole, and with something in it. */
export function isKeepable(answer: CachedAnswer): boolean {
  return cachedAnswer.safeParse(answer).success && answer.parts.length > 0;
}

/** The answer as one comparable text: what was said and called, not how it was cut into parts. */
export function answerText(answer: CachedAnswer): string {
  return answer.parts
    .map((at) => {
      if (at.type === 'text-delta') return at.text;
      if (at.type === 'tool-call-delta') return `${at.name ?? ''}${at.argumentsText}`;
      return at.passages.map((found) => found.text).join('\n');
    })
    .join('');
}
