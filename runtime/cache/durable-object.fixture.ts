// The worker of durable-object.workerd.test.ts: one object a check, so that each has a fresh store.
import { type DurableObjectSql, openDurableObjectCacheStore } from './durable-object.ts';
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

interface Env {
  readonly CACHE: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return await env.CACHE.get(env.CACHE.idFromName(request.url)).fetch(request);
  },
};
