// Owns a token encoder in a Node process: files from disk, verified, opened at the first run.
import type { TokenEncoder } from '../types.ts';
import type { BackendFactory } from './backend.ts';
import { kernel } from './kernel-rows.ts';
import { loadNodeModel, type NodeEmbedderOptions } from './node.ts';
import { createLocalTokenEncoder } from './token-encoder.ts';

/** The INT8 kernel on this thread: short texts gain nothing from more. */
const tokenBackends: readonly BackendFactory[] = Object.freeze([kernel]);

export type NodeTokenEncoderOptions = Pick<
  NodeEmbedderOptions,
  'model' | 'modelsFolder' | 'backends' | 'memoryBudget' | 'signal' | 'onProgress' | 'onFall'
>;

/** @throws model-not-found, integrity-mismatch, model-unsupported */
export async function createNodeTokenEncoder(options: NodeTokenEncoderOptions): Promise<TokenEncoder> {
  const model = await loadNodeModel(options);
  const { backends = tokenBackends, memoryBudget, onFall } = options;
  return createLocalTokenEncoder({ model, backends, memoryBudget, onFall });
}
