// Owns the kernel's helper threads: starting them on shared memory, learning that one died, ending them. Refuses to run
// on what a dead one left: its memory is given up with it, since one that was only slow may still write there.
import { NearfieldError } from '../../errors.ts';
import * as at from './layout.ts';

export interface Helpers {
  /**
   * Runs `work`, which waits for the helpers.
   * @throws device-lost when one died, before or meanwhile; from then on always, and all of them are ended
   */
  run(work: () => void): void;
  end(): Promise<void>;
}

export interface HelperOptions {
  /** How long no helper may show a sign of work while it is waited for. Default 10 s of waking time. */
  readonly silenceMs?: number | undefined;
  /** How long helpers may take to start. Default 30 s, as a slow phone under load may. */
  readonly startMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a helper is told. */
export interface HelperTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
  readonly seen: number;
}

interface Helper {
  /** Settles once the helper serves. */
  readonly ready: Promise<void>;
  readonly end: () => Promise<void>;
}

/** Starts a helper; `onDeath` may be told more than once, and when the helper is ended. */
type Starter = (task: HelperTask, onDeath: () => void) => Helper;

/** A slice of the host's sleep, as in assembly/threads.ts. */
const SLICE_MS = 100;
/** Not tuned: far beyond what a helper goes without a processor on a busy machine, short of what a user waits. */
const SILENCE_MS = 10_000;
const START_MS = 30_000;

/** Starts threads - 1 helpers. @throws backend-unavailable, AbortError */
export async function spawnHelpers(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
  options: HelperOptions = {},
): Promise<Helpers> {
  const { silenceMs = SILENCE_MS, startMs = START_MS, signal } = options;
  const view = new DataView(memory.buffer);
  view.setInt32(at.PLAN + at.PATIENCE, Math.max(1, Math.ceil(silenceMs / SLICE_MS)), true);
  const seen = view.getInt32(at.PLAN + at.JOB, true);
  const start = isNode() ? await nodeStarter() : startWebWorker;
  let dead = false;
  const onDeath = () => {
    dead = true;
  };
  const helpers = Array.from({ length: threads - 1 }, (_, index) =>
    start({ module, memory, thread: index + 1, seen }, onDeath),
  );
  const end = async () => {
    dead = true;
    await Promise.all(helpers.map((helper) => helper.end()));
  };
  try {
    await within(startMs, Promise.all(helpers.map((helper) => helper.ready)));
    signal?.throwIfAborted();
  } catch (cause) {
    await end();
    if (signal?.aborted) throw cause;
    throw new NearfieldError('backend-unavailable', 'A thread of the kernel did not start.', { cause });
  }
  return {
    run(work) {
      if (dead) throw lost();
      try {
        work();
      } catch (cause) {
        // A trap, the kernel's way out of a wait that will not end. Events of the death itself come later, if ever.
        void end();
        throw lost(cause);
      }
    },
    end,
  };
}

function lost(cause?: unknown): NearfieldError {
  const text =
    'A thread of the kernel ended or hangs, so its memory is given up. Open another and ask again.';
  return new NearfieldError('device-lost', text, { cause });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${ms} ms.`)), ms);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** By its own mark: libraries put a Worker on Node's globals, and bundlers a process on a page's. */
function isNode(): boolean {
  return typeof globalThis.process?.versions?.node === 'string' && !('WorkerGlobalScope' in globalThis);
}

const startWebWorker: Starter = (task, onDeath) => {
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    type: 'module',
    name: 'nearfield-kernel',
  });
  const ready = new Promise<void>((resolve, reject) => {
    worker.addEventListener('message', () => resolve());
    worker.addEventListener('error', (event) => {
      // Dealt with here; or it would end the engine's worker, and with it what the other backends could answer.
      event.preventDefault();
      onDeath();
      reject(new Error(event.message));
    });
  });
  worker.postMessage(task);
  return { ready, end: async () => worker.terminate() };
};

/** Source of a helper where a worker takes its code as text; the same few lines as thread.ts. */
const NODE_HELPER = `
const { workerData, parentPort } = require('node:worker_threads');
const { module, memory, thread, seen } = workerData;
const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports;
parentPort.postMessage('ready');
try {
  kernel.serve(thread, seen);
} catch (error) {
  kernel.fail();
  throw error;
}
`;

async function nodeStarter(): Promise<Starter> {
  const { Worker: NodeWorker } = await import('node:worker_threads');
  return (task, onDeath) => {
    const worker = new NodeWorker(NODE_HELPER, { eval: true, workerData: task });
    const ready = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.on('error', reject);
      worker.once('exit', () => {
        onDeath();
        reject(new Error('The worker ended.'));
      });
    });
    return {
      // A model left open must not keep a process alive.
      ready: ready.then(() => worker.unref()),
      end: async () => {
        await worker.terminate();
      },
    };
  };
}
