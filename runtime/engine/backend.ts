// Owns what a backend is to the engine: a row of a table that says whether it could run here and opens a
// session. Adding a backend is adding a row.
import type { LoadedModel } from '../models.ts';
import type { BackendId, EncoderSession } from '../types.ts';

export interface BackendFactory {
  readonly id: BackendId;
  /** Tokens one batch should hold: where this backend's throughput has flattened. */
  readonly batchTokens: number;
  /** Cheap: looks at the platform, loads nothing. */
  available(): boolean | Promise<boolean>;
  /** @throws model-unsupported, model-load-failed, backend-unavailable, out-of-memory */
  create(model: LoadedModel, options: CreateOptions): Promise<EncoderSession>;
}

export interface CreateOptions {
  /** Threads to use where the backend has them. Default: its own choice. */
  readonly threads?: number | undefined;
}

/** Best first. The order before anything was timed; see ladder.ts for what changes it. */
export const BACKEND_ORDER: readonly BackendId[] = Object.freeze([
  'ort-webgpu',
  'kernel-threads',
  'kernel',
  'ort-wasm',
]);

/** Sorted as BACKEND_ORDER says, whatever the order they were listed in. */
export function inOrder<T extends { readonly id: BackendId }>(rows: readonly T[]): readonly T[] {
  return [...rows].sort((a, b) => BACKEND_ORDER.indexOf(a.id) - BACKEND_ORDER.indexOf(b.id));
}
