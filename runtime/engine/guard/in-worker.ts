// Owns a guard that runs in a worker of its own, so that neither the page nor the embedder waits for it. Fails closed:
// no worker, a lost one and one that hangs fail the question, and a cache takes that for no match.
import type { LoadedModel } from '../../models.ts';
import { openWorkerEngine } from '../worker-client.ts';
import { type AskGuard, askOnceOpened } from './ask.ts';

export interface WorkerGuardOptions {
  /** The files, verified; asked for again when a worker was lost, so a store behind it saves a download. */
  readonly load: (signal: AbortSignal) => Promise<LoadedModel>;
  readonly createWorker: () => Worker;
  /** A question that waits longer fails, be it for the files, the worker or the answer. Default 5 s. */
  readonly waitMs?: number | undefined;
}

const WAIT_MS = 5_000;

/** The files stay in the worker alone: what the page loaded is handed over. */
export function openGuardInWorker({ load, createWorker, waitMs = WAIT_MS }: WorkerGuardOptions): AskGuard {
  return askOnceOpened(
    async (signal) => {
      const model = await load(signal);
      const worker = await openWorkerEngine({ createWorker, backend: 'kernel', model, copy: false, signal });
      return { same: (asked, kept) => worker.compare(asked, kept), leave: () => worker.terminate() };
    },
    { waitMs },
  );
}
