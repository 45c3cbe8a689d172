// Owns the tagger of a Node process: on where its model's files are, off where they are not.
import { loadNodeModel, type NodeEmbedderOptions } from '../engine/node.ts';
import { createNodeTokenEncoder } from '../engine/token-node.ts';
import { isNearfieldError } from '../errors.ts';
import type { Tagger } from '../types.ts';
import { createTagger } from './tag.ts';
import { DEFAULT_TAGGER, openTagger, type TaggingOptions } from './tagger.ts';

export type NodeTaggerOptions = Pick<TaggingOptions, 'model' | 'bias'> &
  Pick<NodeEmbedderOptions, 'modelsFolder' | 'memoryBudget' | 'signal'>;

/** A tagger in this process. @throws model-not-found, integrity-mismatch, model-unsupported */
export async function createNodeTagger(options: NodeTaggerOptions = {}): Promise<Tagger> {
  const { model = DEFAULT_TAGGER, bias, ...rest } = options;
  return createTagger({ encoder: await createNodeTokenEncoder({ model, ...rest }), bias });
}

/**
 * The tagger if its manifest is there, opening in the background; undefined if not. Files that are there and
 * cannot be used fail every text.
 */
export async function findNodeTagger(options: NodeTaggerOptions = {}): Promise<Tagger | undefined> {
  const { model = DEFAULT_TAGGER, bias, ...rest } = options;
  if (!(await hasModel({ model, ...rest }))) return undefined;
  const tagger = openTagger(model, () => createNodeTokenEncoder({ model, ...rest }), { bias });
  // What goes wrong is told at the first text.
  void tagger.warm().catch(() => undefined);
  return tagger;
}

async function hasModel(options: NodeTaggerOptions): Promise<boolean> {
  try {
    await loadNodeModel({ ...options, roles: [] });
    return true;
  } catch (error) {
    return !(isNearfieldError(error) && error.code === 'model-not-found');
  }
}
