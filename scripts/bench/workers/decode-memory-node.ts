// One Node process of `bench -- decode-memory`: loads a model, holds the conversations it is given, unloads the model,
// and says what the process held at each step. Run with --expose-gc.
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Generator } from '../../../runtime/engine/generation/generator.ts';
import { createNodeGenerator } from '../../../runtime/engine/generation/node.ts';

const [model = '', threads = '1', context = '2048', questions = '[]'] = process.argv.slice(2);

/** After what nobody holds any more was let go of. */
async function residentBytes(): Promise<number> {
  globalThis.gc?.();
  await wait(300);
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

const start = await residentBytes();
const began = performance.now();
let generator: Generator | undefined = await createNodeGenerator({
  model,
  threads: Number(threads),
  context: Number(context),
});
const loadMs = performance.now() - began;
// The most that was ever resident. Not getrusage's, which begins with what the parent process held.
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
const loaded = await residentBytes();
const signal = new AbortController().signal;
for (const content of JSON.parse(questions) as readonly string[]) {
  const request = { messages: [{ role: 'user' as const, content }], max_completion_tokens: 24 };
  for await (const _ of generator.stream(request, { signal }));
}
const used = await residentBytes();
const linear = generator.memory().totalBytes;
await generator.dispose();
generator = undefined;
const unloaded = await residentBytes();
console.log(JSON.stringify({ start, peak, loaded, used, unloaded, linear, loadMs }));
