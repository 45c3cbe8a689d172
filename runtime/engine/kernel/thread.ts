// A helper thread in a browser: an instance of the kernel over the shared memory, serving until it is ended.
import type { HelperTask } from './helpers.ts';
import { instantiateKernel } from './module.ts';

self.addEventListener('message', (event: MessageEvent<HelperTask>) => {
  const { module, memory, thread, seen } = event.data;
  const kernel = instantiateKernel(module, memory);
  self.postMessage('ready');
  kernel.serve(thread, seen);
});
