// Owns what makes two requests the same to the cache: everything but the last user text, canonical.
// Refuses nothing; a field added to ChatRequest must be listed here, which the type checks.
import { canonicalJson, sha256Hex } from './hash.ts';
import { lastUserIndex, personOf, questionOf } from './messages.ts';
import type { CacheQuery, ChatRequest, TierKind } from './types.ts';

/** Fields that say how to run a request, not what is asked; every other field is part of the key. */
type NotInKey =
  | 'messages'
  | 'privacy'
  | 'scope'
  | 'cache'
  | 'cacheControl'
  | 'documents'
  | 'user'
  | 'priority';
type InKey = Exclude<keyof ChatRequest, NotInKey>;

const IN_KEY: Readonly<Record<InKey, true>> = {
  model: true,
  max_completion_tokens: true,
  temperature: true,
  top_p: true,
  frequency_penalty: true,
  presence_penalty: true,
  top_k: true,
  min_p: true,
  repetition_penalty: true,
  logit_bias: true,
  logprobs: true,
  top_logprobs: true,
  seed: true,
  stop: true,
  tools: true,
  tool_choice: true,
  parallel_tool_calls: true,
  response_format: true,
  phrase: true,
};

/**
 * The cache's view of a request. Documents enter by SHA-256, so the key stays small; the turns before and
 * after the last user text enter whole.
 */
export async function cacheQueryOf(
  request: ChatRequest,
  facts: { readonly weightsHash: string; readonly farthest: TierKind },
  askedMs: number,
): Promise<CacheQuery> {
  const last = lastUserIndex(request);
  const sampling = Object.fromEntries(
    Object.keys(IN_KEY).map((field) => [field, request[field as InKey] ?? null]),
  );
  const context = {
    ...sampling,
    ...facts,
    turns: request.messages.map((message, at) =>
      at === last ? { role: 'user', name: message.name } : message,
    ),
    documents: await Promise.all((request.documents ?? []).map(documentHash)),
  };
  return {
    scope: personOf(request) ?? 'default',
    context: canonicalJson(context),
    text: questionOf(request),
    askedMs,
  };
}

async function documentHash(document: {
  id: string;
  title?: string | undefined;
  text: string;
}): Promise<string> {
  return await sha256Hex(JSON.stringify([document.id, document.title ?? null, document.text]));
}
