// One Node process of `bench -- decode-memory`: loads a model, holds the conversations it is given, unloads the model,
// twice, and says what the process held at each step. Run with --expose-gc.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { createNodeGenerator } from '../../../runtime/engine/generation/node.ts';

const [model = '', threads = '1', context = '2048', questions = '[]'] = process.argv.slice(2);

/** After what nobody holds any more was let go of. */
async function residentBytes(): Promise<number> {
  globalThis.gc?.();
  await wait(300);
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Most since the last reset. Not getrusage's, which begins with what the parent process held. Source: proc(5). */
function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024;
}

async function once(): Promise<Record<string, number>> {
  const start = await residentBytes();
  writeFileSync('/proc/self/clear_refs', '5');
  const began = performance.now();
  const generator = await createNodeGenerator({ model, threads: Number(threads), context: Number(context) });
  const loadMs = performance.now() - began;
  const peak = peakBytes();
  const loaded = await residentBytes();
  const signal = new AbortController().signal;
  for (const content of JSON.parse(questions) as readonly string[]) {
    const request = { messages: [{ role: 'user' as const, content }], max_completion_tokens: 24 };
    for await (const _ of generator.stream(request, { signal }));
  }
  const used = await residentBytes();
  const linear = generator.memory().totalBytes;
  await generator.dispose();
  return { start, peak, loaded, used, linear, loadMs };
}

// Measured outside, where nothing holds the generator any more.
const rounds: Record<string, number>[] = [];
for (let round = 0; round < 2; round += 1) {
  const held = await once();
  rounds.push({ ...held, unloaded: await residentBytes() });
}
console.log(JSON.stringify(rounds));
