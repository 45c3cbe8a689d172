// A runtime for the edge's own tests: says back what it was asked, as slowly as the test wants, and remembers
// what reached it.
import type { CallOptions, ChatRequest, StreamPart } from 'nearfield';
import type { ServedRuntime } from './caller.ts';

export interface FakeRuntime extends ServedRuntime {
  readonly seen: ChatRequest[];
  readonly signals: AbortSignal[];
  /** Resolves when a generator was closed before its end. */
  readonly closed: Promise<void>;
}

export interface FakeRuntimeOptions {
  readonly deltas?: readonly string[];
  /** Awaited before each delta but the first. */
  readonly pause?: (signal: AbortSignal | undefined) => Promise<void>;
  readonly fail?: Error;
}

const TIER = { id: 'fake', kind: 'device' } as const;

export function createFakeRuntime(options: FakeRuntimeOptions = {}): FakeRuntime {
  const { deltas = ['Hel', 'lo'], pause, fail } = options;
  const seen: ChatRequest[] = [];
  const signals: AbortSignal[] = [];
  let close = (): void => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  return {
    seen,
    signals,
    closed,
    models: () => [{ id: 'fake', task: 'generate' }],
    async embed(request) {
      return {
        embeddings: request.input.map(() => new Float32Array([0.6, 0.8])),
        model: 'fake',
        backend: 'fake',
        tokens: request.input.length,
      };
    },
    async *generate(request: ChatRequest, call: CallOptions = {}): AsyncGenerator<StreamPart, void, void> {
      seen.push(request);
      if (call.signal !== undefined) signals.push(call.signal);
      if (fail !== undefined) throw fail;
      let finished = false;
      try {
        yield { type: 'response-start', id: 'r1', model: 'fake', tier: TIER, cache: 'miss', createdMs: 0 };
        for (const [at, text] of deltas.entries()) {
          if (at > 0) await pause?.(call.signal);
          call.signal?.throwIfAborted();
          yield { type: 'text-delta', text };
        }
        yield endPart();
        finished = true;
      } finally {
        if (!finished) close();
      }
    },
  };
}

function endPart(): StreamPart {
  const receipt = {
    sequence: 1,
    requestId: 'r1',
    atMs: 0,
    tier: TIER,
    rules: [],
    redactedByType: {},
    bytesOut: 77,
    hosts: [],
    previous: '0'.repeat(64),
    hash: 'a'.repeat(64),
  };
  return {
    type: 'response-end',
    id: 'r1',
    model: 'fake',
    finishReason: 'stop',
    usage: { promptTokens: 3, completionTokens: 2 },
    tier: TIER,
    cache: { status: 'miss', reason: 'no-entry' },
    timings: { totalMs: 5, ttftMs: 2, steps: [] },
    receipt,
  };
}
