// Owns a decoder on ONNX Runtime's WebGPU: feeds, the caches that stay on the GPU, one run at a time.
// The module and its device are handed in; nothing here may reach a network.
import type { InferenceSession, Tensor, TensorConstructor, TensorFactory } from 'onnxruntime-web';
import { isNearfieldError, NearfieldError } from '../../errors.ts';
import { gpuProvider, ortError } from '../ort.ts';
import {
  buildDecoderGraph,
  cacheNames,
  type GraphShape,
  type Int8Matrix,
  type LlamaTensors,
} from './ort-decoder-graph.ts';
import type { Decoder, DecoderSequence, ForwardWork } from './types.ts';

/** The part of the onnxruntime-web module used here. */
export interface OrtGpuModule {
  readonly InferenceSession: {
    create(bytes: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor & TensorFactory;
}

export interface OrtDecoderOptions {
  readonly device: GPUDevice;
  /** Rejects when the device is gone; runs under way are rejected with it. */
  readonly lost?: Promise<never> | undefined;
  /** Most tokens a sequence may hold; each sequence's buffers are made this long. */
  readonly context: number;
  /** Most bytes of keys and values, all open sequences together. Default 256 MiB. */
  readonly cacheBytes?: number | undefined;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

/** Prompt tokens a run: bounds the GPU's scratch and how late an abort is seen. */
const CHUNK = 256;

/** @throws model-load-failed, out-of-memory, device-lost */
export async function createOrtDecoder(
  ort: OrtGpuModule,
  shape: GraphShape,
  tensors: LlamaTensors,
  options: OrtDecoderOptions,
): Promise<Decoder> {
  const { model, external } = buildDecoderGraph(shape, tensors, options.context);
  const session = await withLoss(open(ort, options.device, model, external), options.lost);
  const table = tensors.matrix('model.embed_tokens.weight');
  const weightBytes = external.reduce((sum, { data }) => sum + data.byteLength, table.codes.byteLength);
  return new OrtDecoder({ ort, session, shape, table, weightBytes, options });
}

interface Parts {
  readonly ort: OrtGpuModule;
  readonly session: InferenceSession;
  readonly shape: GraphShape;
  /** Rows of embeddings, looked up by the host. */
  readonly table: Int8Matrix;
  readonly weightBytes: number;
  readonly options: OrtDecoderOptions;
}

async function open(
  ort: OrtGpuModule,
  device: GPUDevice,
  model: Uint8Array,
  external: readonly { path: string; data: Uint8Array }[],
): Promise<InferenceSession> {
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [gpuProvider(device)],
      externalData: [...external],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    });
  } catch (error) {
    throw ortError(error, 'model-load-failed');
  }
}

class OrtDecoder implements Decoder {
  readonly backend = 'ort-webgpu';
  readonly vocab: number;
  readonly context: number;
  readonly #parts: Parts;
  readonly #open = new Set<Sequence>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.vocab = parts.shape.vocab;
    this.context = parts.options.context;
  }

  open(): DecoderSequence {
    return this.#reserve();
  }

  memory(): ReturnType<Decoder['memory']> {
    const { weightBytes } = this.#parts;
    const cacheBytes = this.#open.size * this.#sequenceBytes();
    return { weightBytes, cacheBytes, totalBytes: weightBytes + cacheBytes };
  }

  forward(
    work: readonly ForwardWork[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly Float32Array[]> {
    const next = this.#last.then(() => this.#forward(work, options.signal));
    this.#last = next.catch(() => undefined);
    return next;
  }

  async dispose(): Promise<void> {
    await this.#last;
    for (const sequence of [...this.#open]) sequence.close();
    await this.#parts.session.release();
  }

  #budget(): number {
    return this.#parts.options.cacheBytes ?? DEFAULT_CACHE_BYTES;
  }

  #sequenceBytes(): number {
    const { kvHeads, headDims, layers } = this.#parts.shape;
    return layers * 2 * kvHeads * headDims * this.context * 4;
  }

  #reserve(): Sequence {
    const bytes = this.#sequenceBytes();
    if ((this.#open.size + 1) * bytes > this.#budget()) {
      const text = `Expected room for ${bytes} more bytes of keys and values; ${this.#open.size} sequences hold the budget of ${this.#budget()}. Close one, or allow a shorter context.`;
      throw new NearfieldError('out-of-memory', text);
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffers = cacheNames(this.#parts.shape).map(() =>
      this.#parts.options.device.createBuffer({ size: bytes / this.#parts.shape.layers / 2, usage }),
    );
    const sequence = new Sequence(buffers, {
      fork: (from, length) => this.#fork(from, length),
      close: (closed) => this.#open.delete(closed),
    });
    this.#open.add(sequence);
    return sequence;
  }

  #fork(from: Sequence, length: number): Sequence {
    const copy = this.#reserve();
    const encoder = this.#parts.options.device.createCommandEncoder();
    from.buffers.forEach((buffer, at) => {
      encoder.copyBufferToBuffer(buffer, 0, copy.buffers[at]!, 0, buffer.size);
    });
    this.#parts.options.device.queue.submit([encoder.finish()]);
    copy.length = length;
    return copy;
  }

  async #forward(
    work: readonly ForwardWork[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Float32Array[]> {
    signal?.throwIfAborted();
    const before = work.map(({ sequence }) => sequence.length);
    try {
      const out: Float32Array[] = [];
      for (const item of work) out.push(await this.#append(item, signal));
      return out;
    } catch (error) {
      work.forEach(({ sequence }, at) => {
        sequence.truncate(before[at]!);
      });
      if (signal?.aborted) throw signal.reason;
      throw (await lossBehind(error, this.#parts.options.lost)) ?? ortError(error);
    }
  }

  async #append(work: ForwardWork, signal: AbortSignal | undefined): Promise<Float32Array> {
    const sequence = this.#check(work);
    const rows: Float32Array[] = [];
    for (let start = 0; start < work.tokens.length; start += CHUNK) {
      signal?.throwIfAborted();
      const tokens = work.tokens.slice(start, start + CHUNK);
      const last = start + CHUNK >= work.tokens.length;
      // A run without a row asked for still gathers one: an empty product is not every kernel's case.
      const kept = work.logits === 'all' ? tokens.map((_, at) => at) : [tokens.length - 1];
      const logits = await this.#run(sequence, tokens, kept, last || work.logits === 'all');
      if (work.logits === 'all' || (last && work.logits === 'last')) rows.push(logits);
      sequence.length += tokens.length;
    }
    return joined(rows);
  }

  #check({ sequence, tokens }: ForwardWork): Sequence {
    if (!(sequence instanceof Sequence) || !this.#open.has(sequence)) {
      throw new NearfieldError('invalid-request', 'Expected an open sequence of this decoder. Open another.');
    }
    const outside = tokens.find((token) => !(token >= 0 && token < this.vocab));
    if (tokens.length === 0 || outside !== undefined) {
      const text = `Expected token ids 0…${this.vocab - 1}, at least one; ${outside === undefined ? 'none came' : `one is ${outside}`}.`;
      throw new NearfieldError('invalid-request', text);
    }
    if (sequence.length + tokens.length > this.context) {
      const text = `Expected at most ${this.context} tokens, ${sequence.length} kept and ${tokens.length} new came. Shorten the conversation.`;
      throw new NearfieldError('context-overflow', text);
    }
    return sequence;
  }

  async #run(
    sequence: Sequence,
    tokens: readonly number[],
    kept: readonly number[],
    read: boolean,
  ): Promise<Float32Array> {
    const { Tensor } = this.#parts.ort;
    const total = sequence.length + tokens.length;
    const caches = this.#caches(sequence);
    const feeds: Record<string, Tensor> = {
      embeds: new Tensor('float32', this.#embed(tokens), [1, tokens.length, this.#parts.shape.hidden]),
      last: new Tensor('int32', Int32Array.of(total - 1), [1]),
      total: new Tensor('int32', Int32Array.of(total), [1]),
      logit_rows: new Tensor('int64', BigInt64Array.from(kept, BigInt), [kept.length]),
      ...Object.fromEntries(caches.map(([name, tensor]) => [`past.${name}`, tensor])),
    };
    const fetches = {
      logits: null,
      ...Object.fromEntries(caches.map(([name, tensor]) => [`present.${name}`, tensor])),
    };
    const { lost } = this.#parts.options;
    const { logits } = await withLoss(this.#parts.session.run(feeds, fetches), lost);
    if (!read || logits === undefined) return new Float32Array(0);
    return (await withLoss(logits.getData(true), lost)) as Float32Array;
  }

  #caches(sequence: Sequence): readonly (readonly [string, Tensor])[] {
    const dims = [1, this.#parts.shape.kvHeads, this.context, this.#parts.shape.headDims];
    return cacheNames(this.#parts.shape).map((name, at) => {
      const gpuBuffer = sequence.buffers[at]! as never;
      return [name, this.#parts.ort.Tensor.fromGpuBuffer(gpuBuffer, { dataType: 'float32', dims })] as const;
    });
  }

  #embed(tokens: readonly number[]): Float32Array {
    const { k, block, codes, scales } = this.#parts.table;
    const out = new Float32Array(tokens.length * k);
    tokens.forEach((token, row) => {
      for (let column = 0; column < k; column += 1) {
        const scale = scales[(token * k + column - (column % block)) / block]!;
        out[row * k + column] = (codes[token * k + column]! - 128) * scale;
      }
    });
    return out;
  }
}

function withLoss<T>(work: Promise<T>, lost: Promise<never> | undefined): Promise<T> {
  return lost === undefined ? work : Promise.race([work, lost]);
}

/** How long after a failure that it caused a loss may be told. Not measured. */
const LOSS_MS = 200;

/** A lost device fails what is under way in its own words, an aborted mapping for one, before it says that it is lost. */
async function lossBehind(error: unknown, lost: Promise<never> | undefined): Promise<unknown> {
  if (lost === undefined || isNearfieldError(error)) return undefined;
  const soon = new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_MS));
  return await Promise.race([lost.catch((loss: unknown) => loss), soon]);
}

class Sequence implements DecoderSequence {
  readonly buffers: readonly GPUBuffer[];
  length = 0;
  readonly #owner: { fork(from: Sequence, length: number): Sequence; close(closed: Sequence): void };

  constructor(
    buffers: readonly GPUBuffer[],
    owner: { fork(from: Sequence, length: number): Sequence; close(closed: Sequence): void },
  ) {
    this.buffers = buffers;
    this.#owner = owner;
  }

  truncate(length: number): void {
    this.length = this.#within(length);
  }

  fork(length: number): DecoderSequence {
    return this.#owner.fork(this, this.#within(length));
  }

  close(): void {
    this.#owner.close(this);
    for (const buffer of this.buffers) buffer.destroy();
  }

  #within(length: number): number {
    if (length >= 0 && length <= this.length) return length;
    throw new NearfieldError('invalid-request', `Expected a length of 0…${this.length}, ${length} came.`);
  }
}

function joined(rows: readonly Float32Array[]): Float32Array {
  if (rows.length === 1) return rows[0]!;
  const out = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    out.set(row, at);
    at += row.length;
  }
  return out;
}
