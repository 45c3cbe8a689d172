// Owns the in-process embedder: text to ids, ids to batches, batches to the ladder's session, rows back to
// the callers. Node, workerd and the browser's worker all run this one.
import { isNearfieldError, NearfieldError } from '../errors.ts';
import type { LoadedModel } from '../models.ts';
import type { Embedder, EncoderSession } from '../types.ts';
import type { BackendFactory } from './backend.ts';
import { createBatcher, type Timer } from './batcher.ts';
import { checkSession, checkTokenizer, type Golden, packRows, parseGolden } from './golden.ts';
import type { MemoryBudget } from './memory.ts';
import { type ChoiceStore, createLadder, type OpenRung, type Rung } from './session.ts';
import { createTokenizer } from './tokenizer.ts';

export interface LocalEmbedderOptions {
  readonly model: LoadedModel;
  readonly backends: readonly BackendFactory[];
  readonly threads?: number | undefined;
  /** Names this device in the remembered choice. Default `local`. */
  readonly device?: string | undefined;
  readonly choices?: ChoiceStore | undefined;
  readonly contenders?: number | undefined;
  /** A backend that has not opened by then is left. Default 60 s. */
  readonly openTimeoutMs?: number | undefined;
  readonly memoryBudget?: MemoryBudget | undefined;
  readonly maxQueuedRows?: number | undefined;
  readonly lingerMs?: number | undefined;
  readonly timer?: Timer | undefined;
  readonly defer?: ((callback: () => void) => void) | undefined;
  readonly onFall?: ((from: string, error: unknown) => void) | undefined;
}

export interface LocalEmbedder extends Embedder {
  /** Opens the backend now instead of at the first text. Returns its id. */
  warm(signal?: AbortSignal): Promise<string>;
  /** Milliseconds of one run of a short sentence on the open backend. */
  time(): Promise<number>;
}

/**
 * An embedder in this very thread.
 * @throws golden-mismatch when the tokenizer differs from the reference; model-unsupported
 */
export function createLocalEmbedder(options: LocalEmbedderOptions): LocalEmbedder {
  const { model, backends } = options;
  const { manifest } = model;
  const golden = model.has('golden') ? parseGolden(model.file('golden')) : undefined;
  const tokenizer = createTokenizer(model.file('tokenizer'), manifest.maxTokens);
  if (golden !== undefined) checkTokenizer(tokenizer, golden);
  const ladder = createLadder<EncoderSession>({
    rungs: backends.map((factory) => toRung(factory, options, golden)),
    choiceKey: `${options.device ?? 'local'}/${model.weightsHash}`,
    choices: options.choices,
    contenders: options.contenders,
    openTimeoutMs: options.openTimeoutMs,
    onFall: options.onFall,
    memory: options.memoryBudget && {
      budget: options.memoryBudget,
      bytes: model.file('weights').byteLength,
    },
  });
  const run = async (rows: readonly Int32Array[]): Promise<readonly Float32Array[]> => {
    const input = packRows(rows);
    const values = await ladder.use((session) => session.run(input, 'pooled'));
    return rows.map((_, at) => values.slice(at * manifest.dims, (at + 1) * manifest.dims));
  };
  const batcher = createBatcher<Int32Array, Float32Array>({
    run,
    tokensOf: (row) => row.length,
    batchTokens: () => backends.find((entry) => entry.id === ladder.backend())?.batchTokens ?? 512,
    maxQueuedRows: options.maxQueuedRows,
    lingerMs: options.lingerMs,
    timer: options.timer,
    defer: options.defer,
  });
  return {
    model: manifest.id,
    weightsHash: model.weightsHash,
    dims: manifest.dims,
    maxTokens: manifest.maxTokens,
    backend: () => ladder.backend() ?? 'none',
    async embed(texts, { signal, scope } = {}) {
      signal?.throwIfAborted();
      const rows = texts.map((text) => tokenizer.encode(text));
      const embeddings = await batcher.submit(rows, { signal, scope });
      return { embeddings, tokens: rows.reduce((sum, row) => sum + row.length, 0) };
    },
    warm: (signal) => ladder.warm(signal),
    time: () => ladder.use((session) => timeSession(session, golden, manifest.vocab)),
    async dispose() {
      batcher.close(new DOMException('The embedder was disposed.', 'AbortError'));
      await ladder.dispose();
    },
  };
}

function toRung(
  factory: BackendFactory,
  options: LocalEmbedderOptions,
  golden: Golden | undefined,
): Rung<EncoderSession> {
  const { model, threads } = options;
  return {
    id: factory.id,
    available: () => factory.available(),
    async open(): Promise<OpenRung<EncoderSession>> {
      const session = await factory.create(model, { threads }).catch((error) => {
        throw isNearfieldError(error) ? error : loadFailed(factory.id, error);
      });
      try {
        if (golden !== undefined) await checkSession(session, golden);
      } catch (error) {
        await session.dispose().catch(() => undefined);
        throw error;
      }
      return {
        value: session,
        time: () => timeSession(session, golden, model.manifest.vocab),
        dispose: () => session.dispose(),
      };
    },
  };
}

/** A backend's module that can not be imported throws what the platform throws. */
function loadFailed(id: string, cause: unknown): NearfieldError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new NearfieldError('backend-unavailable', `${id} could not start: ${said.slice(0, 300)}`, { cause });
}

const TIMING_RUNS = 5;

/** Median milliseconds of a short row: the size an interactive page sends most. */
async function timeSession(
  session: EncoderSession,
  golden: Golden | undefined,
  vocab: number,
): Promise<number> {
  const ids = golden?.inputIds[0] ?? Array.from({ length: 16 }, (_, at) => (at * 7) % vocab);
  const input = packRows([Int32Array.from(ids)]);
  const samples: number[] = [];
  for (let at = 0; at < TIMING_RUNS; at += 1) {
    const start = performance.now();
    await session.run(input, 'pooled');
    samples.push(performance.now() - start);
  }
  return samples.sort((a, b) => a - b)[TIMING_RUNS >> 1]!;
}
