// Owns the worker's side of the wire: one model on one backend, until the page ends the worker. Which
// backends exist is handed in by the worker's entry.
import { NearfieldError, toWireError } from '../errors.ts';
import { describeModel, type LoadedModel } from '../models.ts';
import type { BackendFactory } from './backend.ts';
import { createLocalEmbedder, type LocalEmbedder } from './embedder.ts';
import { createQuestionGuard, type QuestionGuard } from './guard/index.ts';
import { createLocalTokenEncoder, type LocalTokenEncoder } from './token-encoder.ts';
import type { FromWorker, ToWorker } from './wire.ts';

/** The part of a worker's global scope used here. */
export interface WorkerPort {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void;
}

/** Answers the page's messages; call once, from a worker's entry. */
export function serveEngine(port: WorkerPort, backends: readonly BackendFactory[]): void {
  const aborts = new Map<number, AbortController>();
  let embedder: LocalEmbedder | undefined;
  let encoder: LocalTokenEncoder | undefined;
  let guard: QuestionGuard | undefined;

  const answer = async (message: Exclude<ToWorker, { type: 'abort' }>): Promise<FromWorker> => {
    const { id } = message;
    if (message.type === 'open') {
      const { task } = message.manifest;
      if (task === 'tag') encoder = openTokens(message, backends);
      else if (task === 'same-question') guard = createQuestionGuard(modelOf(message));
      else embedder = open(message, backends);
      await (encoder ?? embedder)?.warm();
      await holdLock(message.lifeLock);
      return { type: 'opened', id, backend: message.backend };
    }
    if (message.type === 'run' && encoder !== undefined) {
      return { type: 'ran', id, values: (await encoder.run(message)) as Float32Array<ArrayBuffer> };
    }
    if (message.type === 'compare' && guard !== undefined) {
      return { type: 'compared', id, same: guard.same(message.asked, message.kept) };
    }
    if (message.type === 'run' || message.type === 'compare' || embedder === undefined)
      throw new NearfieldError('internal', 'The worker has no model open.');
    if (message.type === 'time') return { type: 'timed', id, ms: await embedder.time() };
    const abort = new AbortController();
    aborts.set(id, abort);
    const { texts, scope } = message;
    const { embeddings, tokens } = await embedder.embed(texts, { signal: abort.signal, scope });
    return { type: 'embedded', id, values: join(embeddings, embedder.dims), tokens };
  };

  port.addEventListener('message', ({ data: message }) => {
    if (message.type === 'abort') {
      aborts.get(message.target)?.abort();
      return;
    }
    void answer(message)
      .catch((error): FromWorker => ({ type: 'failed', id: message.id, error: toWireError(error) }))
      .then((reply) => {
        aborts.delete(message.id);
        port.postMessage(reply, 'values' in reply ? [reply.values.buffer] : []);
      });
  });
}

type OpenMessage = Extract<ToWorker, { type: 'open' }>;

/** How long a backend may take is the page's to say; here only one that hangs for good is given up. */
const OPEN_MS = 30 * 60_000;

function open(message: OpenMessage, backends: readonly BackendFactory[]): LocalEmbedder {
  const model = modelOf(message);
  const factory = rowOf(message, backends);
  const { threads } = message;
  return createLocalEmbedder({ model, backends: [factory], threads, contenders: 1, openTimeoutMs: OPEN_MS });
}

function openTokens(message: OpenMessage, backends: readonly BackendFactory[]): LocalTokenEncoder {
  const model = modelOf(message);
  return createLocalTokenEncoder({ model, backends: [rowOf(message, backends)], threads: message.threads });
}

function modelOf({ manifest, files }: OpenMessage): LoadedModel {
  return describeModel(manifest, new Map(files));
}

function rowOf(message: OpenMessage, backends: readonly BackendFactory[]): BackendFactory {
  const factory = backends.find((entry) => entry.id === message.backend);
  if (factory !== undefined) return factory;
  throw new NearfieldError('backend-unavailable', `This worker has no backend ${message.backend}.`);
}

/** Resolves once held. Released by the browser when this worker ends, however it ends. */
function holdLock(name: string): Promise<void> {
  return new Promise((resolve) => {
    const held = navigator.locks?.request(name, () => {
      resolve();
      return new Promise(() => undefined);
    });
    // No locks here, or none allowed: then only the worker's own error events speak of its end.
    if (held === undefined) resolve();
    else held.catch(() => resolve());
  });
}

function join(rows: readonly Float32Array[], dims: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(rows.length * dims);
  rows.forEach((row, at) => {
    values.set(row, at * dims);
  });
  return values;
}
