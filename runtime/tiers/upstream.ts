// Owns what every tier across a network has in common: the deadline for its first part, aborts, and the one
// mapping from HTTP to error codes. Nothing an upstream says is repeated: it may quote the request.
import { abortErrorOf, type ErrorCode, isNearfieldError, NearfieldError } from '../errors.ts';
import type { ChatRequest, SourceDocument, TierPart } from '../types.ts';

export interface UpstreamCall {
  readonly tierId: string;
  /** The caller's. */
  readonly signal: AbortSignal;
  /** Milliseconds to the first good part; undefined for none. */
  readonly timeoutMs: number | undefined;
}

/**
 * Runs one upstream stream: yields parts up to one `finish`, and gives every failure its code: an
 * AbortError when the caller left, upstream-cut after the first part, an upstream code before it.
 */
export async function* runUpstream(
  { tierId, signal, timeoutMs }: UpstreamCall,
  open: (signal: AbortSignal) => AsyncIterable<TierPart>,
): AsyncGenerator<TierPart, void, void> {
  if (signal.aborted) throw abortErrorOf(signal);
  const deadline = createDeadline(signal, timeoutMs);
  let begun = false;
  try {
    for await (const part of open(deadline.signal)) {
      if (part.type === 'text-delta' && part.text === '') continue;
      deadline.met();
      begun = true;
      yield part;
      if (part.type === 'finish') return;
    }
    throw new Error('The stream ended without its end.');
  } catch (error) {
    if (signal.aborted) throw abortErrorOf(signal);
    if (deadline.expired()) {
      const message = `Tier ${tierId} gave no part within ${timeoutMs} ms.`;
      throw new NearfieldError('upstream-timeout', message, { tier: tierId });
    }
    throw begun ? cutOf(tierId, error) : failureOf(tierId, error);
  } finally {
    deadline.close();
  }
}

interface Deadline {
  readonly signal: AbortSignal;
  met(): void;
  expired(): boolean;
  /** Ends whatever still hangs on the signal. */
  close(): void;
}

function createDeadline(caller: AbortSignal, timeoutMs: number | undefined): Deadline {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(caller.reason);
  caller.addEventListener('abort', onAbort, { once: true });
  let expired = false;
  const expire = (): void => {
    expired = true;
    controller.abort();
  };
  const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
  return {
    signal: controller.signal,
    met: () => clearTimeout(timer),
    expired: () => expired,
    close() {
      clearTimeout(timer);
      caller.removeEventListener('abort', onAbort);
      controller.abort();
    },
  };
}

function failureOf(tierId: string, error: unknown): NearfieldError {
  if (isNearfieldError(error)) return error;
  const message = `Tier ${tierId} could not be reached, or did not speak as expected.`;
  return new NearfieldError('upstream-unavailable', message, { tier: tierId, cause: causeOf(error) });
}

/** After good parts an upstream's failure is a cut; what is not the upstream's (egress, redaction) stays. */
function cutOf(tierId: string, error: unknown): NearfieldError {
  if (isNearfieldError(error) && !error.code.startsWith('upstream-')) return error;
  const why = isNearfieldError(error) ? ` (${error.code})` : '';
  const message = `Tier ${tierId} broke off in the middle of its answer${why}. Ask again.`;
  return new NearfieldError('upstream-cut', message, { tier: tierId, cause: causeOf(error) });
}

/** A JSON parser's message quotes what it read, which may be the answer. */
function causeOf(error: unknown): unknown {
  return error instanceof SyntaxError ? undefined : error;
}

/** The chunks of a body; the body is cancelled when the reader stops. */
export async function* chunksOf(response: Response): AsyncGenerator<Uint8Array, void, void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Not awaited: a peer that hangs must not hold up the caller who leaves.
    void reader.cancel().catch(() => {});
  }
}

type CallDelta = Extract<TierPart, { type: 'tool-call-delta' }>;

/**
 * Without calls of functions that this request does not offer, and without a second one where it wants no more; those
 * that stay are numbered from 0. A model, or an endpoint, may be talked into naming any function.
 */
export async function* onlyAskedFor(
  parts: AsyncIterable<TierPart>,
  { tools = [], tool_choice: choice, parallel_tool_calls: parallel }: ChatRequest,
): AsyncGenerator<TierPart, void, void> {
  const names = new Set(choice === 'none' ? [] : tools.map((tool) => tool.function.name));
  // Theirs to ours; undefined for a call that is left out.
  const indexes = new Map<number, number | undefined>();
  const nameless = new Map<number, CallDelta>();
  let kept = 0;
  for await (const part of parts) {
    if (part.type === 'tool-call-delta') {
      const call = joined(nameless.get(part.index), part);
      if (!indexes.has(part.index)) {
        // Some endpoints tell the name late; until then nobody knows whose call it is.
        nameless.set(part.index, call);
        if (call.name === undefined) continue;
        nameless.delete(part.index);
        const isWanted = names.has(call.name) && (parallel !== false || kept === 0);
        indexes.set(part.index, isWanted ? kept++ : undefined);
      }
      const index = indexes.get(part.index);
      if (index !== undefined) yield { ...call, index };
    } else if (part.type === 'finish' && part.finishReason === 'tool_calls' && kept === 0) {
      yield { ...part, finishReason: 'stop' };
    } else yield part;
  }
}

function joined(held: CallDelta | undefined, part: CallDelta): CallDelta {
  if (held === undefined) return part;
  return { ...part, id: held.id ?? part.id, argumentsText: held.argumentsText + part.argumentsText };
}

const MAX_ERROR_CHARS = 64 * 1024;

/** An error's body, to be looked at and not repeated; undefined where it is long or breaks off. */
export async function textIn(response: Response): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of chunksOf(response)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_ERROR_CHARS) return undefined;
    }
  } catch {
    return undefined;
  }
  return text;
}

export interface Refusal {
  readonly tierId: string;
  readonly status: number;
  readonly headers: Headers;
  /** What the upstream's own name for the failure means, where it gave one that is known. */
  readonly code?: ErrorCode | undefined;
  /** The field at fault, one of the request's own. */
  readonly param?: string | undefined;
}

/** An HTTP answer that is no success, as an error. */
export function refusalOf({ tierId, status, headers, code, param }: Refusal): NearfieldError {
  const retryAfterMs = retryAfterMsOf(headers);
  const why = param === undefined ? '' : ` It refuses ${param}.`;
  return new NearfieldError(
    code ?? codeOfStatus(status),
    `Tier ${tierId} answered with status ${status}.${why}`,
    {
      tier: tierId,
      ...(param !== undefined && { param }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  );
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 408 || status === 504) return 'upstream-timeout';
  if (status === 429) return 'upstream-throttled';
  // 424 is Bedrock's "the model failed". A redirect is never followed, so it is a refusal.
  if (status === 424 || status >= 500) return 'upstream-unavailable';
  return 'upstream-rejected';
}

/** Retry-After in seconds or as a date, or OpenAI's `retry-after-ms`. */
export function retryAfterMsOf(headers: Headers, nowMs: number = Date.now()): number | undefined {
  const exact = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return exact;
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Documents as text, for models that know no such field. */
export function documentsText(documents: readonly SourceDocument[]): string {
  const all = documents.map(({ id, title, text }) => `[${id}] ${title ?? ''}\n${text}`);
  return `Answer from these documents:\n\n${all.join('\n\n')}`;
}
