// Owns what a place that keeps model files must do. Each adapter says how.

/**
 * Keeps whole byte strings by key. `put` is atomic: after a crash or an abort a key holds the old value,
 * the new one or nothing, never a part. Keys are hex digests and names of download parts made of
 * letters, digits, dots and dashes.
 */
export interface ModelStore {
  readonly id: string;
  get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** @throws quota-exceeded, storage-failed */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Nothing happens where there is no such key. */
  delete(key: string): Promise<void>;
  keys(): Promise<readonly string[]>;
}
