// Owns micro-batching: rows of tokens that are waiting run together, scopes take turns, a cancelled
// request leaves the queue. Refuses to hold up a lone request: with nothing running, work starts at once.
import { NearfieldError } from '../errors.ts';

export interface BatcherOptions<Row, Result> {
  /** Runs one batch; results in the order of the rows. */
  readonly run: (rows: readonly Row[]) => Promise<readonly Result[]>;
  readonly tokensOf: (row: Row) => number;
  /** Tokens a batch may hold; asked before each batch, since a backend may have changed. */
  readonly batchTokens: () => number;
  /** Rows that may wait. A request is refused only when others already wait. Default 1024. */
  readonly maxQueuedRows?: number | undefined;
  /**
   * After a batch of several requests the next waits this long for as many again, since clients that were
   * answered together ask together. Default 2 ms. A lone client never waits: its batches hold one request.
   */
  readonly lingerMs?: number | undefined;
  /**
   * Calls back once whatever has already arrived is handed over, before any wait. Default: after the event
   * loop has delivered the messages that are there, since a backend that blocks its thread lets them pile up.
   */
  readonly defer?: ((callback: () => void) => void) | undefined;
  /** Calls back after `ms` unless cancelled; handed in by tests. */
  readonly timer?: Timer | undefined;
}

export type Timer = (callback: () => void, ms: number) => () => void;

export interface SubmitOptions {
  readonly scope?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Batcher<Row, Result> {
  /** @throws queue-full, AbortError, and whatever `run` throws */
  submit(rows: readonly Row[], options?: SubmitOptions): Promise<readonly Result[]>;
  /** Rows waiting, not counting those running. */
  queuedRows(): number;
  /** Fails whatever waits; what runs is left to end. */
  close(reason: unknown): void;
}

interface Pending<Row, Result> {
  readonly rows: readonly Row[];
  readonly results: Result[];
  readonly scope: string;
  next: number;
  done: number;
  settled: boolean;
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface Taken<Row, Result> {
  readonly request: Pending<Row, Result>;
  readonly at: number;
  readonly row: Row;
}

export function createBatcher<Row, Result>(options: BatcherOptions<Row, Result>): Batcher<Row, Result> {
  const maxQueuedRows = options.maxQueuedRows ?? 1024;
  const lingerMs = options.lingerMs ?? 2;
  const timer = options.timer ?? platformTimer;
  const defer = options.defer ?? platformDefer();
  const scopes = new Map<string, Pending<Row, Result>[]>();
  let queued = 0;
  let running = false;
  let scheduled = false;
  let lastBatchRequests = 1;
  let endLinger: (() => void) | undefined;

  function submit(rows: readonly Row[], submitOptions: SubmitOptions = {}): Promise<readonly Result[]> {
    const { signal, scope = 'default' } = submitOptions;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (rows.length === 0) return Promise.resolve([]);
    if (queued > 0 && queued + rows.length > maxQueuedRows) {
      return Promise.reject(
        new NearfieldError('queue-full', `${queued} rows wait and ${maxQueuedRows} may; try again later.`),
      );
    }
    return new Promise((resolve, reject) => {
      const abort = () => cancel(request, signal?.reason);
      const settle = () => {
        request.settled = true;
        signal?.removeEventListener('abort', abort);
      };
      const request: Pending<Row, Result> = {
        rows,
        results: new Array<Result>(rows.length),
        scope,
        next: 0,
        done: 0,
        settled: false,
        resolve: (results) => {
          settle();
          resolve(results);
        },
        reject: (reason) => {
          settle();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      enqueue(request);
    });
  }

  function enqueue(request: Pending<Row, Result>): void {
    const waiting = scopes.get(request.scope);
    if (waiting === undefined) scopes.set(request.scope, [request]);
    else waiting.push(request);
    queued += request.rows.length;
    if (endLinger !== undefined && waitingRequests() >= lastBatchRequests) endLinger();
    else schedule();
  }

  /** Deferred, so that what arrives together runs as one batch. */
  function schedule(): void {
    if (running || scheduled || queued === 0) return;
    scheduled = true;
    defer(() => {
      scheduled = false;
      if (lastBatchRequests > 1 && waitingRequests() < lastBatchRequests && lingerMs > 0) linger();
      else void runNext();
    });
  }

  function linger(): void {
    scheduled = true;
    const end = () => {
      cancelTimer();
      endLinger = undefined;
      scheduled = false;
      void runNext();
    };
    const cancelTimer = timer(end, lingerMs);
    endLinger = end;
  }

  async function runNext(): Promise<void> {
    if (running) return;
    const batch = take();
    if (batch.length === 0) return;
    running = true;
    lastBatchRequests = new Set(batch.map((taken) => taken.request)).size;
    try {
      const results = await options.run(batch.map((taken) => taken.row));
      batch.forEach((taken, at) => {
        deliver(taken, results[at]!);
      });
    } catch (error) {
      for (const { request } of batch) cancel(request, error);
    } finally {
      running = false;
      schedule();
    }
  }

  function deliver({ request, at }: Taken<Row, Result>, result: Result): void {
    request.results[at] = result;
    request.done += 1;
    if (!request.settled && request.done === request.rows.length) request.resolve(request.results);
  }

  /** One row of each scope in turn until the batch is full; the first row always fits. */
  function take(): Taken<Row, Result>[] {
    const batch: Taken<Row, Result>[] = [];
    let tokens = 0;
    while (queued > 0) {
      const [scope, waiting] = scopes.entries().next().value!;
      const request = waiting[0]!;
      const row = request.rows[request.next]!;
      tokens += options.tokensOf(row);
      if (batch.length > 0 && tokens > options.batchTokens()) break;
      batch.push({ request, at: request.next, row });
      request.next += 1;
      queued -= 1;
      if (request.next === request.rows.length) waiting.shift();
      // To the back of the turn order; gone when it has nothing left.
      scopes.delete(scope);
      if (waiting.length > 0) scopes.set(scope, waiting);
    }
    return batch;
  }

  function cancel(request: Pending<Row, Result>, reason: unknown): void {
    if (request.settled) return;
    request.reject(reason);
    const waiting = scopes.get(request.scope);
    const place = waiting?.indexOf(request) ?? -1;
    if (waiting === undefined || place < 0) return;
    waiting.splice(place, 1);
    queued -= request.rows.length - request.next;
    if (waiting.length === 0) scopes.delete(request.scope);
  }

  function waitingRequests(): number {
    let count = 0;
    for (const waiting of scopes.values()) count += waiting.length;
    return count;
  }

  return {
    submit,
    queuedRows: () => queued,
    close(reason) {
      for (const waiting of [...scopes.values()]) {
        for (const request of [...waiting]) cancel(request, reason);
      }
    },
  };
}

const platformTimer: Timer = (callback, ms) => {
  const id = setTimeout(callback, ms);
  return () => clearTimeout(id);
};

function platformDefer(): (callback: () => void) => void {
  if (typeof setImmediate === 'function') return (callback) => void setImmediate(callback);
  const { port1, port2 } = new MessageChannel();
  const callbacks: (() => void)[] = [];
  port1.onmessage = () => callbacks.shift()?.();
  return (callback) => {
    callbacks.push(callback);
    port2.postMessage(undefined);
  };
}
