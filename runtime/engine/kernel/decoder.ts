// Owns a decoder on the kernel: weights streamed into linear memory, sequences over pages of keys and values, and
// steps of up to 64 rows of any sequences. A row's logits are the same bits whatever the build, the threads, the
// rows beside it, or whether its prompt came in one step or token by token.
import { NearfieldError } from '../../errors.ts';
import type { Manifest } from '../../models.ts';
import type { Decoder, DecoderSequence, ForwardWork } from '../generation/types.ts';
import * as at from './decoder-layout.ts';
import { type DecoderExports, instantiateDecoder } from './decoder-module.ts';
import { createPagePool, type PagePool } from './decoder-pages.ts';
import {
  agrees,
  type DecoderPlan,
  MOST_PICKED,
  MOST_ROWS,
  placeDecoder,
  writeDecoderPlan,
} from './decoder-plan.ts';
import { broken, openWeights, shapeOf, type WeightsSource } from './decoder-weights.ts';
import { type Helpers, spawnHelpers } from './helpers.ts';
import { PLAN } from './layout.ts';
import { compileKernel } from './module.ts';

export type { WeightsSource } from './decoder-weights.ts';

export interface KernelDecoderOptions {
  /** Threads to compute with, this one included; more than one needs shared memory. Default 1. */
  readonly threads?: number | undefined;
  /**
   * `decoder.wasm` or `decoder-plain.wasm` as the host compiled it, for hosts that compile nothing at run time
   * (workerd). One thread then. Default: compiled here, the build this engine can run.
   */
  readonly module?: WebAssembly.Module | undefined;
  /** Most tokens a sequence may hold. Default and upper limit: the manifest's maxTokens. */
  readonly context?: number | undefined;
  /** Most bytes of keys and values, all sequences together. Default 256 MiB. */
  readonly cacheBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A helper thread without a sign of work for so long, while waited for, counts as dead. Default 10 s. */
  readonly silenceMs?: number | undefined;
  /** Told how many bytes of weights lie in memory, of how many. */
  readonly onProgress?: ((bytes: number, of: number) => void) | undefined;
}

const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;
const MOST_MEMORY_BYTES = 65536 * 65536;
/** Rows times layers a call of the kernel takes at most, so that an abort is seen within about 20 ms. */
const SLICE = 192;
/** How long the event loop may wait for us. */
const BUSY_MS = 16;

/**
 * Opens a causal language model of the Llama family. `weights`: the model's weights file, whole or part by part;
 * parts are copied into place as they come, so memory peaks at the model and one part. `forward` throws device-lost
 * once a helper thread died: open another then.
 * @throws model-unsupported, model-load-failed, out-of-memory, backend-unavailable, AbortError
 */
export async function createKernelDecoder(
  weights: WeightsSource,
  manifest: Manifest,
  options: KernelDecoderOptions = {},
): Promise<Decoder> {
  const { signal, cacheBytes = DEFAULT_CACHE_BYTES } = options;
  const shape = shapeOf(manifest, options.context);
  const threads = options.module === undefined ? Math.max(1, options.threads ?? 1) : 1;
  const module = options.module ?? (await compileKernel(threads > 1, undefined, 'decoder'));
  signal?.throwIfAborted();
  const { index, data } = await openWeights(weights);
  const plan = placeDecoder(shape, index, threads);
  const memory = reserve(plan.end, cacheBytes, threads > 1);
  await fill(memory, plan.weights, index.bytes, data, options);
  const kernel = instantiateDecoder(module, memory);
  if (!agrees(plan, kernel))
    throw new NearfieldError('internal', 'Host and decoder kernel disagree on sizes.');
  writeDecoderPlan(plan, index, threads, !('document' in globalThis), memory);
  const helpers = threads > 1 ? await spawnHelpers(module, memory, threads, options) : undefined;
  const pool = createPagePool(memory, plan.end, plan.pageBytes, cacheBytes);
  return new KernelDecoder(plan, index.bytes, kernel, memory, pool, helpers);
}

function reserve(bytes: number, cacheBytes: number, shared: boolean): WebAssembly.Memory {
  const pages = Math.ceil(bytes / 65536);
  const maximum = Math.min(65536, pages + Math.ceil(cacheBytes / 65536) + 1);
  try {
    if (bytes > MOST_MEMORY_BYTES) throw new RangeError('beyond 4 GiB');
    return new WebAssembly.Memory({ initial: pages, maximum, shared });
  } catch (cause) {
    const text = `Expected ${Math.ceil(bytes / 2 ** 20)} MiB of memory for the model, the platform refused it.`;
    throw new NearfieldError('out-of-memory', text, { cause });
  }
}

async function fill(
  memory: WebAssembly.Memory,
  start: number,
  bytes: number,
  data: AsyncIterable<Uint8Array>,
  options: KernelDecoderOptions,
): Promise<void> {
  const target = new Uint8Array(memory.buffer, start, bytes);
  let filled = 0;
  for await (const part of data) {
    options.signal?.throwIfAborted();
    if (filled + part.byteLength > bytes) throw broken('it is longer than its header says');
    target.set(part, filled);
    filled += part.byteLength;
    options.onProgress?.(filled, bytes);
  }
  if (filled !== bytes) throw broken(`it ends after ${filled} of ${bytes} bytes`);
}

/** One token on its way: whose, where, and where its logits go. */
interface Row {
  readonly sequence: KernelSequence;
  readonly id: number;
  readonly position: number;
  /** Logits wanted, [vocab]. */
  readonly out: Float32Array | undefined;
}

class KernelDecoder implements Decoder {
  readonly backend: string;
  readonly vocab: number;
  readonly context: number;
  readonly #plan: DecoderPlan;
  readonly #weightBytes: number;
  readonly #pool: PagePool;
  readonly #helpers: Helpers | undefined;
  readonly #sequences = new Set<KernelSequence>();
  // Let go of when disposed: a kept reference to the decoder must not keep its weights.
  #memory: WebAssembly.Memory | undefined;
  #kernel: DecoderExports | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #yieldedMs = 0;

  constructor(
    plan: DecoderPlan,
    weightBytes: number,
    kernel: DecoderExports,
    memory: WebAssembly.Memory,
    pool: PagePool,
    helpers: Helpers | undefined,
  ) {
    this.#plan = plan;
    this.#weightBytes = weightBytes;
    this.#kernel = kernel;
    this.#memory = memory;
    this.#pool = pool;
    this.#helpers = helpers;
    this.backend = helpers === undefined ? 'kernel' : 'kernel-threads';
    this.vocab = plan.shape.vocab;
    this.context = plan.shape.context;
  }

  open(): DecoderSequence {
    this.#live();
    return this.#add(
      new KernelSequence(
        this.#pool,
        (copy) => this.#add(copy),
        (gone) => this.#sequences.delete(gone),
      ),
    );
  }

  #add(sequence: KernelSequence): KernelSequence {
    this.#sequences.add(sequence);
    return sequence;
  }

  forward(
    work: readonly ForwardWork[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly Float32Array[]> {
    // One at a time: activations between two calls of the kernel belong to one forward.
    const turn = this.#turn.then(() => this.#forward(work, options.signal));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #forward(
    work: readonly ForwardWork[],
    signal: AbortSignal | undefined,
  ): Promise<readonly Float32Array[]> {
    this.#live();
    signal?.throwIfAborted();
    const sequences = this.#check(work);
    const outs = work.map(({ tokens, logits }) => {
      return new Float32Array(
        logits === 'none' ? 0 : logits === 'last' ? this.vocab : tokens.length * this.vocab,
      );
    });
    try {
      for (const [item, { tokens }] of work.entries()) sequences[item]!.reserve(tokens.length);
      const rows = work.flatMap((item, at) => this.#rowsOf(item, sequences[at]!, outs[at]!));
      for (let from = 0; from < rows.length; from += MOST_ROWS) {
        await this.#run(rows.slice(from, from + MOST_ROWS), signal);
      }
    } catch (error) {
      for (const sequence of sequences) sequence.trim();
      throw error;
    }
    for (const [item, { tokens }] of work.entries()) sequences[item]!.advance(tokens.length);
    return outs;
  }

  /** @throws invalid-request, context-overflow */
  #check(work: readonly ForwardWork[]): readonly KernelSequence[] {
    const sequences = work.map(({ sequence }) => sequence);
    const known = sequences.filter(
      (each): each is KernelSequence => each instanceof KernelSequence && this.#sequences.has(each),
    );
    if (known.length < work.length || new Set(known).size < work.length) {
      throw new NearfieldError('invalid-request', 'Expected distinct open sequences of this decoder.');
    }
    for (const { sequence, tokens } of work) {
      if (tokens.length === 0)
        throw new NearfieldError('invalid-request', 'Expected at least one token a sequence.');
      for (const id of tokens) {
        if (Number.isInteger(id) && id >= 0 && id < this.vocab) continue;
        const text = `Expected ids 0…${this.vocab - 1}, one is ${id}. Do tokenizer and model belong together?`;
        throw new NearfieldError('invalid-request', text);
      }
      const total = sequence.length + tokens.length;
      if (total <= this.context) continue;
      const text = `The model holds ${this.context} tokens, the conversation has ${total}. Shorten it.`;
      throw new NearfieldError('context-overflow', text);
    }
    return known;
  }

  #rowsOf(work: ForwardWork, sequence: KernelSequence, out: Float32Array): Row[] {
    const { tokens, logits } = work;
    return tokens.map((id, index) => ({
      sequence,
      id,
      position: sequence.length + index,
      out:
        logits === 'all'
          ? out.subarray(index * this.vocab, (index + 1) * this.vocab)
          : logits === 'last' && index === tokens.length - 1
            ? out
            : undefined,
    }));
  }

  /** Up to 64 rows through all layers, and to logits where wanted. */
  async #run(rows: readonly Row[], signal: AbortSignal | undefined): Promise<void> {
    this.#write(rows);
    const { layers } = this.#plan.shape;
    const slice = Math.max(1, Math.floor(SLICE / rows.length));
    for (let layer = 0; layer < layers; layer += slice) {
      await this.#breathe(signal);
      this.#set(at.D_PHASE, at.PHASE_LAYERS);
      this.#set(at.D_ROWS, rows.length);
      this.#set(at.D_FIRST_LAYER, layer);
      this.#set(at.D_LAST_LAYER, Math.min(layers, layer + slice));
      this.#compute();
    }
    const picked = rows.flatMap(({ out }, row) => (out === undefined ? [] : [{ row, out }]));
    for (let from = 0; from < picked.length; from += MOST_PICKED) {
      await this.#breathe(signal);
      this.#logits(picked.slice(from, from + MOST_PICKED));
    }
  }

  #logits(picked: readonly { readonly row: number; readonly out: Float32Array }[]): void {
    const { buffer } = this.#live();
    new Int32Array(buffer, this.#plan.picked, picked.length).set(picked.map(({ row }) => row));
    this.#set(at.D_PHASE, at.PHASE_HEAD);
    this.#set(at.D_ROWS, picked.length);
    this.#compute();
    picked.forEach(({ out }, index) => {
      out.set(new Float32Array(buffer, this.#plan.logits + index * this.vocab * 4, this.vocab));
    });
  }

  /** @throws device-lost when a helper thread died */
  #compute(): void {
    const { run } = this.#kernel!;
    if (this.#helpers === undefined) run();
    else this.#helpers.run(run);
  }

  /** Ids, positions and page tables of the rows. */
  #write(rows: readonly Row[]): void {
    const { buffer } = this.#live();
    const plan = this.#plan;
    const ids = new Int32Array(buffer, plan.ids, rows.length);
    const positions = new Int32Array(buffer, plan.positions, rows.length);
    const tables = new Uint32Array(buffer, plan.tables, rows.length);
    const addresses = new Map<KernelSequence, number>();
    rows.forEach((row, index) => {
      let address = addresses.get(row.sequence);
      if (address === undefined) {
        address = plan.pageTables + addresses.size * plan.tableBytes;
        new Uint32Array(buffer, address, row.sequence.pages.length).set(row.sequence.pages);
        addresses.set(row.sequence, address);
      }
      ids[index] = row.id;
      positions[index] = row.position;
      tables[index] = address;
    });
  }

  /** Lets the event loop turn now and then, and sees an abort. */
  async #breathe(signal: AbortSignal | undefined): Promise<void> {
    const now = performance.now();
    if (now - this.#yieldedMs > BUSY_MS) {
      await nextTurn();
      this.#yieldedMs = performance.now();
    }
    signal?.throwIfAborted();
    this.#live();
  }

  #set(field: number, value: number): void {
    new DataView(this.#live().buffer).setInt32(PLAN + field, value, true);
  }

  #live(): WebAssembly.Memory {
    if (this.#memory !== undefined) return this.#memory;
    throw new NearfieldError('backend-unavailable', 'This decoder was disposed of; open another.');
  }

  memory(): { readonly weightBytes: number; readonly cacheBytes: number; readonly totalBytes: number } {
    const memory = this.#memory;
    if (memory === undefined) return { weightBytes: 0, cacheBytes: 0, totalBytes: 0 };
    return {
      weightBytes: this.#weightBytes,
      cacheBytes: this.#pool.usedBytes,
      totalBytes: memory.buffer.byteLength,
    };
  }

  async dispose(): Promise<void> {
    if (this.#memory === undefined) return;
    for (const sequence of [...this.#sequences]) sequence.close();
    this.#memory = undefined;
    await this.#turn;
    this.#kernel?.stop();
    this.#kernel = undefined;
    this.#pool.drop();
    await this.#helpers?.end();
  }
}

class KernelSequence implements DecoderSequence {
  /** Addresses of its pages, 16 tokens each. */
  readonly pages: number[] = [];
  readonly #pool: PagePool;
  readonly #onFork: (copy: KernelSequence) => KernelSequence;
  readonly #onClose: (gone: KernelSequence) => void;
  #length = 0;
  #open = true;

  constructor(
    pool: PagePool,
    onFork: (copy: KernelSequence) => KernelSequence,
    onClose: (gone: KernelSequence) => void,
  ) {
    this.#pool = pool;
    this.#onFork = onFork;
    this.#onClose = onClose;
  }

  get length(): number {
    return this.#length;
  }

  /** Pages of its own for so many tokens more. @throws out-of-memory */
  reserve(tokens: number): void {
    const first = Math.floor(this.#length / at.PAGE);
    const last = Math.floor((this.#length + tokens - 1) / at.PAGE);
    for (let page = first; page <= last; page += 1) {
      const held = this.pages[page];
      if (held === undefined) this.pages.push(this.#pool.take());
      else this.pages[page] = this.#pool.own(held);
    }
  }

  advance(tokens: number): void {
    // Closed while its step ran: its pages are gone already.
    if (this.#open) this.#length += tokens;
  }

  /** Gives back pages beyond the last token. */
  trim(): void {
    const kept = Math.ceil(this.#length / at.PAGE);
    for (const page of this.pages.splice(kept)) this.#pool.release(page);
  }

  truncate(length: number): void {
    this.#length = this.#prefix(length);
    this.trim();
  }

  fork(length: number): DecoderSequence {
    const kept = this.#prefix(length);
    if (!this.#open) throw new NearfieldError('invalid-request', 'This sequence was closed.');
    const copy = new KernelSequence(this.#pool, this.#onFork, this.#onClose);
    copy.#length = kept;
    for (const page of this.pages.slice(0, Math.ceil(kept / at.PAGE))) {
      this.#pool.share(page);
      copy.pages.push(page);
    }
    return this.#onFork(copy);
  }

  #prefix(length: number): number {
    if (Number.isInteger(length) && length >= 0 && length <= this.#length) return length;
    throw new NearfieldError('invalid-request', `Expected 0…${this.#length} tokens to keep, ${length} came.`);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#length = 0;
    this.trim();
    this.#onClose(this);
  }
}

/** After whatever the event loop has waiting. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
