// Owns whether bytes that come part by part are a manifest's. Where it lists hashes of pieces, the platform hashes
// each on a thread of its own; else one hash goes over them in script, at a tenth of the speed.
import { sha256 } from '@noble/hashes/sha2.js';
import { sha256Hex, toHex } from '../hash.ts';
import type { ModelFile } from '../models.ts';

export interface ByteCheck {
  /** The bytes may be used again when it resolves. */
  add(bytes: Uint8Array): Promise<void>;
  /** After the last: nothing where they were the file's, else what they were. */
  end(): Promise<string | undefined>;
}

export function createByteCheck(file: ModelFile): ByteCheck {
  return file.pieces === undefined ? checkWhole(file) : checkPieces(file, file.pieces);
}

function checkWhole(file: ModelFile): ByteCheck {
  const hash = sha256.create();
  let bytes = 0;
  return {
    async add(part) {
      hash.update(part);
      bytes += part.byteLength;
    },
    async end() {
      const actual = toHex(hash.digest());
      return bytes === file.bytes && actual === file.sha256 ? undefined : `${bytes} of ${actual}`;
    },
  };
}

function checkPieces(file: ModelFile, pieces: NonNullable<ModelFile['pieces']>): ByteCheck {
  // At least one byte, so that a file that should be empty and is not is told too.
  const piece = new Uint8Array(Math.max(1, Math.min(pieces.bytes, file.bytes)));
  let held = 0;
  let bytes = 0;
  let at = 0;
  let wrong: number | undefined;
  let hashing: Promise<void> = Promise.resolve();

  /** One is hashed while the next is gathered. */
  async function seal(): Promise<void> {
    await hashing;
    const index = at;
    at += 1;
    // The platform takes its copy before it returns.
    const hash = sha256Hex(piece.subarray(0, held));
    held = 0;
    hashing = hash.then((actual) => {
      if (actual !== pieces.sha256[index]) wrong ??= index;
    });
  }

  return {
    async add(part) {
      bytes += part.byteLength;
      for (let from = 0; from < part.byteLength; ) {
        const taken = Math.min(piece.byteLength - held, part.byteLength - from);
        piece.set(part.subarray(from, from + taken), held);
        held += taken;
        from += taken;
        if (held === piece.byteLength) await seal();
      }
    },
    async end() {
      if (held > 0) await seal();
      await hashing;
      if (bytes !== file.bytes) return `${bytes} bytes`;
      return wrong === undefined ? undefined : `other bytes from ${wrong * pieces.bytes} on`;
    },
  };
}
