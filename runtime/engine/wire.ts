// Owns what the page and its engine worker say to each other: two closed unions. Every message that asks
// carries an id, and exactly one answer carries it back.
import type { WireError } from '../errors.ts';
import type { FileRole, Manifest } from '../models.ts';
import type { BackendId } from '../types.ts';

export type ToWorker =
  | {
      readonly type: 'open';
      readonly id: number;
      readonly backend: BackendId;
      readonly manifest: Manifest;
      /** Verified on the page; their buffers are transferred. */
      readonly files: readonly (readonly [FileRole, Uint8Array<ArrayBuffer>])[];
      readonly threads?: number | undefined;
      /** Name of a lock the worker holds while it lives, so that its death is seen. */
      readonly lifeLock: string;
    }
  | {
      readonly type: 'embed';
      readonly id: number;
      readonly texts: readonly string[];
      readonly scope?: string | undefined;
    }
  /** Token scores; only after a model with `task: "tag"` was opened. */
  | {
      readonly type: 'run';
      readonly id: number;
      readonly inputIds: Int32Array;
      readonly typeIds: Int32Array | undefined;
      readonly rowTokens: Int32Array;
    }
  /** Do both ask the same? Only after a model with `task: "same-question"` was opened. */
  | { readonly type: 'compare'; readonly id: number; readonly asked: string; readonly kept: string }
  | { readonly type: 'time'; readonly id: number }
  /** Takes an earlier `embed` out of the queue; that one is answered with an AbortError. A `run` is too short. */
  | { readonly type: 'abort'; readonly target: number };

export type FromWorker =
  | { readonly type: 'opened'; readonly id: number; readonly backend: BackendId }
  | {
      readonly type: 'embedded';
      readonly id: number;
      /** [texts, dims], transferred. */
      readonly values: Float32Array<ArrayBuffer>;
      readonly tokens: number;
    }
  | {
      readonly type: 'ran';
      readonly id: number;
      /** [tokens, dims], transferred. */
      readonly values: Float32Array<ArrayBuffer>;
    }
  | { readonly type: 'compared'; readonly id: number; readonly same: number }
  | { readonly type: 'timed'; readonly id: number; readonly ms: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError };
