// Owns what a place that keeps model files must do. Each adapter says how.

/**
 * Keeps whole byte strings by key. `put` is atomic: after a crash or an abort a key holds the old value,
 * the new one or nothing, never a part. Keys are hex digests and names of download parts made of
 * letters, digits, dots and dashes.
 */
export interface ModelStore {
  readonly id: string;
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * The same, piece by piece from where it lies; a piece is the reader's until it asks for the next. A store without it
   * has files read whole.
   */
  read?(key: string): Promise<AsyncGenerator<Uint8Array, void, void> | undefined>;
  /** @throws quota-exceeded, storage-failed */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * Makes kept parts, in order, the file of another key, in one step like `put`; the parts' own keys are gone then. No
   * copy in memory is made. A store without it has files put whole.
   * @throws quota-exceeded, storage-failed
   */
  join?(key: string, parts: readonly string[]): Promise<void>;
  /** Nothing happens where there is no such key. */
  delete(key: string): Promise<void>;
  keys(): Promise<readonly string[]>;
}
