// Owns the one mapping from Nearfield's error codes to HTTP and OpenAI's error shape. A message that is not
// Nearfield's own is never shown: it could quote the request.
import { type ErrorCode, isAbortError, isNearfieldError, NearfieldError } from '../errors.ts';

type OpenAiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'insufficient_quota'
  | 'api_error';

/** OpenAI's error body. */
export interface OpenAiError {
  readonly message: string;
  readonly type: OpenAiErrorType;
  readonly param: string | null;
  readonly code: string;
}

interface Row {
  readonly status: number;
  readonly type: OpenAiErrorType;
  /** OpenAI's name for it, where OpenAI has one; else our code goes out as it is. */
  readonly code?: string;
  /** Said after the error's own message: words by which clients know it. */
  readonly adds?: string;
}

const TABLE: Readonly<Record<ErrorCode, Row>> = {
  'invalid-request': { status: 400, type: 'invalid_request_error' },
  'no-tier': { status: 503, type: 'api_error' },
  'egress-denied': { status: 403, type: 'permission_error' },
  'policy-failed': { status: 500, type: 'api_error' },
  'redaction-failed': { status: 403, type: 'permission_error' },
  'integrity-mismatch': { status: 500, type: 'api_error' },
  'model-not-found': { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  'model-unsupported': { status: 400, type: 'invalid_request_error' },
  'model-load-failed': { status: 503, type: 'api_error' },
  'backend-unavailable': { status: 503, type: 'api_error' },
  'golden-mismatch': { status: 503, type: 'api_error' },
  'device-lost': { status: 503, type: 'api_error' },
  'out-of-memory': { status: 503, type: 'api_error' },
  'context-overflow': {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
    // LangChain and others look for OpenAI's "maximum context length" in the message, and not at the code.
    adds: 'That is beyond the maximum context length.',
  },
  'queue-full': { status: 503, type: 'api_error' },
  'storage-failed': { status: 500, type: 'api_error' },
  'quota-exceeded': { status: 500, type: 'api_error' },
  'upstream-timeout': { status: 504, type: 'api_error' },
  'upstream-unavailable': { status: 502, type: 'api_error' },
  'upstream-throttled': { status: 429, type: 'rate_limit_error' },
  // No 5xx: many clients ask again after one whatever x-should-retry says, and each time the request would leave.
  'upstream-rejected': { status: 400, type: 'invalid_request_error' },
  'upstream-cut': { status: 502, type: 'api_error' },
  unauthorized: { status: 401, type: 'authentication_error', code: 'invalid_api_key' },
  'rate-limited': { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  'budget-exhausted': { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  'payload-too-large': { status: 413, type: 'invalid_request_error' },
  internal: { status: 500, type: 'api_error' },
};

/** In place of the table's where no later try is known to help: LangChain asks six times more after any 5xx. */
const FINAL: Partial<Record<ErrorCode, Row>> = {
  'no-tier': { status: 400, type: 'invalid_request_error' },
};

/** Client closed the request: nginx's number, for logs; nobody is left to read it. */
const ABORTED_STATUS = 499;

/** Any throw as OpenAI's error object. */
export function openAiErrorOf(thrown: unknown): OpenAiError {
  const error = known(thrown);
  const { type, code, adds } = rowOf(error);
  const message = adds === undefined ? error.message : `${error.message} ${adds}`;
  return { message, type, param: error.param ?? null, code: code ?? error.code };
}

function rowOf(error: NearfieldError): Row {
  return (mayHelpLater(error) ? undefined : FINAL[error.code]) ?? TABLE[error.code];
}

function mayHelpLater({ retryable, retryAfterMs }: NearfieldError): boolean {
  return retryable || retryAfterMs !== undefined;
}

/**
 * Any throw as a response: OpenAI's body and status, `nearfield-error` with our own code, Retry-After where
 * a wait is known, and `x-should-retry`, which the OpenAI SDKs obey.
 */
export function errorResponse(
  thrown: unknown,
  headers: Readonly<Record<string, string>> = {},
  /** In place of the table's. */
  status?: number,
): Response {
  if (isAbortError(thrown)) return new Response(null, { status: ABORTED_STATUS });
  const error = known(thrown);
  const all = new Headers({ ...headers, 'cache-control': 'no-store', 'nearfield-error': error.code });
  all.set('x-should-retry', String(mayHelpLater(error)));
  if (error.code === 'unauthorized') all.set('www-authenticate', 'Bearer');
  if (error.retryAfterMs !== undefined) {
    all.set('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
    all.set('retry-after-ms', String(Math.ceil(error.retryAfterMs)));
  }
  return Response.json(
    { error: openAiErrorOf(error) },
    { status: status ?? rowOf(error).status, headers: all },
  );
}

function known(thrown: unknown): NearfieldError {
  if (isNearfieldError(thrown)) return thrown;
  return new NearfieldError('internal', 'The request failed inside Nearfield. Its log has the cause.', {
    cause: thrown,
  });
}
