// Owns a language model in a Node process: files from disk, weights streamed into the decoder and hashed on
// their way, no network.
import { createHash } from 'node:crypto';
import { access, open, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NearfieldError } from '../../errors.ts';
import { type FileRole, type Manifest, type ModelFile, parseManifest, verifyFile } from '../../models.ts';
import { type DecoderModel, openDecoder } from './decoder-choice.ts';
import { parseDecoderGolden } from './decoder-golden.ts';
import { kernelDecoder, kernelThreadsDecoder } from './decoder-rows.ts';
import type { Generator } from './generator.ts';
import { type ModelGeneratorOptions, openGenerator } from './open.ts';

export const DEFAULT_GENERATOR = 'smollm2-135m-instruct';

export interface NodeGeneratorOptions extends ModelGeneratorOptions {
  /**
   * An id below `modelsFolder`, or a model's folder. Default `smollm2-135m-instruct`, which
   * `npm run models -- build smollm2-135m-instruct` makes.
   */
  readonly model?: string | URL | undefined;
  /** Default: `.nearfield/models` of the working directory, then the package's own `models`. */
  readonly modelsFolder?: string | URL | undefined;
  /** Threads of the decoder. Default: as many as there are cores, at most 4. */
  readonly threads?: number | undefined;
  /** Most tokens a conversation may hold. Default 4096, or what the model takes if that is less. */
  readonly context?: number | undefined;
  /** Most bytes of keys and values. Default 256 MiB. */
  readonly cacheBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of weights read, of how many. */
  readonly onProgress?: ((bytes: number, of: number) => void) | undefined;
}

const MAX_THREADS = 4;
const DEFAULT_CONTEXT = 4096;
const READ_BYTES = 2 ** 20;

/**
 * Opens a model of the Llama family from disk. Resolves when the first question can be answered.
 * @throws model-not-found, integrity-mismatch, model-unsupported, golden-mismatch, out-of-memory, AbortError
 */
export async function createNodeGenerator(options: NodeGeneratorOptions = {}): Promise<Generator> {
  const { signal, cacheBytes, onProgress } = options;
  const folder = await findModel(options);
  if (folder === undefined) throw missing(options.model ?? DEFAULT_GENERATOR);
  const manifest = await readManifest(folder);
  const texts = {
    tokenizer: (await readRole(folder, manifest, 'tokenizer'))!,
    config: await readRole(folder, manifest, 'config'),
    golden: await readRole(folder, manifest, 'golden'),
  };
  const weights = fileOf(manifest, 'weights');
  if (weights === undefined || texts.tokenizer === undefined) {
    throw new NearfieldError(
      'model-unsupported',
      `Manifest ${manifest.id} names no weights or no tokenizer.`,
    );
  }
  let loading = signal;
  const model: DecoderModel = {
    manifest,
    weightsHash: weights.sha256,
    golden: texts.golden && parseDecoderGolden(texts.golden),
    weights: () => hashedParts(join(folder, weights.path), weights, loading),
  };
  const threads = options.threads ?? Math.min(MAX_THREADS, cpus().length);
  const rows = threads > 1 ? [kernelThreadsDecoder, kernelDecoder] : [kernelDecoder];
  const context = Math.min(options.context ?? DEFAULT_CONTEXT, manifest.maxTokens);
  const limits = { threads, context, cacheBytes, signal, onProgress };
  const generator = await openGenerator(() => openDecoder(model, rows, limits), manifest, texts, options);
  // A decoder that is lost is opened again long after its load's signal had its say.
  loading = undefined;
  return generator;
}

/** The model's folder, where it is; nothing is opened. */
export async function findModel(
  options: Pick<NodeGeneratorOptions, 'model' | 'modelsFolder'> = {},
): Promise<string | undefined> {
  const { model = DEFAULT_GENERATOR, modelsFolder } = options;
  for (const folder of placesOf(model, modelsFolder)) {
    const there = await access(join(folder, 'manifest.json')).then(
      () => true,
      () => false,
    );
    if (there) return folder;
  }
  return undefined;
}

function placesOf(model: string | URL, modelsFolder: string | URL | undefined): readonly string[] {
  if (model instanceof URL || model.startsWith('file:')) return [fileURLToPath(model)];
  if (isAbsolute(model) || model.startsWith('.')) return [resolve(model)];
  if (modelsFolder !== undefined) {
    const isUrl = modelsFolder instanceof URL || modelsFolder.startsWith('file:');
    return [join(isUrl ? fileURLToPath(modelsFolder) : resolve(modelsFolder), model)];
  }
  // By the package's own name, so that it holds in the source tree and in a build.
  const packageFolder = join(createRequire(import.meta.url).resolve('nearfield/package.json'), '..');
  return [join('.nearfield', 'models', model), join(packageFolder, 'models', model)].map((at) => resolve(at));
}

function missing(model: string | URL): NearfieldError {
  const id = String(model);
  return new NearfieldError(
    'model-not-found',
    `No model ${id} here. Make it with: npm run models -- build ${id}, or fetch one: npm run models -- pull <id>.`,
  );
}

async function readManifest(folder: string): Promise<Manifest> {
  return parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
}

function fileOf(manifest: Manifest, role: FileRole): ModelFile | undefined {
  return manifest.files.find((file) => file.role === role);
}

async function readRole(folder: string, manifest: Manifest, role: FileRole): Promise<Uint8Array | undefined> {
  const file = fileOf(manifest, role);
  if (file === undefined) return undefined;
  const bytes = Uint8Array.from(
    await readFile(join(folder, file.path)).catch((cause) => {
      throw new NearfieldError('model-not-found', `Model ${manifest.id} lacks its file ${file.path}.`, {
        cause,
      });
    }),
  );
  await verifyFile(file, bytes);
  return bytes;
}

/** The file's parts as they are read; fails after the last one when they were not the manifest's. */
async function* hashedParts(
  path: string,
  file: ModelFile,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(path);
  try {
    // One buffer for all of it, so that nothing is left to collect.
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) break;
      const part = buffer.subarray(0, bytesRead);
      hash.update(part);
      bytes += bytesRead;
      yield part;
    }
  } finally {
    await handle.close();
  }
  const actual = hash.digest('hex');
  if (bytes === file.bytes && actual === file.sha256) return;
  throw new NearfieldError(
    'integrity-mismatch',
    `${file.path}: expected ${file.bytes} bytes of SHA-256 ${file.sha256}, got ${bytes} of ${actual}. Build or fetch the model again.`,
  );
}
