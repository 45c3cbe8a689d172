// Asks a module worker of a test page one thing.
import type { TestPage } from './chromium.ts';

type Answer<A> = { readonly ok: A } | { readonly failed: string };

/** Starts the worker whose module is served at `path`; it says `{ ok }` or `{ failed }`. @throws with the page's log */
export async function askWorker<A>(test: TestPage, path: string, question: unknown): Promise<A> {
  const answer = (await test.page.evaluate(
    ([path, question]) =>
      new Promise((resolve) => {
        const worker = new Worker(path, { type: 'module' });
        worker.onmessage = (event) => resolve(event.data);
        worker.onerror = (event) => resolve({ failed: event.message });
        worker.postMessage(question);
      }),
    [path, question] as const,
  )) as Answer<A>;
  if ('ok' in answer) return answer.ok;
  throw new Error([answer.failed, ...test.log].join('\n'));
}
