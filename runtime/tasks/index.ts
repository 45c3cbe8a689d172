// The tasks' public names.
export {
  ANSWER_WEIGHTS,
  type Answerer,
  type AnswerOptions,
  type AnswerWeights,
  createAnswerer,
  type FoundPassages,
} from './answer.ts';
export { createDocumentIndex, type DocumentIndex, type IndexProgress } from './document-index.ts';
export { splitSentences, type TextRange } from './segment.ts';
