// A real Embedder that needs no weights: words hashed into a unit vector. Same words, near vectors.
import type { Embedder } from '../../runtime/types.ts';

export interface FakeEmbedder extends Embedder {
  /** Texts embedded so far, in order. */
  readonly seen: readonly string[];
}

export function createFakeEmbedder(dims = 128): FakeEmbedder {
  const seen: string[] = [];
  return {
    model: 'fake-embedder',
    weightsHash: 'f'.repeat(64),
    dims,
    maxTokens: 256,
    seen,
    backend: () => 'fake',
    async embed(texts, { signal } = {}) {
      signal?.throwIfAborted();
      seen.push(...texts);
      return { embeddings: texts.map((text) => bagOfWords(text, dims)), tokens: texts.length };
    },
    async dispose() {},
  };
}

function bagOfWords(text: string, dims: number): Float32Array {
  const vector = new Float32Array(dims);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? ['']) {
    let hash = 2166136261;
    for (const letter of word.slice(0, 6)) hash = Math.imul(hash ^ letter.codePointAt(0)!, 16777619);
    vector[(hash >>> 0) % dims]! += 1;
  }
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
