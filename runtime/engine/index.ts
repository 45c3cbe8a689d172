// Owns the engine's public surface: explicit names only. Places have entries of their own: browser.ts,
// worker.ts, node.ts, workerd.ts.
export {
  describeModel,
  type FileRole,
  type LoadEvent,
  type LoadedModel,
  type LoadModelOptions,
  loadModel,
  type Manifest,
  type ModelFile,
  type ModelStore,
  parseManifest,
} from '../models.ts';
export { BACKEND_ORDER, type BackendFactory, type CreateOptions } from './backend.ts';
export {
  type Batcher,
  type BatcherOptions,
  createBatcher,
  type SubmitOptions,
  type Timer,
} from './batcher.ts';
export { choicesIn } from './choices.ts';
export { createLocalEmbedder, type LocalEmbedder, type LocalEmbedderOptions } from './embedder.ts';
export { checkSession, checkTokenizer, type Golden, packRows, parseGolden } from './golden.ts';
export { type AskGuard, createQuestionGuard, openGuardOnce, type QuestionGuard } from './guard/index.ts';
export { kernel, kernelCompiled, kernelThreads } from './kernel-rows.ts';
export { createMemoryBudget, type MemoryBudget } from './memory.ts';
export { createOrtEncoder, type OrtEncoderOptions, type OrtModule } from './ort.ts';
export { cosine, normalizeRows } from './pooling.ts';
export {
  type ChoiceStore,
  createLadder,
  type Ladder,
  type LadderOptions,
  type OpenRung,
  type Rung,
} from './session.ts';
export { createTokenizer, type Tokenizer } from './tokenizer.ts';
