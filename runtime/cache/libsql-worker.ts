// The worker that holds the browser's libSQL database: WASM over OPFS access handles, which exist only in
// a dedicated worker. Needs no cross-origin isolation: the handle pool is synchronous, not shared memory.
import { toWireError } from '../errors.ts';
import { openLibsqlStore } from './libsql-store.ts';
import { createWasmPort } from './libsql-wasm-port.ts';
import { openSharedStore } from './shared-store.ts';
import { answerRequest, isRequest } from './store-rpc.ts';

/** What the page says first. */
interface OpenMessage {
  readonly type: 'open';
  readonly name: string;
}

self.addEventListener('message', (event: MessageEvent<unknown>) => {
  const { data } = event;
  if (isOpen(data)) void open(data.name);
});

async function open(name: string): Promise<void> {
  try {
    const kind = 'libsql-opfs';
    const store = await openSharedStore({
      name,
      kind,
      open: async () => await openLibsqlStore(await createWasmPort(name), kind),
    });
    self.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (isRequest(data)) void answerRequest(store, data).then((reply) => self.postMessage(reply));
    });
    self.postMessage({ type: 'opened' });
  } catch (error) {
    self.postMessage({ type: 'failed', error: toWireError(error) });
  }
}

function isOpen(data: unknown): data is OpenMessage {
  return (
    typeof data === 'object' && data !== null && 'type' in data && data.type === 'open' && 'name' in data
  );
}
