// The worker of durable-object.workerd.test.ts: one object a check, so that each has a fresh store.
import { type DurableObjectSql, openDurableObjectCacheStore } from './durable-object.ts';
import { type ObjectWorker, toObject } from './object-worker.fixture.ts';
import { STORE_CHECKS } from './store.contract.ts';

export class CacheObject {
  readonly #storage: DurableObjectSql;

  constructor(state: { readonly storage: DurableObjectSql }) {
    this.#storage = state.storage;
  }

  async fetch(request: Request): Promise<Response> {
    const name = new URL(request.url).searchParams.get('check');
    try {
      await STORE_CHECKS.find((check) => check.name === name)?.run(() =>
        openDurableObjectCacheStore(this.#storage),
      );
      return new Response('passed');
    } catch (error) {
      return new Response(error instanceof Error ? `${error.message} ${String(error.cause)}` : 'unknown');
    }
  }
}

const worker: ObjectWorker = toObject((request) => request.url);
export default worker;
