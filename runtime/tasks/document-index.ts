// Owns documents as vectors: each is cut, embedded once and kept by its text's hash, so a second question
// costs one embedding. Memory only; refuses to keep more than `maxSentences`.
import { sha256Hex } from '../hash.ts';
import type { Embedder, SourceDocument } from '../types.ts';
import { stems } from './lexical.ts';
import { isHeading, splitSentences, type TextRange, windowsOf } from './segment.ts';

/** A document ready to be asked. Vectors are L2-normalised, row-major. */
export interface IndexedDocument {
  readonly sentences: readonly TextRange[];
  /** Float32Array[sentences * dims] */
  readonly sentenceVectors: Float32Array;
  readonly sentenceStems: readonly ReadonlySet<string>[];
  /** Headings name what the next sentences say; they do not answer by themselves. */
  readonly isHeading: readonly boolean[];
  /** First and last sentence of each window, inclusive. */
  readonly windows: readonly { readonly first: number; readonly last: number }[];
  /** Float32Array[windows * dims] */
  readonly windowVectors: Float32Array;
}

export interface IndexProgress {
  readonly documentId: string;
  /** Texts embedded so far and in all, over every document of the call. */
  readonly done: number;
  readonly total: number;
}

export interface DocumentIndex {
  /** In the order given. Embeds only what is not kept. @throws AbortError */
  get(
    documents: readonly SourceDocument[],
    options?: {
      readonly signal?: AbortSignal | undefined;
      /** Whose they are. Nothing is shared across scopes: from the time one could tell who else has a document. */
      readonly scope?: string | undefined;
      readonly onProgress?: ((progress: IndexProgress) => void) | undefined;
    },
  ): Promise<readonly IndexedDocument[]>;
  /** Forgets a scope's documents, or everybody's. */
  clear(scope?: string): void;
}

const ROWS_A_CALL = 32; // small enough that progress moves and an abort is felt, large enough to fill a batch

export function createDocumentIndex(options: {
  readonly embedder: Embedder;
  /** Sentences kept over all documents before the least recently asked goes. Default 50 000 (about 80 MB). */
  readonly maxSentences?: number;
}): DocumentIndex {
  const { embedder, maxSentences = 50_000 } = options;
  const kept = new Map<string, IndexedDocument>();

  function keep(key: string, document: IndexedDocument): void {
    kept.delete(key);
    kept.set(key, document);
    let sentences = [...kept.values()].reduce((sum, entry) => sum + entry.sentences.length, 0);
    for (const [oldest, entry] of kept) {
      if (sentences <= maxSentences || oldest === key) break;
      kept.delete(oldest);
      sentences -= entry.sentences.length;
    }
  }

  return {
    clear(scope) {
      for (const key of kept.keys())
        if (scope === undefined || key.startsWith(prefixOf(scope))) kept.delete(key);
    },
    async get(documents, { signal, scope = 'default', onProgress } = {}) {
      const keys = await Promise.all(
        documents.map(
          async ({ title, text }) =>
            prefixOf(scope) + (await sha256Hex(JSON.stringify([embedder.weightsHash, title ?? null, text]))),
        ),
      );
      // What is kept now is taken now: keeping new ones, or another call, may let it go meanwhile.
      const ready = new Map<string, IndexedDocument>();
      const cuts = new Map<string, Cut>();
      for (const [at, document] of documents.entries()) {
        const key = keys[at]!;
        const here = kept.get(key);
        if (here !== undefined) ready.set(key, here);
        else if (!cuts.has(key)) cuts.set(key, cut(document));
      }
      const total = [...cuts.values()].reduce((sum, entry) => sum + entry.texts.length, 0);
      let done = 0;
      for (const [key, entry] of cuts) {
        const vectors = await embedRows(embedder, entry.texts, signal, (rows) => {
          done += rows;
          onProgress?.({ documentId: entry.id, done, total });
        });
        const split = entry.sentences.length * embedder.dims;
        ready.set(key, {
          sentences: entry.sentences,
          sentenceStems: entry.sentenceStems,
          isHeading: entry.isHeading,
          windows: entry.windows,
          sentenceVectors: vectors.subarray(0, split),
          windowVectors: vectors.subarray(split),
        });
      }
      return keys.map((key) => {
        const document = ready.get(key)!;
        keep(key, document);
        return document;
      });
    },
  };
}

/** As JSON, so that no scope's begins like another's. */
function prefixOf(scope: string): string {
  return JSON.stringify(scope);
}

interface Cut extends Omit<IndexedDocument, 'sentenceVectors' | 'windowVectors'> {
  readonly id: string;
  /** Sentences, then windows: what is to be embedded. */
  readonly texts: readonly string[];
}

/** The title goes in front of each window, so a passage that never names its subject is still found. */
function cut({ id, title, text }: SourceDocument): Cut {
  const sentences = splitSentences(text);
  const windows = windowsOf(text, sentences);
  const sentenceTexts = sentences.map(({ start, end }) => text.slice(start, end));
  const windowTexts = windows.map(({ first, last }) => {
    const body = text.slice(sentences[first]!.start, sentences[last]!.end);
    return title === undefined ? body : `${title}. ${body}`;
  });
  return {
    id,
    sentences,
    windows,
    texts: [...sentenceTexts, ...windowTexts],
    isHeading: sentenceTexts.map(isHeading),
    sentenceStems: sentenceTexts.map((sentence) => new Set(stems(sentence))),
  };
}

async function embedRows(
  embedder: Embedder,
  texts: readonly string[],
  signal: AbortSignal | undefined,
  onRows: (rows: number) => void,
): Promise<Float32Array> {
  const vectors = new Float32Array(texts.length * embedder.dims);
  for (let from = 0; from < texts.length; from += ROWS_A_CALL) {
    signal?.throwIfAborted();
    const { embeddings } = await embedder.embed(texts.slice(from, from + ROWS_A_CALL), { signal });
    for (const [at, embedding] of embeddings.entries()) vectors.set(embedding, (from + at) * embedder.dims);
    onRows(embeddings.length);
  }
  return vectors;
}
