// A helper thread in a browser: an instance of the kernel over the shared memory, serving until it is ended.
import type { HelperTask } from './helpers.ts';
import { instantiateKernel } from './module.ts';

self.addEventListener('message', (event: MessageEvent<HelperTask>) => {
  const { module, memory, thread, seen } = event.data;
  const kernel = instantiateKernel(module, memory);
  self.postMessage('ready');
  try {
    kernel.serve(thread, seen);
  } catch (error) {
    // Whoever waits for this thread inside the kernel hears of no event.
    kernel.fail();
    throw error;
  }
});
self.addEventListener('messageerror', () => {
  throw new Error('The memory could not be shared with this thread.');
});
