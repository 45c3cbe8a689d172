// Owns extractive answers: which sentences of the given documents answer a question, or that none does.
// Never writes text of its own, so it cannot make anything up.
import type { Embedder, Passage, SourceDocument } from '../types.ts';
import {
  createDocumentIndex,
  type DocumentIndex,
  type IndexedDocument,
  type IndexProgress,
} from './document-index.ts';
import { overlaps, stems } from './lexical.ts';

export interface AnswerOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whose documents they are. Default `'default'`. */
  readonly scope?: string | undefined;
  /** Passages returned at most. Default 3. */
  readonly top?: number | undefined;
  readonly onProgress?: ((progress: IndexProgress) => void) | undefined;
}

export interface FoundPassages {
  /** False when the best passage scores under the calibrated threshold; passages is then empty. */
  readonly found: boolean;
  /** Best first. */
  readonly passages: readonly Passage[];
  /** Score of the best sentence, 0…1, found or not; what the threshold is compared with. */
  readonly score: number;
  readonly embedMs: number;
  readonly rankMs: number;
}

export interface Answerer {
  readonly index: DocumentIndex;
  find(
    question: string,
    documents: readonly SourceDocument[],
    options?: AnswerOptions,
  ): Promise<FoundPassages>;
}

/** How much each kind of evidence counts; fitted on development questions (docs/decisions/0003-answers-by-extraction.md). */
export interface AnswerWeights {
  readonly sentence: number;
  readonly window: number;
  readonly overlap: number;
  /** Score under which nothing is found. */
  readonly threshold: number;
}

export const ANSWER_WEIGHTS: AnswerWeights = { sentence: 0.21, window: 0.49, overlap: 0.3, threshold: 0.39 };

// Enough that a heading never beats the sentence it announces; not fitted.
const HEADING_PENALTY = 0.3;

interface Scored {
  readonly document: number;
  readonly sentence: number;
  readonly similarity: number;
  readonly score: number;
}

export function createAnswerer(options: {
  readonly embedder: Embedder;
  readonly weights?: AnswerWeights;
  readonly maxSentences?: number;
}): Answerer {
  const { embedder, weights = ANSWER_WEIGHTS } = options;
  const index = createDocumentIndex(options);
  return {
    index,
    async find(question, documents, { signal, scope, top = 3, onProgress } = {}) {
      const begun = performance.now();
      const indexed = await index.get(documents, { signal, scope, onProgress });
      const { embeddings } = await embedder.embed([question], { signal });
      const embedded = performance.now();
      const scored = rank(question, embeddings[0]!, indexed, weights);
      const best = scored[0]?.score ?? 0;
      const found = best >= weights.threshold;
      // A runner-up is shown only when it is near the best; a far one would read as part of the answer.
      const shown = found ? scored.slice(0, top).filter(({ score }) => score >= best * 0.75) : [];
      return {
        found,
        passages: shown.map((entry) => passageOf(entry, documents, indexed)),
        score: best,
        embedMs: embedded - begun,
        rankMs: performance.now() - embedded,
      };
    },
  };
}

/** Every sentence scored by its own cosine, its best window's cosine and its word overlap; best first. */
function rank(
  question: string,
  query: Float32Array,
  documents: readonly IndexedDocument[],
  weights: AnswerWeights,
): readonly Scored[] {
  const words = overlaps(
    stems(question),
    documents.flatMap((document) => document.sentenceStems),
  );
  const scored: Scored[] = [];
  for (const [at, document] of documents.entries()) {
    const windows = windowSimilarities(query, document);
    for (let sentence = 0; sentence < document.sentences.length; sentence += 1) {
      const similarity = cosine(query, document.sentenceVectors, sentence);
      const heading = document.isHeading[sentence] ? HEADING_PENALTY : 0;
      const score =
        weights.sentence * similarity +
        weights.window * windows[sentence]! +
        weights.overlap * words[scored.length]! -
        heading;
      scored.push({ document: at, sentence, similarity, score });
    }
  }
  return scored.sort((a, b) => b.score - a.score);
}

function windowSimilarities(query: Float32Array, document: IndexedDocument): Float32Array {
  const best = new Float32Array(document.sentences.length).fill(-1);
  for (const [at, { first, last }] of document.windows.entries()) {
    const similarity = cosine(query, document.windowVectors, at);
    for (let i = first; i <= last; i += 1) best[i] = Math.max(best[i]!, similarity);
  }
  return best;
}

/** Dot product with row `row`; both sides are unit vectors, so it is the cosine. */
function cosine(query: Float32Array, rows: Float32Array, row: number): number {
  const from = row * query.length;
  let sum = 0;
  for (let i = 0; i < query.length; i += 1) sum += query[i]! * rows[from + i]!;
  return sum;
}

function passageOf(
  entry: Scored,
  documents: readonly SourceDocument[],
  indexed: readonly IndexedDocument[],
): Passage {
  const { id, title, text } = documents[entry.document]!;
  const { start, end } = indexed[entry.document]!.sentences[entry.sentence]!;
  return { documentId: id, title, start, end, text: text.slice(start, end), similarity: entry.similarity };
}
