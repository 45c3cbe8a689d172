// Owns the tier that speaks OpenAI's wire format to another host: our edge worker, or any compatible endpoint
// as a cloud tier. Uses the guarded fetch alone; sends known fields alone; never further than it was allowed.
import { NearfieldError } from '../errors.ts';
import type { ChatRequest, Tier, TierContext, TierKind, TierPart } from '../types.ts';
import { chatBodyOf, type EdgeTarget, wishesOf } from './edge-request.ts';
import { eventsOf, partsOf, refused } from './edge-stream.ts';
import { chunksOf, onlyAskedFor, runUpstream } from './upstream.ts';

export interface EdgeTierOptions {
  /** Default: the kind. */
  readonly id?: string;
  /** `edge` is Nearfield's own worker; `cloud` any OpenAI-compatible endpoint. Default `edge`. */
  readonly kind?: 'edge' | 'cloud';
  /** Up to and with the version, e.g. `https://edge.example/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string | (() => string | Promise<string>);
  /** Milliseconds to the first part. Default none: the router has its own. */
  readonly timeoutMs?: number;
  /** Model to ask for. Default: what the request names. */
  readonly model?: string;
  /** Tell the edge the request's scope, so that it may cache for it. Default false: a scope names a person. */
  readonly forwardScope?: boolean;
}

const FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];

/** A tier behind an OpenAI-compatible endpoint. @throws invalid-request for a base URL that is none */
export function createEdgeTier(options: EdgeTierOptions): Tier {
  const { kind = 'edge', id = kind, apiKey } = options;
  const base = parseUrl(options.baseUrl);
  const url = `${base.href.replace(/\/+$/, '')}/chat/completions`;
  const target: EdgeTarget = { kind, model: options.model, forwardScope: options.forwardScope ?? false };

  async function* open(
    request: ChatRequest,
    context: TierContext,
    signal: AbortSignal,
  ): AsyncGenerator<TierPart, void, void> {
    const key = typeof apiKey === 'function' ? await apiKey() : apiKey;
    const body = chatBodyOf(request, target);
    const response = await context.fetch(url, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...wishesOf(request, target),
      },
      body: JSON.stringify(body),
      signal,
      // A redirect would carry the request to a host nobody allowed.
      redirect: 'manual',
    });
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || !type.startsWith('text/event-stream')) throw await refused(response, id, body);
    const parts = partsOf(eventsOf(chunksOf(response)), id, { logprobs: request.logprobs === true });
    yield* onlyAskedFor(parts, request);
  }

  return {
    id,
    kind,
    host: base.host,
    can: () => true,
    async *stream(request, context) {
      if (request.privacy !== undefined && FAR.indexOf(request.privacy) < FAR.indexOf(kind)) {
        const message = `This request may go no farther than ${request.privacy}.`;
        throw new NearfieldError('egress-denied', message, { tier: id });
      }
      const call = { tierId: id, signal: context.signal, timeoutMs: options.timeoutMs };
      yield* runUpstream(call, (signal) => open(request, context, signal));
    },
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === 'https:' || url.protocol === 'http:') return url;
  } catch {
    // Said below.
  }
  const message = 'baseUrl: expected an absolute http(s) URL such as https://edge.example/v1.';
  throw new NearfieldError('invalid-request', message, { param: 'baseUrl' });
}
