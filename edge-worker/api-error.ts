// Owns what the edge itself refuses, and why. The wire shape and most statuses are the runtime's one mapping;
// messages name the rule broken and what to do, and never carry anything of the request.
import { type ErrorCode, errorResponse, NearfieldError } from 'nearfield';

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** Where HTTP has a status that the error code alone does not tell. */
  readonly status?: number;
}

// Checked against Refusal where it is read.
const REFUSALS = {
  'no-key': {
    code: 'unauthorized',
    message: 'Expected an API key, got none. Send it as `Authorization: Bearer KEY`.',
  },
  'bad-header': {
    code: 'unauthorized',
    message: 'Expected `Authorization: Bearer KEY`, got something else in that header.',
  },
  'bad-key': {
    code: 'unauthorized',
    message: 'This API key is not known here. Ask the operator of this edge for one.',
  },
  'not-loopback': {
    code: 'egress-denied',
    message: 'Without API keys this edge answers on loopback only. Set NEARFIELD_API_KEYS to serve others.',
  },
  'bad-origin': {
    code: 'egress-denied',
    message: 'This page may not call this edge. Add its origin to NEARFIELD_ORIGINS.',
  },
  'bad-privacy': {
    code: 'invalid-request',
    message: 'Expected device, edge or cloud in the nearfield-privacy header.',
  },
  'too-large': {
    code: 'payload-too-large',
    message: 'The body is larger than this edge takes. Send less at once.',
  },
  'not-json': {
    code: 'invalid-request',
    status: 415,
    message: 'Expected `Content-Type: application/json`.',
  },
  'not-found': {
    code: 'invalid-request',
    status: 404,
    message:
      'Nothing is served at this path. Served are /v1/chat/completions, /v1/embeddings and /v1/models; there is no Responses API.',
  },
  'wrong-method': {
    code: 'invalid-request',
    status: 405,
    message: 'This path takes another method; the Allow header says which.',
  },
  'rate-limited': {
    code: 'rate-limited',
    message: 'Too many requests with this key. Wait as long as the Retry-After header says.',
  },
  'too-many-open': {
    code: 'rate-limited',
    message: 'Too many answers of this key are still open. Let one finish first.',
  },
  'bad-report': {
    code: 'invalid-request',
    message: 'Expected one telemetry report of the current schema, byte for byte as the runtime makes it.',
  },
  'not-started': {
    code: 'backend-unavailable',
    message: 'This edge could not start. Its log says why; ask again, for it tries anew each time.',
  },
  internal: {
    code: 'internal',
    message: 'This edge failed. The x-request-id header names the request to its operator.',
  },
} as const;

export type RefusalId = keyof typeof REFUSALS;

/** The refusal as a response in OpenAI's error shape. */
export function refuse(
  id: RefusalId,
  options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly retryAfterMs?: number;
  } = {},
): Response {
  const { code, message, status }: Refusal = REFUSALS[id];
  const wait = options.retryAfterMs === undefined ? {} : { retryAfterMs: options.retryAfterMs };
  const response = errorResponse(new NearfieldError(code, message, wait), options.headers);
  return status === undefined ? response : new Response(response.body, { status, headers: response.headers });
}
