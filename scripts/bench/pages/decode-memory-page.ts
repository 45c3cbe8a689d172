// What `bench -- decode-memory` runs inside the page: the product's own way of loading, asking and unloading.
import { type BrowserGenerator, createBrowserGenerator } from '../../../runtime/engine/generation/browser.ts';

export interface MemoryPage {
  /** Milliseconds it took. */
  load(manifest: string, threads: number, context: number): Promise<number>;
  ask(question: string): Promise<string>;
  /** Bytes of the decoder's own linear memory. */
  linear(): Promise<number>;
  unload(): Promise<void>;
}

let generator: BrowserGenerator | undefined;

const page: MemoryPage = {
  async load(manifest, threads, context) {
    const began = performance.now();
    generator = await createBrowserGenerator({
      manifest,
      threads,
      context,
      fetch: (input, init) => fetch(input, init),
      // The kernel alone: what a GPU holds is not the page's to count.
      backends: [threads > 1 ? 'kernel-threads' : 'kernel'],
      createWorker: () =>
        new Worker(new URL('../../../runtime/engine/generation/worker.ts', import.meta.url), {
          type: 'module',
        }),
    });
    return performance.now() - began;
  },
  async ask(question) {
    let text = '';
    const request = {
      messages: [{ role: 'user' as const, content: question }],
      max_completion_tokens: 24,
    };
    for await (const part of generator!.stream(request, { signal: new AbortController().signal })) {
      if (part.type === 'text-delta') text += part.text;
    }
    return text;
  },
  linear: async () => (await generator!.memory()).totalBytes,
  async unload() {
    await generator?.dispose();
    generator = undefined;
  },
};
globalThis.nearfieldMemory = page;
