// Owns what the page and its generator worker say to each other: two closed unions. Every message that asks
// carries an id; `part` and `step` may come any number of times for it, then exactly one last answer.
import type { WireError } from '../../errors.ts';
import type { FileRole, Manifest } from '../../models.ts';
import type { ChatRequest, DeviceStep, TierPart, TraceStep } from '../../types.ts';
import type { ModelGeneratorOptions } from './open.ts';
import type { DecoderMemory } from './types.ts';

/** What a generator can be told that can be told to a worker. */
export type PlainOptions = Pick<
  ModelGeneratorOptions,
  | 'defaults'
  | 'defaultMaxTokens'
  | 'overflow'
  | 'maxRunning'
  | 'maxWaiting'
  | 'chunkTokens'
  | 'soloChunkTokens'
  | 'backgroundShare'
  | 'maxIdle'
  | 'maxCacheBytes'
  | 'guess'
  | 'maxSameCalls'
  | 'chatTemplate'
  | 'templateVariables'
>;

/** How the decoder is opened. */
export interface DecoderOptions {
  readonly threads?: number | undefined;
  readonly context?: number | undefined;
  readonly cacheBytes?: number | undefined;
}

export type ToGenerator =
  | {
      readonly type: 'open';
      readonly id: number;
      /** Backends that may be used. Default: all that the worker has. */
      readonly backends?: readonly string[] | undefined;
      readonly manifest: Manifest;
      /** All but the weights; verified on the page, their buffers are transferred. */
      readonly files: readonly (readonly [FileRole, Uint8Array<ArrayBuffer>])[];
      /** Where the weights are asked for: `FromFeed` and `ToFeed`. Transferred. */
      readonly weights: MessagePort;
      readonly options: PlainOptions & DecoderOptions;
      /** Name of a lock the worker holds while it lives, so that its death is seen. */
      readonly lifeLock: string;
    }
  | { readonly type: 'ask'; readonly id: number; readonly request: ChatRequest }
  | { readonly type: 'memory'; readonly id: number }
  | { readonly type: 'forget'; readonly id: number; readonly scope?: string | undefined }
  /** Ends an earlier `ask`, which is answered with an AbortError. */
  | { readonly type: 'abort'; readonly target: number };

export type FromGenerator =
  | { readonly type: 'opened'; readonly id: number; readonly backend: string; readonly context: number }
  | { readonly type: 'part'; readonly id: number; readonly part: TierPart }
  | {
      readonly type: 'step';
      readonly id: number;
      readonly name: DeviceStep;
      readonly durationMs: number;
      readonly facts?: TraceStep['facts'];
    }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly memory?: DecoderMemory | undefined;
      /** Where an answer was computed, at its end. */
      readonly backend?: string | undefined;
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: WireError };

/** The worker to the page: the weights from their start, their next part, or what came of them. */
export type ToFeed =
  | { readonly type: 'start' }
  /** `spare`: a part's buffer that is done with, to be filled again. */
  | { readonly type: 'next'; readonly spare?: ArrayBuffer | undefined }
  | { readonly type: 'settle'; readonly right: boolean };

/** One answer to each `next` and each `settle`, in order. */
export type FromFeed =
  | { readonly type: 'part'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'end' }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'settled'; readonly again: boolean };
