// The real model and its golden texts from disk, for tests and benches in Node.
import { readFile } from 'node:fs/promises';
import { type Manifest, parseManifest } from '../../models.ts';
import type { EncoderInput } from '../../types.ts';
import { type Golden, parseGolden } from '../golden.ts';
import { createKernelEncoder, type KernelOptions } from './index.ts';

export interface GoldenModel {
  readonly manifest: Manifest;
  readonly weights: Uint8Array;
  readonly golden: Golden;
  readonly input: EncoderInput;
}

const FOLDER = new URL('../../../models/all-minilm-l6-v2/', import.meta.url);

export async function openGolden(): Promise<GoldenModel> {
  const golden = parseGolden(await readFile(new URL('golden.json', FOLDER)));
  return {
    manifest: parseManifest(JSON.parse(await readFile(new URL('manifest.json', FOLDER), 'utf8'))),
    weights: await readFile(new URL('onnx/model.onnx', FOLDER)),
    golden,
    input: {
      inputIds: Int32Array.from(golden.inputIds.flat()),
      rowTokens: Int32Array.from(golden.inputIds, (ids) => ids.length),
    },
  };
}

/** The golden texts' vectors by the kernel in this process. */
export async function goldenVectors(model: GoldenModel, options: KernelOptions = {}): Promise<Float32Array> {
  const session = await createKernelEncoder(model.weights, model.manifest, options);
  try {
    return await session.run(model.input, 'pooled');
  } finally {
    await session.dispose();
  }
}
