// Owns the one error family. Every failure a caller can act on carries a closed code; nothing here
// ever holds prompt text. Imports nothing, so any module may throw these.

/** Every failure Nearfield reports. Closed: a new code is an API change. */
export type ErrorCode =
  | 'invalid-request' // the caller's input; says which field, what was expected and what came
  | 'no-tier' // no tier that policy allows can answer
  | 'egress-denied' // policy forbids it; never falls back
  | 'policy-failed' // the detector or the policy threw; the request stayed on the device
  | 'redaction-failed'
  | 'integrity-mismatch' // bytes do not match their SHA-256
  | 'model-not-found'
  | 'model-unsupported'
  | 'model-load-failed'
  | 'backend-unavailable'
  | 'golden-mismatch' // a backend computed wrong vectors and is not used
  | 'device-lost'
  | 'out-of-memory'
  | 'context-overflow'
  | 'queue-full'
  | 'storage-failed'
  | 'quota-exceeded'
  | 'upstream-timeout'
  | 'upstream-unavailable' // 5xx, connection refused, cut before the first good frame
  | 'upstream-throttled'
  | 'upstream-rejected' // 4xx that another try cannot mend
  | 'upstream-cut' // the stream ended after good frames but before its end
  | 'unauthorized'
  | 'rate-limited'
  | 'budget-exhausted'
  | 'payload-too-large'
  | 'internal';

const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  'device-lost',
  'out-of-memory',
  'queue-full',
  'upstream-timeout',
  'upstream-unavailable',
  'upstream-throttled',
  'rate-limited',
]);

/** Failures that let the router try the next tier. `egress-denied` is not among them, on purpose. */
const FALLBACK: ReadonlySet<ErrorCode> = new Set([
  'model-not-found',
  'model-unsupported',
  'model-load-failed',
  'backend-unavailable',
  'golden-mismatch',
  'device-lost',
  'out-of-memory',
  'context-overflow',
  'queue-full',
  'upstream-timeout',
  'upstream-unavailable',
  'upstream-throttled',
  'upstream-rejected',
]);

const MARKER = 'nearfield.error';

export interface ErrorOptions {
  readonly cause?: unknown;
  /** Id of the tier that failed. */
  readonly tier?: string;
  /** Milliseconds to wait before another try, when the upstream said so. */
  readonly retryAfterMs?: number;
  /** The request field at fault, in OpenAI's dotted form, for `invalid-request`. */
  readonly param?: string;
  /** The request is in order, but not for this tier: another may be able to. For `invalid-request`. */
  readonly elsewhere?: boolean;
}

/**
 * The one error class. `marker` survives bundling, structured clone and workers, so use
 * {@link isNearfieldError} instead of `instanceof`.
 */
export class NearfieldError extends Error {
  readonly marker: typeof MARKER = MARKER;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly tier: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly param: string | undefined;
  /** Another tier may be able to do what this one refused. */
  readonly elsewhere: boolean;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'NearfieldError';
    this.code = code;
    this.retryable = RETRYABLE.has(code);
    this.tier = options.tier;
    this.retryAfterMs = options.retryAfterMs;
    this.param = options.param;
    // No other code: what may not leave may be asked of nobody else, whoever says so.
    this.elsewhere = options.elsewhere === true && code === 'invalid-request';
  }
}

export function isNearfieldError(value: unknown): value is NearfieldError {
  return typeof value === 'object' && value !== null && 'marker' in value && value.marker === MARKER;
}

/** True for the platform's abort and for anything thrown by an aborted signal. */
export function isAbortError(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && value.name === 'AbortError';
}

/** What to throw for an aborted signal: always an AbortError, whatever reason its owner gave. */
export function abortErrorOf(signal: AbortSignal): Error {
  if (signal.reason instanceof Error && isAbortError(signal.reason)) return signal.reason;
  return new DOMException('The request was aborted.', 'AbortError');
}

/** May the router try the next tier after this failure? Aborts and unknown throws say no and yes. */
export function allowsFallback(value: unknown): boolean {
  if (isAbortError(value)) return false;
  return isNearfieldError(value) ? value.elsewhere || FALLBACK.has(value.code) : true;
}

/** An error as plain data, for worker messages. Restored by {@link fromWireError}. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly code?: ErrorCode;
  readonly tier?: string;
  readonly retryAfterMs?: number;
  readonly param?: string;
  readonly elsewhere?: boolean;
}

export function toWireError(value: unknown): WireError {
  if (isNearfieldError(value)) {
    return {
      name: value.name,
      message: value.message,
      code: value.code,
      ...(value.tier !== undefined && { tier: value.tier }),
      ...(value.retryAfterMs !== undefined && { retryAfterMs: value.retryAfterMs }),
      ...(value.param !== undefined && { param: value.param }),
      ...(value.elsewhere && { elsewhere: true }),
    };
  }
  if (value instanceof Error) return { name: value.name, message: value.message };
  return { name: 'Error', message: 'A worker threw something that is not an Error.' };
}

export function fromWireError(wire: WireError): Error {
  if (wire.name === 'AbortError') return new DOMException(wire.message, 'AbortError');
  if (wire.code === undefined) return new NearfieldError('internal', wire.message);
  const { name: _name, message, code, ...options } = wire;
  return new NearfieldError(code, message, options);
}
