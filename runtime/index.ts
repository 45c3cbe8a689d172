// The public surface: `import { createRuntime } from 'nearfield'`. Explicit names only; adapters have
// their own subpaths (nearfield/engine/…, nearfield/cache/…, nearfield/tiers/…).

export { type Completion, collect } from './completion.ts';
export {
  type ErrorCode,
  isAbortError,
  isNearfieldError,
  NearfieldError,
} from './errors.ts';
export { createOpenAiHandler, errorResponse, type OpenAiRuntime } from './openai.ts';
export {
  type AnswerRequest,
  type CallOptions,
  createRuntime,
  type Runtime,
  type RuntimeOptions,
} from './runtime.ts';
export type * from './types.ts';
