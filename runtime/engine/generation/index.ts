// The public surface of generation: a decoder and its text files in, a generator out; its parts for those who
// put it together themselves. Explicit names only.
export {
  createGenerator,
  type Generator,
  type GeneratorOptions,
} from './generator.ts';
export { createGrammars, type Grammars, type GrammarsOptions } from './grammar/grammars.ts';
export { type ModelGeneratorOptions, type ModelTexts, openGenerator } from './open.ts';
export { createSampler, type Sampler, type Sampling } from './sampler.ts';
export { type ChatTemplate, type ChatTemplateOptions, createChatTemplate } from './template.ts';
export type { TokenGrammar } from './token-grammar.ts';
export type {
  Decoder,
  DecoderMemory,
  DecoderSequence,
  ForwardWork,
} from './types.ts';
export { createVocabulary, type Vocabulary } from './vocabulary.ts';
