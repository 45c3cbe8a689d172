// Owns what a caller may ask of the runtime: its scope lies under its tenant, its receipts are in its tenant's chain, its
// privacy is never widened, and what came of it is noted for the audit. The runtime is wrapped, so no field of a body can get round it.
import {
  type CallOptions,
  type ChatRequest,
  type EmbedRequest,
  type EmbedResult,
  isAbortError,
  isNearfieldError,
  NearfieldError,
  type Runtime,
  type StreamPart,
  type TierKind,
} from 'nearfield';

/** The part of a runtime that the edge serves. */
export type ServedRuntime = Pick<Runtime, 'generate' | 'embed' | 'models'>;

export interface Caller {
  readonly tenant: string;
  /** Farthest tier by key and by header. */
  readonly farthest: TierKind;
}

/** What came of a request, filled in as it happens. Facts only, never text. */
export interface Outcome {
  scope: string;
  requestId?: string;
  tier?: string;
  cache?: string;
  errorCode?: string;
  /** Bytes that went on from here, to the cloud. */
  egressBytes: number;
  promptTokens: number;
  completionTokens: number;
  ttftMs?: number;
  receipt?: string;
}

const ORDER: readonly TierKind[] = ['device', 'edge', 'cloud'];
const MAX_SCOPE_CHARS = 256;

/** The nearer of two tiers. */
export function nearer(a: TierKind, b: TierKind): TierKind {
  return ORDER.indexOf(a) <= ORDER.indexOf(b) ? a : b;
}

export function isTierKind(value: string): value is TierKind {
  return (ORDER as readonly string[]).includes(value);
}

/**
 * `tenant/sub`. A tenant has no slash, so what stands before the first one is always the key's tenant.
 * Without a scope OpenAI's `safety_identifier` or `user` keeps users of one tenant apart.
 */
export function scopeOf(tenant: string, request: Pick<ChatRequest, 'scope' | 'user'>): string {
  const sub = request.scope ?? request.user ?? 'default';
  if (sub.length > MAX_SCOPE_CHARS) {
    throw new NearfieldError(
      'invalid-request',
      `Expected a scope of at most ${MAX_SCOPE_CHARS} characters.`,
      {
        param: 'scope',
      },
    );
  }
  return `${tenant}/${sub}`;
}

/** The runtime as this caller may use it. */
export function bindCaller(runtime: ServedRuntime, caller: Caller, outcome: Outcome): ServedRuntime {
  return {
    models: () => runtime.models(),
    async *generate(request, options) {
      outcome.scope = scopeOf(caller.tenant, request);
      const privacy = nearer(request.privacy ?? 'cloud', caller.farthest);
      const call = { ...options, receiptChain: caller.tenant };
      const parts = runtime.generate({ ...request, scope: outcome.scope, privacy }, call);
      // Whoever aborts need not come back for the next part; the runtime must close its run all the same.
      const leave = (): void => {
        outcome.errorCode ??= 'aborted';
        void parts.return().catch(() => {});
      };
      options?.signal?.addEventListener('abort', leave, { once: true });
      try {
        yield* noted(parts, outcome);
      } finally {
        options?.signal?.removeEventListener('abort', leave);
      }
    },
    async embed(request: EmbedRequest, options?: CallOptions): Promise<EmbedResult> {
      try {
        const result = await runtime.embed(request, { ...options, receiptChain: caller.tenant });
        outcome.tier = 'device';
        outcome.promptTokens = result.tokens;
        return result;
      } catch (error) {
        outcome.errorCode = errorCodeOf(error);
        throw error;
      }
    },
  };
}

async function* noted(
  parts: AsyncIterable<StreamPart>,
  outcome: Outcome,
): AsyncGenerator<StreamPart, void, void> {
  let ended = false;
  try {
    for await (const part of parts) {
      if (part.type === 'response-start') noteStart(outcome, part);
      if (part.type === 'response-end') noteEnd(outcome, part);
      ended ||= part.type === 'response-end';
      yield part;
    }
  } catch (error) {
    outcome.errorCode = errorCodeOf(error);
    throw error;
  } finally {
    if (!ended) outcome.errorCode ??= 'aborted';
  }
}

function noteStart(outcome: Outcome, part: Extract<StreamPart, { type: 'response-start' }>): void {
  outcome.requestId = part.id;
  outcome.tier = part.tier.id;
  outcome.cache = part.cache;
}

function noteEnd(outcome: Outcome, part: Extract<StreamPart, { type: 'response-end' }>): void {
  outcome.promptTokens = part.usage.promptTokens;
  outcome.completionTokens = part.usage.completionTokens;
  outcome.egressBytes = part.receipt.bytesOut;
  outcome.receipt = part.receipt.hash;
  if (part.timings.ttftMs !== undefined) outcome.ttftMs = part.timings.ttftMs;
}

/** A code for the audit; an error's message is never looked at. */
function errorCodeOf(error: unknown): string {
  if (isAbortError(error)) return 'aborted';
  return isNearfieldError(error) ? error.code : 'internal';
}
