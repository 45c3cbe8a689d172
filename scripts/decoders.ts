// Language models for benches and evaluations: opened from .nearfield/models, where `npm run models -- build` puts
// them, part by part.
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Decoder } from '../runtime/engine/generation/types.ts';
import { createKernelDecoder, type KernelDecoderOptions } from '../runtime/engine/kernel/decoder.ts';
import { type Manifest, parseManifest } from '../runtime/models.ts';

export const DEFAULT_DECODER = 'smollm2-135m-instruct';
export const WORK: string = fileURLToPath(new URL('../.nearfield/', import.meta.url));

export interface OpenedDecoder {
  readonly id: string;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly decoder: Decoder;
}

/** A folder, or an id under .nearfield/models. @throws Error saying how to build it */
export function decoderFolder(model: string = DEFAULT_DECODER): string {
  const folder = isAbsolute(model) || model.startsWith('.') ? resolve(model) : join(WORK, 'models', model);
  if (existsSync(join(folder, 'manifest.json'))) return folder;
  throw new Error(`No model in ${folder}. Build it: npm run models -- build ${DEFAULT_DECODER}`);
}

export async function openDecoder(
  model?: string,
  options: KernelDecoderOptions = {},
): Promise<OpenedDecoder> {
  const folder = decoderFolder(model);
  const manifest = parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
  const weights = manifest.files.find(({ role }) => role === 'weights');
  if (weights === undefined) throw new Error(`${folder} names no weights.`);
  const parts = createReadStream(join(folder, weights.path), { highWaterMark: 2 ** 20 });
  return { id: manifest.id, folder, manifest, decoder: await createKernelDecoder(parts, manifest, options) };
}
