// Owns running an encoder on ONNX Runtime Web: feeds, pooling, error codes. The runtime's module is handed
// in, because which build and whose .wasm differ by place; nothing here may reach a network.
import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-web';
import { NearfieldError } from '../errors.ts';
import type { Manifest } from '../models.ts';
import type { BackendId, EncoderInput, EncoderSession } from '../types.ts';
import { normalizeRows, poolRows } from './pooling.ts';

/** The part of the onnxruntime-web module used here. */
export interface OrtModule {
  readonly InferenceSession: {
    create(bytes: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

export interface OrtEncoderOptions {
  readonly backend: Extract<BackendId, 'ort-webgpu' | 'ort-wasm'>;
  /** The GPU device to compute on; WebGPU only. ONNX Runtime would open one of its own, whose loss nobody sees. */
  readonly device?: GPUDevice | undefined;
  /** Rejects when the device is gone; WebGPU only. Work in flight is rejected with it. */
  readonly lost?: Promise<never> | undefined;
}

/**
 * Opens an encoder whose inputs are input_ids and attention_mask, int64 [rows, tokens], with
 * token_type_ids if the graph asks. Uses the output sentence_embedding [rows, dims] when there is one, else pools
 * last_hidden_state [rows, tokens, hidden].
 * @throws model-load-failed, out-of-memory, backend-unavailable
 */
export async function createOrtEncoder(
  ort: OrtModule,
  weights: Uint8Array,
  manifest: Manifest,
  options: OrtEncoderOptions,
): Promise<EncoderSession> {
  const session = await openSession(ort, weights, options);
  const run = async (input: EncoderInput, output: 'pooled' | 'tokens') => {
    const rows = await runGroups(ort, session, input, output, manifest, options.lost);
    return output === 'pooled' ? normalizeRows(joinRows(rows), manifest.dims) : joinRows(rows);
  };
  // One run at a time: a second would only wait inside ONNX Runtime, where nothing can be cancelled.
  let last: Promise<unknown> = Promise.resolve();
  return {
    backend: options.backend,
    run(input, output) {
      const next = last.then(() => run(input, output)).catch((error) => Promise.reject(ortError(error)));
      last = next.catch(() => undefined);
      return next;
    },
    async dispose() {
      await last;
      await session.release();
    },
  };
}

async function openSession(
  ort: OrtModule,
  weights: Uint8Array,
  options: OrtEncoderOptions,
): Promise<InferenceSession> {
  const webgpu = options.backend === 'ort-webgpu';
  try {
    const opening = ort.InferenceSession.create(weights, {
      executionProviders: [webgpu ? gpuProvider(options.device) : 'wasm'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // A graph half on the CPU is slower than one wholly there, and hides wrong kernels.
      ...(webgpu && { extra: { session: { disable_cpu_ep_fallback: '1' } } }),
    });
    return await withLoss(opening, options.lost);
  } catch (error) {
    throw ortError(error, 'model-load-failed');
  }
}

export function gpuProvider(device: GPUDevice | undefined): InferenceSession.WebGpuExecutionProviderOption {
  return { name: 'webgpu', ...(device !== undefined && { device: device as never }) };
}

/** Rows of one group are padded to the longest of them; a group ends where padding would pass this share. */
const MAX_PADDING_SHARE = 0.2;

async function runGroups(
  ort: OrtModule,
  session: InferenceSession,
  input: EncoderInput,
  output: 'pooled' | 'tokens',
  manifest: Manifest,
  lost: Promise<never> | undefined,
): Promise<Float32Array[]> {
  const rows = new Array<Float32Array>(input.rowTokens.length);
  for (const group of groupByLength(input.rowTokens)) {
    const values = await withLoss(runGroup(ort, session, input, group, output, manifest), lost);
    group.forEach((row, at) => {
      rows[row] = values[at] ?? new Float32Array(0);
    });
  }
  return rows;
}

/** Row numbers, longest first, cut into groups of similar length. */
export function groupByLength(rowTokens: Int32Array): readonly (readonly number[])[] {
  const order = Array.from(rowTokens, (_, row) => row).sort((a, b) => rowTokens[b]! - rowTokens[a]!);
  const groups: number[][] = [];
  for (const row of order) {
    const group = groups.at(-1);
    const longest = group === undefined ? 0 : rowTokens[group[0]!]!;
    if (group === undefined || rowTokens[row]! < longest * (1 - MAX_PADDING_SHARE)) groups.push([row]);
    else group.push(row);
  }
  return groups;
}

async function runGroup(
  ort: OrtModule,
  session: InferenceSession,
  input: EncoderInput,
  group: readonly number[],
  output: 'pooled' | 'tokens',
  manifest: Manifest,
): Promise<readonly Float32Array[]> {
  const lengths = group.map((row) => input.rowTokens[row]!);
  const width = Math.max(...lengths);
  const { ids, mask } = pad(input, group, width);
  const dims = [group.length, width];
  const all: Record<string, () => Tensor> = {
    input_ids: () => new ort.Tensor('int64', ids, dims),
    attention_mask: () => new ort.Tensor('int64', mask, dims),
    token_type_ids: () => new ort.Tensor('int64', new BigInt64Array(ids.length), dims),
  };
  const feeds = Object.fromEntries(
    session.inputNames.map((name) => [name, (all[name] ?? unknownInput(name))()] as const),
  );
  const pooledName = 'sentence_embedding';
  const pooled = output === 'pooled' && session.outputNames.includes(pooledName);
  const name = pooled ? pooledName : 'last_hidden_state';
  const results = await session.run(feeds, [name]);
  const tensor = results[name];
  if (tensor === undefined) throw new NearfieldError('model-unsupported', `The graph has no output ${name}.`);
  const data = (await tensor.getData()) as Float32Array;
  tensor.dispose();
  if (pooled) return group.map((_, at) => data.slice(at * manifest.dims, (at + 1) * manifest.dims));
  const stride = width * manifest.hidden;
  const hidden = lengths.map((length, at) => data.slice(at * stride, at * stride + length * manifest.hidden));
  return output === 'tokens' ? hidden : hidden.map((row) => poolRows(row, manifest));
}

function unknownInput(name: string): never {
  throw new NearfieldError(
    'model-unsupported',
    `The graph asks for an input ${name}, which no encoder here has.`,
  );
}

/** int64 by its low words: ids are never negative, and every platform with WASM is little-endian. */
function pad(
  input: EncoderInput,
  group: readonly number[],
  width: number,
): { ids: BigInt64Array; mask: BigInt64Array } {
  const ids = new BigInt64Array(group.length * width);
  const mask = new BigInt64Array(group.length * width);
  const idWords = new Int32Array(ids.buffer);
  const maskWords = new Int32Array(mask.buffer);
  const starts = rowStarts(input.rowTokens);
  group.forEach((row, at) => {
    const start = starts[row]!;
    for (let token = 0; token < input.rowTokens[row]!; token += 1) {
      const word = (at * width + token) * 2;
      idWords[word] = input.inputIds[start + token]!;
      maskWords[word] = 1;
    }
  });
  return { ids, mask };
}

function rowStarts(rowTokens: Int32Array): Int32Array {
  const starts = new Int32Array(rowTokens.length);
  for (let row = 1; row < rowTokens.length; row += 1) starts[row] = starts[row - 1]! + rowTokens[row - 1]!;
  return starts;
}

function joinRows(rows: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    joined.set(row, at);
    at += row.length;
  }
  return joined;
}

function withLoss<T>(work: Promise<T>, lost: Promise<never> | undefined): Promise<T> {
  return lost === undefined ? work : Promise.race([work, lost]);
}

/** ONNX Runtime throws plain Errors and numbers; the ladder needs codes. */
export function ortError(error: unknown, otherwise: 'internal' | 'model-load-failed' = 'internal'): unknown {
  if (error instanceof NearfieldError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (/bad_alloc|out of memory|allocation failed|Out of memory|failed to allocate/i.test(text)) {
    return new NearfieldError('out-of-memory', 'ONNX Runtime could not get the memory it asked for.', {
      cause: error,
    });
  }
  if (/device.{0,20}(lost|destroyed)|GPUDevice|OperationError/i.test(text)) {
    return new NearfieldError('device-lost', 'The GPU device was lost.', { cause: error });
  }
  const code = /no available backend|initializeWebAssembly|WebAssembly/i.test(text)
    ? 'backend-unavailable'
    : otherwise;
  return new NearfieldError(code, `ONNX Runtime: ${text.slice(0, 300)}`, { cause: error });
}
