// How long the host waits inside the kernel: for ever on a helper that works, not on one that is gone. The helper here
// is a thread that only pretends to compute.
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import * as at from './layout.ts';
import { compileKernel, instantiateKernel } from './module.ts';

const source = await readFile(new URL('assembly/layout.ts', import.meta.url), 'utf8');
const wordOf = (name: string) => {
  const [, offset] = new RegExp(`^export const ${name}: usize = (\\d+);`, 'm').exec(source)!;
  return (at.PLAN + Number(offset)) >> 2;
};

const SLICE_MS = 100;

/** A kernel with nothing to compute that waits for one helper; `helper` is what that does, given words and a sleep. */
async function waiting(helper: string, plan: { readonly patience: number; readonly mayWait: boolean }) {
  const module = await compileKernel(true);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const view = new DataView(memory.buffer);
  const put = (field: number, value: number) => view.setInt32(at.PLAN + field, value, true);
  put(at.THREADS, 2);
  put(at.CHUNK_COUNT, 0);
  put(at.PATIENCE, plan.patience);
  put(at.MAY_WAIT, plan.mayWait ? 1 : 0);
  const words = { job: wordOf('JOB'), done: wordOf('DONE'), pulse: wordOf('PULSE') };
  const code = `
    const { module, memory, words } = require('node:worker_threads').workerData;
    const kernel = new WebAssembly.Instance(module, { env: { memory } }).exports;
    const all = new Int32Array(memory.buffer);
    const own = new Int32Array(new SharedArrayBuffer(4));
    const sleep = (ms) => Atomics.wait(own, 0, 0, ms);
    require('node:worker_threads').parentPort.postMessage('ready');
    while (Atomics.load(all, words.job) === 0) sleep(1);
    ${helper}`;
  const worker = new Worker(code, { eval: true, workerData: { module, memory, words } });
  await new Promise((resolve) => worker.once('message', resolve));
  const { run } = instantiateKernel(module, memory);
  const start = performance.now();
  const ended = endOf(run);
  const ms = performance.now() - start;
  await worker.terminate();
  return { ended, ms };
}

function endOf(run: () => void): 'returned' | 'trapped' {
  try {
    run();
    return 'returned';
  } catch (error) {
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    return 'trapped';
  }
}

it.each([
  { host: 'one that may sleep', mayWait: true },
  { host: 'a page’s own thread, which may not', mayWait: false },
])('$host gives up a helper that shows no sign, and waits that long', async ({ mayWait }) => {
  const { ended, ms } = await waiting('sleep(60000)', { patience: 5, mayWait });
  expect(ended).toBe('trapped');
  if (mayWait) expect(ms).toBeGreaterThanOrEqual(5 * SLICE_MS);
});

it.each([true, false])('waits beyond its patience for one that is slow (may sleep: %s)', async (mayWait) => {
  const slow = `
    for (let part = 0; part < 60; part += 1) {
      sleep(50);
      Atomics.add(all, words.pulse, 1);
    }
    Atomics.add(all, words.done, 1);
    Atomics.notify(all, words.done);`;
  const { ended, ms } = await waiting(slow, { patience: 15, mayWait });
  expect(ended).toBe('returned');
  expect(ms).toBeGreaterThan(15 * SLICE_MS);
});

it.each([true, false])('hears at once of one that trapped (may sleep: %s)', async (mayWait) => {
  const { ended, ms } = await waiting('sleep(300); kernel.fail()', { patience: 600, mayWait });
  expect(ended).toBe('trapped');
  expect(ms).toBeLessThan(10_000);
});
