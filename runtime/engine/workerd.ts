// Owns the embedder in workerd: everything comes in as modules of the deployed script, one thread, no
// network, no disk. Modules are hashed when the script is deployed, so only the golden check runs here.
import { describeModel, type FileRole, parseManifest } from '../models.ts';
import type { Embedder } from '../types.ts';
import type { BackendFactory } from './backend.ts';
import { createLocalEmbedder } from './embedder.ts';
import { type AskGuard, openGuardOnce } from './guard/index.ts';
import { kernelCompiled } from './kernel-rows.ts';
import { ortWasmCompiled } from './ort-workerd.ts';
import { createLocalTokenEncoder, type LocalTokenEncoder } from './token-encoder.ts';

export interface WorkerdEmbedderOptions {
  /** The model's manifest.json, parsed or not yet checked. */
  readonly manifest: unknown;
  /** The weights file, as workerd gives a Data module. */
  readonly weights: ArrayBuffer | Uint8Array<ArrayBuffer>;
  /** tokenizer.json: its text, or the bytes. */
  readonly tokenizerJson: string | ArrayBuffer | Uint8Array<ArrayBuffer>;
  /** `onnxruntime-web/ort-wasm-simd-threaded.wasm`, imported as a compiled module. */
  readonly ortWasm?: WebAssembly.Module | undefined;
  /** The kernel's `kernel.wasm`, imported as a compiled module; tried before ONNX Runtime. */
  readonly kernelWasm?: WebAssembly.Module | undefined;
  /** golden.json; without it no backend is checked. */
  readonly golden?: string | ArrayBuffer | Uint8Array<ArrayBuffer> | undefined;
  /** Rows tried before ONNX Runtime. */
  readonly backends?: readonly BackendFactory[] | undefined;
  readonly maxQueuedRows?: number | undefined;
  readonly onFall?: ((from: string, error: unknown) => void) | undefined;
}

/**
 * An embedder in this isolate. Nothing is compiled or run before the first text.
 * @throws model-unsupported, golden-mismatch
 */
export async function createWorkerdEmbedder(options: WorkerdEmbedderOptions): Promise<Embedder> {
  const manifest = parseManifest(options.manifest);
  const files = new Map<FileRole, Uint8Array<ArrayBuffer>>([
    ['weights', toBytes(options.weights)],
    ['tokenizer', toBytes(options.tokenizerJson)],
  ]);
  if (options.golden !== undefined) files.set('golden', toBytes(options.golden));
  const ort = options.ortWasm === undefined ? [] : [ortWasmCompiled(options.ortWasm)];
  const own = options.kernelWasm === undefined ? [] : [kernelCompiled(options.kernelWasm)];
  return createLocalEmbedder({
    model: describeModel(manifest, files),
    backends: [...(options.backends ?? []), ...own, ...ort],
    // An isolate lives for one deployment and may not wait: the best listed row that passes is taken.
    contenders: 1,
    maxQueuedRows: options.maxQueuedRows,
    // Timers and messages of one request may not wake another's work here; microtasks may.
    lingerMs: 0,
    defer: queueMicrotask,
    onFall: options.onFall,
  });
}

export interface WorkerdTokenEncoderOptions {
  readonly manifest: unknown;
  readonly weights: ArrayBuffer | Uint8Array<ArrayBuffer>;
  /** The kernel's `kernel.wasm`, imported as a compiled module. */
  readonly kernelWasm: WebAssembly.Module;
  /** Its small files by role: `tokenizer`, `labels`, and `golden`, without which the kernel is not checked. */
  readonly files: Readonly<Partial<Record<FileRole, string | ArrayBuffer | Uint8Array<ArrayBuffer>>>>;
}

/** A token encoder in this isolate, opened at its first run. @throws model-unsupported */
export function createWorkerdTokenEncoder(options: WorkerdTokenEncoderOptions): LocalTokenEncoder {
  const files = filesOf({ ...options.files, weights: options.weights });
  return createLocalTokenEncoder({
    model: describeModel(parseManifest(options.manifest), files),
    backends: [kernelCompiled(options.kernelWasm)],
  });
}

/** The guard's files, as modules of the script or read from its assets. */
export type WorkerdGuardOptions = Pick<
  WorkerdEmbedderOptions,
  'manifest' | 'weights' | 'tokenizerJson' | 'golden'
>;

/**
 * The guard of a cache: does a kept question ask the same as a new one? Opens at the first question; files that
 * cannot be had fail questions, never the start.
 */
export function createWorkerdGuard(load: () => Promise<WorkerdGuardOptions>): AskGuard {
  return openGuardOnce(async () => {
    const options = await load();
    const { manifest, weights, tokenizerJson, golden } = options;
    return describeModel(parseManifest(manifest), filesOf({ weights, tokenizer: tokenizerJson, golden }));
  });
}

type FileBytes = string | ArrayBuffer | Uint8Array<ArrayBuffer> | undefined;

function filesOf(
  given: Readonly<Partial<Record<FileRole, FileBytes>>>,
): ReadonlyMap<FileRole, Uint8Array<ArrayBuffer>> {
  return new Map(
    Object.entries(given).flatMap(([role, value]) =>
      value === undefined ? [] : [[role as FileRole, toBytes(value)] as const],
    ),
  );
}

function toBytes(value: string | ArrayBuffer | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  return value instanceof Uint8Array ? value : new Uint8Array(value);
}
