// The entry of a test's worker whose Durable Objects, bound as CACHE, answer everything.

interface Env {
  readonly CACHE: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
}

export interface ObjectWorker {
  fetch(request: Request, env: Env): Promise<Response>;
}

/** Hands each request to the object of this name. */
export function toObject(nameOf: (request: Request) => string): ObjectWorker {
  return {
    async fetch(request, { CACHE }) {
      return await CACHE.get(CACHE.idFromName(nameOf(request))).fetch(request);
    },
  };
}
