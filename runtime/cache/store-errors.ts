// Owns how a platform's storage failure becomes one of ours. Messages never carry stored text.
import { isAbortError, isNearfieldError, NearfieldError } from '../errors.ts';

const FULL = /SQLITE_FULL|SQLITE_TOOBIG|QuotaExceeded|database or disk is full|ENOSPC|no space left/i;

/** Runs one store operation; whatever it throws comes out as `quota-exceeded` or `storage-failed`. */
export async function guardStore<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toStoreError(what, error);
  }
}

export function toStoreError(what: string, error: unknown): unknown {
  if (isNearfieldError(error) || isAbortError(error)) return error;
  const code = isFull(error) ? 'quota-exceeded' : 'storage-failed';
  return new NearfieldError(code, `The cache store failed to ${what}.`, { cause: error });
}

function isFull(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Object && depth < 4; depth += 1) {
    const { name, code, message, cause } = at as { [key: string]: unknown };
    if ([name, code, message].some((part) => typeof part === 'string' && FULL.test(part))) return true;
    at = cause;
  }
  return false;
}
