// Owns any other causal language model through transformers.js, on WebGPU or WASM, behind the same seam: its
// steps become a decoder, so sampling, grammar and scheduling are ours. Refuses the network of its own: files
// come by the fetch handed in from one folder, ONNX Runtime's from where the app says.
import { NearfieldError } from '../../errors.ts';
import type { GuardedFetch } from '../../types.ts';
import type { Generator } from './generator.ts';
import { type ModelGeneratorOptions, openGenerator } from './open.ts';
import { createTransformersDecoder } from './transformers-decoder.ts';
import type { Decoder } from './types.ts';

export interface TransformersGeneratorOptions extends ModelGeneratorOptions {
  /** URL of the folder that holds the model's folder. */
  readonly baseUrl: string | URL;
  /** The model's folder: config.json, tokenizer.json, tokenizer_config.json, onnx/…. */
  readonly model: string;
  /** Told every file to fetch; no other request is made. */
  readonly fetch: GuardedFetch;
  /** Where ONNX Runtime's own files lie. Default in a page: none, which is refused; in Node they come with it. */
  readonly wasmPaths?: { readonly mjs: string; readonly wasm: string } | undefined;
  /** Default `webgpu` where there is one, else `wasm`; in Node `cpu`. */
  readonly device?: 'webgpu' | 'wasm' | 'cpu' | undefined;
  /** Default `q8`. */
  readonly dtype?: 'fp32' | 'fp16' | 'q8' | 'q4' | 'q4f16' | undefined;
  /** Most tokens a conversation may hold. Default: what config.json says, at most 4096. */
  readonly context?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_CONTEXT = 4096;

/** @throws model-not-found, model-load-failed, model-unsupported, backend-unavailable, AbortError */
export async function createTransformersGenerator(options: TransformersGeneratorOptions): Promise<Generator> {
  const { model: id, fetch, signal } = options;
  const folder = new URL(`${id}/`, String(options.baseUrl).replace(/\/*$/, '/'));
  const read = async (path: string): Promise<Uint8Array> =>
    await readFile(new URL(path, folder), fetch, signal);
  const config = JSON.parse(new TextDecoder().decode(await read('config.json'))) as ModelConfig;
  const texts = { tokenizer: await read('tokenizer.json'), config: await read('tokenizer_config.json') };
  const library = await load();
  const device = configure(library, options);
  const most = config.max_position_embeddings ?? DEFAULT_CONTEXT;
  const facts = {
    backend: `transformers-${device}`,
    vocab: config.vocab_size,
    context: Math.min(options.context ?? DEFAULT_CONTEXT, most),
  };
  const open = async (): Promise<Decoder> => {
    const opened = await library.AutoModelForCausalLM.from_pretrained(id, {
      device,
      dtype: options.dtype ?? 'q8',
    }).catch((cause: unknown) => {
      throw new NearfieldError('model-load-failed', `transformers.js could not open ${id}.`, { cause });
    });
    const decoder = createTransformersDecoder(opened as never, library.Tensor as never, facts);
    if (!signal?.aborted) return decoder;
    await decoder.dispose();
    throw signal.reason;
  };
  const stopTokens = [config.eos_token_id ?? []].flat();
  return await openGenerator(open, { id, decoder: { stopTokens } }, texts, options);
}

interface ModelConfig {
  readonly vocab_size: number;
  readonly max_position_embeddings?: number;
  readonly eos_token_id?: number | readonly number[];
}

async function readFile(url: URL, fetch: GuardedFetch, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const response = await fetch(url, signal ? { signal } : {});
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  const code = response.status === 404 ? 'model-not-found' : 'model-load-failed';
  throw new NearfieldError(code, `${url.pathname.split('/').at(-1)}: HTTP ${response.status}.`);
}

type Library = typeof import('@huggingface/transformers');

async function load(): Promise<Library> {
  try {
    return await import('@huggingface/transformers');
  } catch (cause) {
    throw new NearfieldError(
      'backend-unavailable',
      'This model needs @huggingface/transformers, which is not installed. Add it to the app.',
      { cause },
    );
  }
}

/** The library reads a folder by its path and a site by its URL. */
function placeOf(baseUrl: string | URL): string {
  const url = new URL(String(baseUrl).replace(/\/*$/, '/'));
  return url.protocol === 'file:' ? decodeURIComponent(url.pathname) : url.href;
}

/** Its environment is one for all models on a page; every model of ours wants the same of it. */
function configure(
  { env }: Library,
  { baseUrl, fetch, wasmPaths, device }: TransformersGeneratorOptions,
): 'webgpu' | 'wasm' | 'cpu' {
  const isNode = typeof globalThis.process?.versions?.node === 'string';
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.localModelPath = placeOf(baseUrl);
  env.fetch = fetch;
  const { wasm } = env.backends.onnx;
  if (wasm !== undefined && wasmPaths !== undefined) wasm.wasmPaths = wasmPaths;
  else if (!isNode) {
    throw new NearfieldError(
      'invalid-request',
      'Expected wasmPaths, the app’s own copies of ONNX Runtime’s files; its default asks a CDN.',
      { param: 'wasmPaths' },
    );
  }
  const best = isNode ? 'cpu' : 'gpu' in navigator ? 'webgpu' : 'wasm';
  return device ?? best;
}
