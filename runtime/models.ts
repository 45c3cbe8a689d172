// Owns what a model is (its manifest) and how its files get here whole: from the app's own store or by
// the fetch handed in, each checked against bytes and SHA-256 before anyone reads it. Refuses to choose a
// host: files lie beside the manifest or under the base URL the app names, nowhere else.
import * as z from 'zod/mini';
import { NearfieldError } from './errors.ts';
import { sha256Hex } from './hash.ts';
import { type DownloadProgress, downloadFile, type Sleep } from './model-files/download.ts';
import type { ModelStore } from './model-files/store.ts';
import type { GuardedFetch } from './types.ts';

export type { ModelStore } from './model-files/store.ts';

const positive: z.ZodMiniType<number> = z.int().check(z.positive());

/** Relative, below the manifest's folder: a manifest can not name another host or climb out. */
const relativePath: z.ZodMiniType<string> = z
  .string()
  .check(z.regex(/^(?!.*(?:^|\/)\.\.(?:\/|$))[\w@-][\w@.+/-]*$/, 'a relative path without ".." or a scheme'));

/** What a file is for. `golden` checks a backend before it is used. */
export type FileRole = 'weights' | 'tokenizer' | 'golden' | 'config' | 'labels' | 'data' | 'notice' | 'other';

export interface ModelFile {
  /** Relative to the manifest's folder. */
  readonly path: string;
  readonly role: FileRole;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Hashes of the file's pieces, `bytes` long each but the last: large files are checked by them, in place of `sha256`, as they come. */
  readonly pieces?: { readonly bytes: number; readonly sha256: readonly string[] } | undefined;
}

/** How positions' frequencies are stretched. Source: Hugging Face's `rope_scaling`, types linear and llama3. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContext: number;
    };

/** What a causal language model of the Llama family (`architecture: "llama"`) has beyond an encoder's sizes. */
export interface DecoderShape {
  readonly kvHeads: number;
  readonly headDims: number;
  readonly rope: { readonly theta: number; readonly scaling?: RopeScaling | undefined };
  /** Biases on queries, keys and values (Qwen 2). */
  readonly qkvBias: boolean;
  /** RMS norms on each head's queries and keys (Qwen 3). */
  readonly qkNorm: boolean;
  /** Logits by the table of embeddings. */
  readonly tiedEmbeddings: boolean;
  /** Ids that end an answer. */
  readonly stopTokens: readonly number[];
  readonly bosToken?: number | undefined;
}

export interface RecommendedSampling {
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly minP?: number | undefined;
  readonly repetitionPenalty?: number | undefined;
}

/** A model's manifest.json, schema 1. Fields not named here are kept as they came. */
export interface Manifest {
  readonly schema: 1;
  readonly id: string;
  readonly task: string;
  /** `bert` for the encoders the kernel can read, `llama` for its decoders. */
  readonly architecture: string;
  /** Length of one embedding. */
  readonly dims: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly maxTokens: number;
  readonly layerNormEps: number;
  readonly pooling: 'mean' | 'cls' | 'none';
  /** The embedding table where it is not `hidden` wide or not of 8 bits: its width, and its bits in the file. */
  readonly embedding?: { readonly dims: number; readonly bits?: 4 | 8 | undefined } | undefined;
  /** Rows of a second table of embeddings, by a token's type; token taggers only. */
  readonly types?: number | undefined;
  /** Causal language models only; their `dims` is `hidden`, their `layerNormEps` the RMS norms', pooling none. */
  readonly decoder?: DecoderShape | undefined;
  /** What its makers recommend where a request says nothing; generating models only. */
  readonly sampling?: RecommendedSampling | undefined;
  readonly quantization?: unknown;
  readonly files: readonly ModelFile[];
  readonly languages?: readonly string[] | undefined;
  readonly source?: unknown;
  readonly license?: unknown;
  readonly metrics?: unknown;
  readonly data?: unknown;
}

const digest: z.ZodMiniString = z.string().check(z.regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits'));

const fileSchema: z.ZodMiniType<ModelFile> = z
  .object({
    path: relativePath,
    role: z.enum(['weights', 'tokenizer', 'golden', 'config', 'labels', 'data', 'notice', 'other']),
    bytes: z.int().check(z.nonnegative()),
    sha256: digest,
    pieces: z.optional(z.object({ bytes: positive, sha256: z.array(digest) })),
  })
  .check(
    z.refine(({ bytes, pieces }) => !pieces || pieces.sha256.length === Math.ceil(bytes / pieces.bytes), {
      message: 'as many hashes of pieces as the file has pieces',
      path: ['pieces'],
    }),
  );

const ropeScalingSchema: z.ZodMiniType<RopeScaling> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('linear'), factor: z.number().check(z.positive()) }),
  z.object({
    type: z.literal('llama3'),
    factor: z.number().check(z.positive()),
    lowFrequencyFactor: z.number().check(z.positive()),
    highFrequencyFactor: z.number().check(z.positive()),
    originalContext: positive,
  }),
]);

const decoderSchema: z.ZodMiniType<DecoderShape> = z.looseObject({
  kvHeads: positive,
  headDims: positive,
  rope: z.object({ theta: z.number().check(z.positive()), scaling: z.optional(ropeScalingSchema) }),
  qkvBias: z.boolean(),
  qkNorm: z.boolean(),
  tiedEmbeddings: z.boolean(),
  stopTokens: z.array(z.int().check(z.nonnegative())),
  bosToken: z.optional(z.int().check(z.nonnegative())),
});

const manifestSchema: z.ZodMiniType<Manifest> = z.looseObject({
  schema: z.literal(1),
  id: z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]*$/, 'lower-case letters, digits, dots and dashes')),
  task: z.string(),
  architecture: z.string(),
  dims: positive,
  hidden: positive,
  layers: positive,
  heads: positive,
  intermediate: positive,
  vocab: positive,
  maxTokens: positive,
  layerNormEps: z.number().check(z.positive()),
  pooling: z.enum(['mean', 'cls', 'none']),
  embedding: z.optional(z.looseObject({ dims: positive, bits: z.optional(z.literal([4, 8])) })),
  types: z.optional(positive),
  decoder: z.optional(decoderSchema),
  sampling: z.optional(
    z.object({
      temperature: z.optional(z.number().check(z.nonnegative())),
      topP: z.optional(z.number().check(z.positive())),
      topK: z.optional(z.int().check(z.nonnegative())),
      minP: z.optional(z.number().check(z.nonnegative())),
      repetitionPenalty: z.optional(z.number().check(z.positive())),
    }),
  ),
  files: z.array(fileSchema).check(z.minLength(1)),
  languages: z.optional(z.array(z.string())),
});

/** What the page can show while a model comes. */
export type LoadEvent =
  | ({ readonly type: 'download' } & DownloadProgress & { readonly path: string })
  | { readonly type: 'kept-copy'; readonly path: string; readonly bytes: number }
  | { readonly type: 'kept-copy-dropped'; readonly path: string }
  | { readonly type: 'not-kept'; readonly path: string; readonly code: 'quota-exceeded' | 'storage-failed' }
  | { readonly type: 'ready'; readonly id: string; readonly fetchedBytes: number };

export interface LoadModelOptions {
  /** A manifest, or the URL of one. */
  readonly manifest: string | URL | Manifest;
  /** Folder URL of the files. Default: the manifest's own folder; needed when an object is handed in. */
  readonly baseUrl?: string | URL | undefined;
  /** The app's guarded fetch; this module has none of its own. */
  readonly fetch: GuardedFetch;
  /** Where verified files are kept for the next start. Default: nowhere. */
  readonly store?: ModelStore | undefined;
  /** Files wanted. Default: weights, tokenizer, golden and labels. */
  readonly roles?: readonly FileRole[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((event: LoadEvent) => void) | undefined;
  /** Waits between tries of a cut download; handed in by tests. */
  readonly sleep?: Sleep | undefined;
}

/** A model whose every byte has been checked. */
export interface LoadedModel {
  readonly manifest: Manifest;
  /** Hex SHA-256 of the weights file; part of every cache key. */
  readonly weightsHash: string;
  /** The one file of that role. @throws model-not-found when the manifest names none */
  file(role: FileRole): Uint8Array<ArrayBuffer>;
  has(role: FileRole): boolean;
}

const DEFAULT_ROLES: readonly FileRole[] = Object.freeze(['weights', 'tokenizer', 'golden', 'labels']);

/** @throws model-unsupported naming the first field at fault */
export function parseManifest(value: unknown): Manifest {
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'the manifest';
  throw new NearfieldError('model-unsupported', `Manifest field ${field}: ${issue?.message ?? 'not valid'}.`);
}

/**
 * Brings a model's files from the store or the network, each verified before use.
 * Resumes a cut download with Range; an abort leaves nothing behind; a full or failing store never
 * fails the load.
 * @throws integrity-mismatch, model-not-found, model-load-failed, model-unsupported, AbortError
 */
export async function loadModel(options: LoadModelOptions): Promise<LoadedModel> {
  options.signal?.throwIfAborted();
  const { manifest, baseUrl } = await readManifest(options);
  const roles = options.roles ?? DEFAULT_ROLES;
  const files = new Map<FileRole, Uint8Array<ArrayBuffer>>();
  let fetchedBytes = 0;
  for (const file of manifest.files.filter((entry) => roles.includes(entry.role))) {
    const loaded = await loadFile(file, new URL(file.path, baseUrl), options);
    fetchedBytes += loaded.fetchedBytes;
    files.set(file.role, loaded.bytes);
  }
  options.onProgress?.({ type: 'ready', id: manifest.id, fetchedBytes });
  return describeModel(manifest, files);
}

/** A loaded model from bytes that are already here and already verified. */
export function describeModel(
  manifest: Manifest,
  files: ReadonlyMap<FileRole, Uint8Array<ArrayBuffer>>,
): LoadedModel {
  const weights = manifest.files.find((file) => file.role === 'weights');
  if (weights === undefined) {
    throw new NearfieldError('model-unsupported', `Manifest ${manifest.id} names no file of role weights.`);
  }
  return {
    manifest,
    weightsHash: weights.sha256,
    has: (role) => files.has(role),
    file(role) {
      const bytes = files.get(role);
      if (bytes !== undefined) return bytes;
      throw new NearfieldError('model-not-found', `Model ${manifest.id} has no file of role ${role}.`);
    },
  };
}

/** @throws integrity-mismatch when length or SHA-256 differ from the manifest's */
export async function verifyFile(file: ModelFile, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (bytes.byteLength !== file.bytes) {
    throw mismatch(file, `expected ${file.bytes} bytes, got ${bytes.byteLength}`);
  }
  const actual = await sha256Hex(bytes);
  if (actual !== file.sha256) throw mismatch(file, `expected SHA-256 ${file.sha256}, got ${actual}`);
}

function mismatch(file: ModelFile, what: string): NearfieldError {
  return new NearfieldError(
    'integrity-mismatch',
    `${file.path}: ${what}. The file was not used; publish it again or correct the manifest.`,
  );
}

async function readManifest(options: LoadModelOptions): Promise<{ manifest: Manifest; baseUrl: URL }> {
  const given = options.manifest;
  if (typeof given !== 'string' && !(given instanceof URL)) {
    if (options.baseUrl === undefined) {
      throw new NearfieldError(
        'invalid-request',
        'A manifest object needs baseUrl, the folder of its files.',
      );
    }
    return { manifest: parseManifest(given), baseUrl: folderUrl(options.baseUrl) };
  }
  const response = await options.fetch(given, options.signal ? { signal: options.signal } : {});
  if (!response.ok) {
    const code = response.status === 404 ? 'model-not-found' : 'model-load-failed';
    throw new NearfieldError(code, `Manifest ${String(given)}: HTTP ${response.status}.`);
  }
  const manifest = parseManifest(await response.json());
  return { manifest, baseUrl: folderUrl(options.baseUrl ?? new URL('.', given)) };
}

function folderUrl(base: string | URL): URL {
  const url = new URL(base);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

interface LoadedFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly fetchedBytes: number;
}

async function loadFile(file: ModelFile, url: URL, options: LoadModelOptions): Promise<LoadedFile> {
  const kept = await keptCopy(file, options);
  if (kept !== undefined) return { bytes: kept, fetchedBytes: 0 };
  const { store, fetch, signal, sleep, onProgress } = options;
  const download = await downloadFile({
    url,
    file,
    fetch,
    store,
    signal,
    sleep,
    verify: (bytes) => verifyFile(file, bytes),
    onProgress: (progress) => onProgress?.({ type: 'download', path: file.path, ...progress }),
  });
  await keep(file, download.bytes, options);
  return download;
}

/** A kept copy is trusted no more than the network: it is hashed, and dropped when wrong. */
async function keptCopy(
  file: ModelFile,
  options: LoadModelOptions,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { store, onProgress } = options;
  const bytes = await store?.get(file.sha256).catch(() => undefined);
  if (store === undefined || bytes === undefined) return undefined;
  try {
    await verifyFile(file, bytes);
    onProgress?.({ type: 'kept-copy', path: file.path, bytes: bytes.byteLength });
    return bytes;
  } catch {
    await store.delete(file.sha256).catch(() => undefined);
    onProgress?.({ type: 'kept-copy-dropped', path: file.path });
    return undefined;
  }
}

/** Keeping is a convenience: when the disk is full the model still runs, from memory. */
async function keep(
  file: ModelFile,
  bytes: Uint8Array<ArrayBuffer>,
  options: LoadModelOptions,
): Promise<void> {
  const { store, signal, onProgress } = options;
  if (store === undefined) return;
  try {
    await store.put(file.sha256, bytes);
  } catch (error) {
    const full = error instanceof NearfieldError && error.code === 'quota-exceeded';
    onProgress?.({ type: 'not-kept', path: file.path, code: full ? 'quota-exceeded' : 'storage-failed' });
  }
  if (signal?.aborted) {
    await store.delete(file.sha256).catch(() => undefined);
    signal.throwIfAborted();
  }
}
