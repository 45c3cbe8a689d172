// Owns what a language model on a device is to the code above it: token ids in, logits out, over sequences
// that keep their keys and values. Types only.

/** A loaded causal language model on one backend. */
export interface Decoder {
  /** Which backend computes, e.g. `kernel`, `kernel-threads`, `ort-webgpu`. */
  readonly backend: string;
  /** Entries of a row of logits. */
  readonly vocab: number;
  /** Most tokens a sequence may hold. */
  readonly context: number;
  /** A sequence with an empty key-value cache. @throws out-of-memory when the cache budget is spent */
  open(): DecoderSequence;
  /**
   * Appends to several sequences in one step; sequences are distinct. Resolves to one Float32Array a work
   * item: `[vocab]` for `last`, `[tokens * vocab]` for `all`, empty for `none`. Arrays are the caller's to keep until the
   * next forward. An abort leaves every sequence as it was before the call.
   * @throws context-overflow, invalid-request, AbortError
   */
  forward(
    work: readonly ForwardWork[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Float32Array[]>;
  /** Bytes held now. */
  memory(): DecoderMemory;
  dispose(): Promise<void>;
}

export interface ForwardWork {
  readonly sequence: DecoderSequence;
  /** Token ids to append, at least one. */
  readonly tokens: readonly number[];
  readonly logits: 'last' | 'all' | 'none';
}

/** One conversation's keys and values inside a decoder. */
export interface DecoderSequence {
  /** Tokens kept. */
  readonly length: number;
  /** Forgets all but the first `length` tokens: prefix reuse, rejected guesses. */
  truncate(length: number): void;
  /** A new sequence starting with the first `length` tokens of this one, copied. @throws out-of-memory */
  fork(length: number): DecoderSequence;
  close(): void;
}

export interface DecoderMemory {
  readonly weightBytes: number;
  /** Keys and values of open sequences. */
  readonly cacheBytes: number;
  readonly totalBytes: number;
}
