// Owns a cache store behind messages: the page talks to the worker that holds the database, and a tab
// that does not hold it talks to the tab that does. One wire contract for both.
import { fromWireError, NearfieldError, toWireError, type WireError } from '../errors.ts';
import type { CacheStore } from './store.ts';

const CALLS = ['kind', 'heads', 'answer', 'apply', 'meta', 'claim', 'close'] as const;
export type StoreCall = (typeof CALLS)[number];

/** Asked of whoever holds the store. `from` names the asker, so replies on a shared channel find it. */
export interface StoreRequest {
  readonly type: 'store-request';
  readonly from: string;
  readonly id: number;
  readonly call: StoreCall;
  readonly argument: unknown;
}

export interface StoreReply {
  readonly type: 'store-reply';
  readonly to: string;
  readonly id: number;
  readonly value?: unknown;
  readonly error?: WireError;
}

/** Both a Worker and a BroadcastChannel are one. */
export interface MessageEnd {
  postMessage(message: StoreRequest | StoreReply): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}

/** Runs a request against a store. Never rejects: a failure is a reply. */
export async function answerRequest(store: CacheStore, request: StoreRequest): Promise<StoreReply> {
  const reply = { type: 'store-reply', to: request.from, id: request.id } as const;
  try {
    return { ...reply, value: await callStore(store, request.call, request.argument) };
  } catch (error) {
    return { ...reply, error: toWireError(error) };
  }
}

/** The arguments were made by {@link createStoreClient}, in the same build, so they are trusted here. */
export async function callStore(store: CacheStore, call: StoreCall, argument: unknown): Promise<unknown> {
  if (call === 'kind') return store.kind;
  if (call === 'claim') {
    const [key, value] = argument as [string, string];
    return await store.claim(key, value);
  }
  if (call === 'apply') return await store.apply(argument as Parameters<CacheStore['apply']>[0]);
  if (call === 'close') return await store.close();
  return await store[call](argument as string);
}

/** A store whose every call is handed to `call`. */
export function createStoreClient(
  kind: string,
  call: (call: StoreCall, argument: unknown) => Promise<unknown>,
): CacheStore {
  return {
    kind,
    heads: (after) => call('heads', after) as ReturnType<CacheStore['heads']>,
    answer: (id) => call('answer', id) as ReturnType<CacheStore['answer']>,
    apply: async (change) => void (await call('apply', change)),
    meta: (prefix) => call('meta', prefix) as ReturnType<CacheStore['meta']>,
    claim: (key, value) => call('claim', [key, value]) as Promise<string>,
    close: async () => void (await call('close', undefined)),
  };
}

export interface StoreLink {
  call(call: StoreCall, argument: unknown): Promise<unknown>;
  /** Requests without a reply yet, oldest first, which from now on wait for as long as it takes. */
  takePending(): readonly { readonly request: StoreRequest; settle(reply: StoreReply): void }[];
}

/** Sends requests over an end and settles them by their replies. @throws storage-failed after `timeoutMs` */
export function createStoreLink(end: MessageEnd, from: string, timeoutMs: number): StoreLink {
  const pending = new Map<number, { request: StoreRequest; settle(reply: StoreReply): void; wait(): void }>();
  let lastId = 0;
  end.addEventListener('message', ({ data }) => {
    if (!isReply(data) || data.to !== from) return;
    pending.get(data.id)?.settle(data);
  });
  return {
    call(call, argument) {
      lastId += 1;
      const request: StoreRequest = { type: 'store-request', from, id: lastId, call, argument };
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          pending.delete(request.id);
          reject(new NearfieldError('storage-failed', `The cache store gave no reply in ${timeoutMs} ms.`));
        }, timeoutMs);
        pending.set(request.id, {
          request,
          wait: () => clearTimeout(timer),
          settle(reply) {
            clearTimeout(timer);
            pending.delete(request.id);
            if (reply.error !== undefined) reject(fromWireError(reply.error));
            else resolve(reply.value);
          },
        });
        end.postMessage(request);
      });
    },
    takePending() {
      const left = [...pending.values()];
      for (const { wait } of left) wait();
      return left;
    },
  };
}

export function isRequest(data: unknown): data is StoreRequest {
  return isMessage(data) && data.type === 'store-request' && CALLS.some((call) => call === data.call);
}

function isReply(data: unknown): data is StoreReply {
  return isMessage(data) && data.type === 'store-reply';
}

function isMessage(data: unknown): data is { readonly type: unknown; readonly call?: unknown } {
  return typeof data === 'object' && data !== null && 'type' in data;
}
