// The tasks' public names.
export {
  ANSWER_WEIGHTS,
  type Answerer,
  type AnswerOptions,
  type AnswerWeights,
  createAnswerer,
  type FoundPassages,
} from './answer.ts';
export {
  CLASSIFY_WEIGHTS,
  type Classification,
  type Classifier,
  type ClassifyOptions,
  type ClassifyWeights,
  type ClassLabel,
  createClassifier,
  LABEL_TEMPLATES,
  type LabelScore,
  labelWords,
} from './classify.ts';
export { createDocumentIndex, type DocumentIndex, type IndexProgress } from './document-index.ts';
export {
  type AnswerVolatility,
  createIntentReader,
  type Intent,
  type IntentReader,
  type Labelled,
  type TaskKind,
  type TextLanguage,
} from './intent.ts';
export { createLabelling, DEFAULT_INTENT, type Labelling, type LabellingParts } from './labelling.ts';
export { phrasingRequest, supportedSentences } from './phrase.ts';
export { splitSentences, type TextRange } from './segment.ts';
export { createTagger, type TaggerOptions } from './tag.ts';
