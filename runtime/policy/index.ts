// The policy's public surface.
export { combineDetectors } from './complete.ts';
export { createCsp } from './csp.ts';
export type { Detector } from './detector.ts';
export { UnreadableText } from './detector.ts';
export {
  DEFAULT_SENSITIVITY,
  type PolicyDocument,
  type PolicyRule,
  PRESETS,
  type PresetName,
  type RuleCondition,
  type RuleEffect,
  readPolicyDocument,
  type TextOrigin,
} from './document.ts';
export {
  createDatabaseFetch,
  createEgress,
  createFileFetch,
  type EgressOptions,
  type PlatformFetch,
} from './egress.ts';
export { createPatternDetector } from './patterns.ts';
export { createPolicy, type PolicyOptions } from './policy.ts';
export {
  createMemoryReceiptStore,
  createReceiptBook,
  type DurableReceiptBook,
  exportReceipts,
  parseReceipts,
  type ReceiptStore,
  SequenceTaken,
  type Verification,
  type VerifiedChain,
  verifyReceipts,
} from './receipts.ts';
export { createRestorer, type Restorer, type RestorerOptions } from './restore.ts';
export { createDetectors, createTaggerDetector, type TaggerDetectorOptions } from './tagger-detector.ts';
