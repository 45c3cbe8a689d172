// Owns the page's side of the wire: one generator worker, its open questions, and how its end is noticed.
// Refuses to leave a question open: a worker that errs, closes or is ended fails them all.
import { fromWireError, NearfieldError } from '../../errors.ts';
import type { FileSource } from '../../model-files/source.ts';
import type { LoadedModel } from '../../models.ts';
import { serveFeed } from './weights-feed.ts';
import type { DecoderOptions, FromGenerator, PlainOptions, ToGenerator } from './wire.ts';

export interface GeneratorWorker {
  /** Where it computed last. */
  readonly backend: string;
  readonly context: number;
  /** Every answer to one question, in order; leaving early aborts it. */
  ask(message: Question, signal?: AbortSignal): AsyncGenerator<FromGenerator, void, void>;
  /** Ends the worker; its memory goes back to the system. */
  terminate(): void;
}

export type Question = WithoutId<Extract<ToGenerator, { type: 'ask' | 'memory' | 'forget' }>>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export interface OpenGeneratorWorkerOptions {
  readonly createWorker: () => Worker;
  /** Backends the worker may use. Default: all it has. */
  readonly backends?: readonly string[] | undefined;
  /** Its tokenizer, config and golden file go to the worker. */
  readonly model: LoadedModel;
  /** Read by the worker whenever it opens a backend. */
  readonly weights: FileSource;
  readonly options: PlainOptions & DecoderOptions;
  /** Ends the worker while it opens. */
  readonly signal?: AbortSignal | undefined;
}

interface Inbox {
  readonly messages: FromGenerator[];
  wake: (() => void) | undefined;
}

/** @throws whatever the worker's backend throws; device-lost when the worker died meanwhile */
export async function openGeneratorWorker(options: OpenGeneratorWorkerOptions): Promise<GeneratorWorker> {
  const { model, backends, signal } = options;
  signal?.throwIfAborted();
  const worker = options.createWorker();
  const lifeLock = `nearfield-generator-${crypto.randomUUID()}`;
  const inboxes = new Map<number, Inbox>();
  const { port1, port2 } = new MessageChannel();
  const endFeed = serveFeed(port1, options.weights);
  let ended: { readonly reason: unknown } | undefined;
  let lastId = 0;

  const end = (reason: unknown) => {
    ended ??= { reason };
    worker.terminate();
    endFeed();
    for (const inbox of inboxes.values()) inbox.wake?.();
  };

  async function* converse(
    message: WithoutId<Exclude<ToGenerator, { type: 'abort' }>>,
    asking: AbortSignal | undefined,
    transfer: Transferable[] = [],
  ): AsyncGenerator<FromGenerator, void, void> {
    if (ended !== undefined) throw reasonOf(ended);
    lastId += 1;
    const id = lastId;
    const inbox: Inbox = { messages: [], wake: undefined };
    inboxes.set(id, inbox);
    const abort = () => worker.postMessage({ type: 'abort', target: id } satisfies ToGenerator);
    asking?.addEventListener('abort', abort, { once: true });
    let settled = false;
    try {
      worker.postMessage({ ...message, id } satisfies ToGenerator, transfer);
      if (asking?.aborted) abort();
      while (!settled) {
        const next = inbox.messages.shift();
        if (next !== undefined) {
          settled = next.type !== 'part' && next.type !== 'step';
          if (next.type === 'failed') throw fromWireError(next.error);
          yield next;
        } else if (ended !== undefined) throw reasonOf(ended);
        else await new Promise<void>((resolve) => Object.assign(inbox, { wake: resolve }));
      }
    } finally {
      asking?.removeEventListener('abort', abort);
      inboxes.delete(id);
      if (!settled && ended === undefined) abort();
    }
  }

  let backend = '';
  worker.addEventListener('message', ({ data }: MessageEvent<FromGenerator>) => {
    if ('backend' in data && data.backend !== undefined) backend = data.backend;
    const inbox = inboxes.get(data.id);
    inbox?.messages.push(data);
    inbox?.wake?.();
  });
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    const what = event.message || 'no script';
    end(new NearfieldError('model-load-failed', `The generator worker failed: ${what}.`));
  });

  const leave = () => end(signal?.reason);
  signal?.addEventListener('abort', leave, { once: true });
  try {
    const roles = (['tokenizer', 'config', 'golden'] as const).filter((role) => model.has(role));
    const files = roles.map((role) => [role, model.file(role)] as const);
    const transfer = [port2, ...files.map(([, bytes]) => bytes.buffer)];
    const open = {
      type: 'open',
      backends,
      manifest: model.manifest,
      files,
      weights: port2,
      options: options.options,
      lifeLock,
    };
    const answers = converse(open as WithoutId<Extract<ToGenerator, { type: 'open' }>>, undefined, transfer);
    const { value: opened } = await answers.next();
    if (opened?.type !== 'opened') throw new NearfieldError('internal', 'The worker gave another answer.');
    void watchLife(lifeLock).then(() =>
      end(new NearfieldError('device-lost', 'The generator worker ended.')),
    );
    return {
      get backend() {
        return backend;
      },
      context: opened.context,
      ask: (message, asking) => converse(message, asking),
      terminate: () => end(new NearfieldError('backend-unavailable', 'The language model was unloaded.')),
    };
  } catch (error) {
    end(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

/** Closures change it where the compiler does not look. */
function reasonOf(ended: { readonly reason: unknown }): unknown {
  return ended.reason;
}

/** Granted only when the worker that holds the lock is gone; never, where the platform has no locks. */
async function watchLife(name: string): Promise<void> {
  if (navigator.locks === undefined) return await new Promise(() => undefined);
  await navigator.locks.request(name, () => undefined);
}
