// Owns the kernel's helper threads: starting them on shared memory, learning that one died, ending them.
import { NearfieldError } from '../../errors.ts';
import * as at from './layout.ts';

export interface Helpers {
  /** @throws backend-unavailable when a helper died: a run would wait for it for ever */
  check(): void;
  end(): Promise<void>;
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
  readonly onDeath: (told: () => void) => void;
  readonly end: () => Promise<void>;
}

/** Starts threads - 1 helpers. @throws backend-unavailable, AbortError */
export async function spawnHelpers(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
  signal?: AbortSignal,
): Promise<Helpers> {
  const seen = new DataView(memory.buffer).getInt32(at.PLAN + at.JOB, true);
  const start = isNode() ? await nodeStarter() : startWebWorker;
  const helpers = Array.from({ length: threads - 1 }, (_, index) =>
    start({ module, memory, thread: index + 1, seen }),
  );
  let dead = false;
  for (const helper of helpers) helper.onDeath(() => (dead = true));
  const end = async () => {
    await Promise.all(helpers.map((helper) => helper.end()));
  };
  try {
    await Promise.all(helpers.map((helper) => helper.ready));
    signal?.throwIfAborted();
  } catch (cause) {
    await end();
    if (signal?.aborted) throw cause;
    throw new NearfieldError('backend-unavailable', 'A thread of the kernel did not start.', { cause });
  }
  return {
    check() {
      if (dead) throw new NearfieldError('backend-unavailable', 'A thread of the kernel has ended.');
    },
    end,
  };
}

/** By its own mark: libraries put a Worker on Node's globals, and bundlers a process on a page's. */
function isNode(): boolean {
  return typeof globalThis.process?.versions?.node === 'string' && !('WorkerGlobalScope' in globalThis);
}

function startWebWorker(task: HelperTask): Helper {
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    type: 'module',
    name: 'nearfield-kernel',
  });
  let told = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    worker.addEventListener('message', () => resolve());
    worker.addEventListener('error', (event) => {
      told();
      reject(new Error(event.message));
    });
  });
  worker.postMessage(task);
  return {
    ready,
    onDeath: (call) => {
      told = call;
    },
    end: async () => worker.terminate(),
  };
}

/** Source of a helper where a worker takes its code as text; the same few lines as thread.ts. */
const NODE_HELPER = `
const { workerData, parentPort } = require('node:worker_threads');
const { module, memory, thread, seen } = workerData;
const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports;
parentPort.postMessage('ready');
kernel.serve(thread, seen);
`;

async function nodeStarter(): Promise<(task: HelperTask) => Helper> {
  const { Worker: NodeWorker } = await import('node:worker_threads');
  return (task) => {
    const worker = new NodeWorker(NODE_HELPER, { eval: true, workerData: task });
    let told = () => {};
    const ready = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
      worker.once('exit', () => {
        told();
        reject(new Error('The worker ended.'));
      });
    });
    return {
      // A model left open must not keep a process alive.
      ready: ready.then(() => worker.unref()),
      onDeath: (call) => {
        told = call;
      },
      end: async () => {
        told = () => {};
        await worker.terminate();
      },
    };
  };
}
