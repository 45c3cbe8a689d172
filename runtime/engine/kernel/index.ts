// Owns an encoder on the kernel: opening one from a model's ONNX file, cutting inputs into jobs and chunks,
// running them. Nothing here allocates but the answers handed out.
import { NearfieldError } from '../../errors.ts';
import type { Manifest } from '../../models.ts';
import type { EncoderInput, EncoderSession } from '../../types.ts';
import { cutChunks, cutJobs, type Job } from './chunks.ts';
import { type Helpers, spawnHelpers } from './helpers.ts';
import * as at from './layout.ts';
import { compileKernel, instantiateKernel, type KernelExports } from './module.ts';
import { readInitializers } from './onnx.ts';
import { PROBE_TOKENS, probeIds, spreadOutliers } from './outliers.ts';
import { fill, type KernelPlan, type Placement, place, writePlan } from './plan.ts';

export { hasRelaxedSimd } from './module.ts';

export interface KernelOptions {
  /** Threads to compute with, this one included; more than one needs shared memory. Default 1. */
  readonly threads?: number | undefined;
  /**
   * `kernel.wasm` or `kernel-plain.wasm` as the host compiled it, for hosts that compile nothing at run time
   * (workerd). One thread then. Default: compiled here, the build this engine can run.
   */
  readonly module?: WebAssembly.Module | undefined;
  /** A helper thread without a sign of work for so long, while waited for, counts as dead. Default 10 s. */
  readonly silenceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an encoder of the BERT family on the INT8 kernel. `weights`: the model's .onnx file, not needed
 * afterwards. Answers are the same bits whatever the build, the threads or the batch around a text. `run` throws
 * device-lost once a helper thread died: open another then.
 * @throws model-unsupported, model-load-failed, out-of-memory, AbortError
 */
export async function createKernelEncoder(
  weights: Uint8Array,
  manifest: Manifest,
  options: KernelOptions = {},
): Promise<EncoderSession> {
  checkShape(manifest);
  const threads = options.module === undefined ? Math.max(1, options.threads ?? 1) : 1;
  const module = options.module ?? (await compileKernel(threads > 1));
  options.signal?.throwIfAborted();
  const placement = place(manifest, threads);
  const memory = reserve(placement.space.bytes, threads > 1);
  const kernel = instantiateKernel(module, memory);
  fill(placement, manifest, readInitializers(weights), kernel, memory);
  findOutliers(placement, manifest, kernel, memory);
  writePlan(placement, manifest, threads, mayBlock(), memory);
  options.signal?.throwIfAborted();
  const helpers = threads > 1 ? await spawnHelpers(module, memory, threads, options) : undefined;
  return createSession(manifest, placement.plan, kernel, memory, threads, helpers);
}

function createSession(
  manifest: Manifest,
  plan: KernelPlan,
  kernel: KernelExports,
  memory: WebAssembly.Memory,
  threads: number,
  helpers: Helpers | undefined,
): EncoderSession {
  let open = true;
  const compute = helpers === undefined ? kernel.run : () => helpers.run(kernel.run);
  return {
    backend: threads > 1 ? 'kernel-threads' : 'kernel',
    async run(input, output) {
      if (!open)
        throw new NearfieldError('backend-unavailable', 'This encoder was disposed of; open another.');
      checkInput(input, manifest);
      return runJobs(input, output, plan, compute, memory, threads);
    },
    async dispose() {
      if (!open) return;
      open = false;
      kernel.stop();
      await helpers?.end();
    },
  };
}

function runJobs(
  input: EncoderInput,
  output: 'pooled' | 'tokens',
  plan: KernelPlan,
  compute: () => void,
  memory: WebAssembly.Memory,
  threads: number,
): Float32Array {
  const rows = output === 'tokens' ? input.inputIds.length : input.rowTokens.length;
  const answer = new Float32Array(rows * plan.dims);
  for (const job of cutJobs(input.rowTokens)) {
    writeJob(input, job, output, plan, memory, threads);
    compute();
    const [first, count] = output === 'tokens' ? [job.firstToken, job.tokens] : [job.firstRow, job.rows];
    answer.set(new Float32Array(memory.buffer, plan.output, count * plan.dims), first * plan.dims);
  }
  return answer;
}

function writeJob(
  input: EncoderInput,
  job: Job,
  output: 'pooled' | 'tokens',
  plan: KernelPlan,
  memory: WebAssembly.Memory,
  threads: number,
): void {
  const ids = input.inputIds.subarray(job.firstToken, job.firstToken + job.tokens);
  const rowTokens = input.rowTokens.subarray(job.firstRow, job.firstRow + job.rows);
  new Int32Array(memory.buffer, plan.ids, ids.length).set(ids);
  if (input.typeIds !== undefined && plan.typeIds !== 0) {
    const types = input.typeIds.subarray(job.firstToken, job.firstToken + job.tokens);
    new Int32Array(memory.buffer, plan.typeIds, types.length).set(types);
  }
  new Int32Array(memory.buffer, plan.rowTokens, rowTokens.length).set(rowTokens);
  const { chunks, count, together } = cutChunks(rowTokens, threads);
  new Int32Array(memory.buffer, plan.chunks, chunks.length).set(chunks);
  const view = new DataView(memory.buffer);
  view.setInt32(at.PLAN + at.CHUNK_COUNT, count, true);
  view.setInt32(at.PLAN + at.OUTPUT_KIND, output === 'tokens' ? 1 : 0, true);
  view.setInt32(at.PLAN + at.TOGETHER, together ? 1 : 0, true);
}

/** One text of fixed tokens, by this thread alone, with the kernel keeping peaks instead of spreading them. */
function findOutliers(
  placement: Placement,
  manifest: Manifest,
  kernel: KernelExports,
  memory: WebAssembly.Memory,
): void {
  writePlan(placement, manifest, 1, false, memory);
  const view = new DataView(memory.buffer);
  const tokens = Math.min(PROBE_TOKENS, manifest.maxTokens);
  const input = {
    inputIds: probeIds(manifest.vocab).subarray(0, tokens),
    rowTokens: Int32Array.of(tokens),
    ...(manifest.types !== undefined && { typeIds: new Int32Array(tokens) }),
  };
  view.setInt32(at.PLAN + at.OBSERVING, 1, true);
  runJobs(input, 'tokens', placement.plan, kernel.run, memory, 1);
  view.setInt32(at.PLAN + at.OBSERVING, 0, true);
  spreadOutliers(placement.matrices, kernel, memory);
}

function reserve(bytes: number, shared: boolean): WebAssembly.Memory {
  const pages = Math.ceil(bytes / 65536);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    const text = `Expected ${Math.ceil(bytes / 2 ** 20)} MiB of memory for the model, the platform refused it.`;
    throw new NearfieldError('out-of-memory', text, { cause });
  }
}

/** False on a page's main thread, where Atomics.wait throws: it spins instead. */
function mayBlock(): boolean {
  return !('document' in globalThis);
}

/** What the kernel's loops take for granted. */
function checkShape(manifest: Manifest): void {
  const { architecture, hidden, heads, intermediate, dims } = manifest;
  const width = hidden / heads;
  const embedDims = manifest.embedding?.dims ?? hidden;
  const fits =
    architecture === 'bert' &&
    width % 16 === 0 &&
    [hidden, intermediate, embedDims, dims].every((n) => n % 8 === 0);
  if (fits) return;
  const text =
    'Expected a bert encoder whose heads are a multiple of 16 wide and whose other widths are multiples of 8; ' +
    `${manifest.id} is ${architecture} with heads of ${width}, hidden ${hidden}, intermediate ${intermediate}, ` +
    `embedding ${embedDims}, dims ${dims}. ONNX Runtime can run it.`;
  throw new NearfieldError('model-unsupported', text);
}

function checkTypes(typeIds: Int32Array, tokens: number, manifest: Manifest): void {
  const { types = 0 } = manifest;
  if (types === 0) return;
  if (typeIds.length === tokens && typeIds.every((type) => type >= 0 && type < types)) return;
  throw new NearfieldError('invalid-request', `Expected ${tokens} type ids, each 0…${types - 1}.`);
}

/** Everything the kernel would otherwise read out of bounds with. */
function checkInput(input: EncoderInput, manifest: Manifest): void {
  let total = 0;
  for (const tokens of input.rowTokens) {
    if (tokens < 1 || tokens > manifest.maxTokens) {
      const text = `Expected 1…${manifest.maxTokens} tokens a row, one has ${tokens}. Truncate first.`;
      throw new NearfieldError('context-overflow', text);
    }
    total += tokens;
  }
  if (total !== input.inputIds.length) {
    const text = `Expected as many ids as rowTokens sum to, ${total}; ${input.inputIds.length} came.`;
    throw new NearfieldError('invalid-request', text);
  }
  if ((input.typeIds === undefined) !== (manifest.types === undefined)) {
    const text = `Expected ${manifest.types === undefined ? 'no type ids' : 'a type id for each token'} for ${manifest.id}.`;
    throw new NearfieldError('invalid-request', text);
  }
  checkTypes(input.typeIds ?? new Int32Array(0), total, manifest);
  for (const id of input.inputIds) {
    if (id < 0 || id >= manifest.vocab) {
      const text = `Expected ids 0…${manifest.vocab - 1}, one is ${id}. Do tokenizer and model belong together?`;
      throw new NearfieldError('invalid-request', text);
    }
  }
}
