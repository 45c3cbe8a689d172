// Owns the page's side of the wire: one worker, its open questions, and how its end is noticed. Refuses to
// leave a question open: a worker that errs, closes or is ended fails them all.
import { fromWireError, NearfieldError, type WireError } from '../errors.ts';
import type { LoadedModel } from '../models.ts';
import type { BackendId, EncoderInput } from '../types.ts';
import type { FromWorker, ToWorker } from './wire.ts';

export interface WorkerEngine {
  embed(
    texts: readonly string[],
    options: { readonly scope?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly values: Float32Array; readonly tokens: number }>;
  /** Token scores, [tokens, dims]; only of a model with `task: "tag"`. */
  run(input: EncoderInput, options: { readonly signal?: AbortSignal | undefined }): Promise<Float32Array>;
  /** How sure a guard is that both ask the same, 0…1; only of a model with `task: "same-question"`. */
  compare(asked: string, kept: string): Promise<number>;
  /** Milliseconds of one short run. */
  time(): Promise<number>;
  /** Ends the worker; its memory goes back to the system. */
  terminate(): void;
}

export interface OpenWorkerOptions {
  readonly createWorker: () => Worker;
  readonly backend: BackendId;
  readonly model: LoadedModel;
  readonly threads?: number | undefined;
  /** Copy the model's bytes instead of handing them over. */
  readonly copy: boolean;
  /** Ends the worker while it opens. */
  readonly signal?: AbortSignal | undefined;
}

interface Question {
  readonly resolve: (answer: FromWorker) => void;
  readonly reject: (error: unknown) => void;
}

/** @throws whatever the worker's backend throws; device-lost when the worker died meanwhile */
export async function openWorkerEngine(options: OpenWorkerOptions): Promise<WorkerEngine> {
  const { model, backend, threads, signal: opening } = options;
  opening?.throwIfAborted();
  const worker = options.createWorker();
  const lifeLock = `nearfield-engine-${crypto.randomUUID()}`;
  const questions = new Map<number, Question>();
  let ended: unknown;
  let lastId = 0;

  const end = (reason: unknown) => {
    ended ??= reason;
    worker.terminate();
    for (const question of [...questions.values()]) question.reject(ended);
    questions.clear();
  };

  const ask = <T extends FromWorker['type']>(
    message: DistributiveOmit<Exclude<ToWorker, { type: 'abort' }>, 'id'>,
    expects: T,
    transfer: Transferable[] = [],
    signal?: AbortSignal,
  ): Promise<Extract<FromWorker, { type: T }>> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      lastId += 1;
      const id = lastId;
      const abort = () => {
        worker.postMessage({ type: 'abort', target: id } satisfies ToWorker);
        questions.get(id)?.reject(signal?.reason);
      };
      const settle =
        <V>(then: (value: V) => void) =>
        (value: V) => {
          questions.delete(id);
          signal?.removeEventListener('abort', abort);
          then(value);
        };
      questions.set(id, {
        resolve: settle((answer) => {
          if (answer.type === expects) resolve(answer as Extract<FromWorker, { type: T }>);
          else reject(fromWireError(answer.type === 'failed' ? answer.error : UNEXPECTED));
        }),
        reject: settle(reject),
      });
      signal?.addEventListener('abort', abort, { once: true });
      worker.postMessage({ ...message, id }, transfer);
    });

  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    questions.get(data.id)?.resolve(data);
  });
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    end(
      new NearfieldError('model-load-failed', `The engine worker failed: ${event.message || 'no script'}.`),
    );
  });

  const leave = () => end(opening?.reason);
  opening?.addEventListener('abort', leave, { once: true });
  try {
    const roles = (['weights', 'tokenizer', 'golden'] as const).filter((role) => model.has(role));
    const files = roles.map((role) => [role, model.file(role)] as const);
    const transfer = options.copy ? [] : files.map(([, bytes]) => bytes.buffer);
    await ask(
      { type: 'open', backend, manifest: model.manifest, files, threads, lifeLock },
      'opened',
      transfer,
    );
    void watchLife(lifeLock).then(() => end(new NearfieldError('device-lost', 'The engine worker ended.')));
  } catch (error) {
    end(error);
    throw error;
  } finally {
    opening?.removeEventListener('abort', leave);
  }
  return {
    embed: (texts, { scope, signal }) => ask({ type: 'embed', texts, scope }, 'embedded', [], signal),
    run: async ({ inputIds, typeIds, rowTokens }, { signal }) =>
      (await ask({ type: 'run', inputIds, typeIds, rowTokens }, 'ran', [], signal)).values,
    compare: async (asked, kept) => (await ask({ type: 'compare', asked, kept }, 'compared')).same,
    time: async () => (await ask({ type: 'time' }, 'timed')).ms,
    terminate: () => end(new NearfieldError('backend-unavailable', 'The engine worker was ended.')),
  };
}

const UNEXPECTED: WireError = { name: 'Error', message: 'The engine worker gave another answer than asked.' };

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Granted only when the worker that holds the lock is gone; never, where the platform has no locks. */
async function watchLife(name: string): Promise<void> {
  if (navigator.locks === undefined) return await new Promise(() => undefined);
  await navigator.locks.request(name, () => undefined);
}
