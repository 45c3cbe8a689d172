// The way of one request, read top to bottom: policy, cache, route, stream, cache write, receipt, trace.
// Knows contracts, never an adapter: tiers, stores and the network are handed in.
import { cacheQueryOf } from './cache-key.ts';
import { type Completion, collect } from './completion.ts';
import { isAbortError, NearfieldError } from './errors.ts';
import { createMaker, cut, type MadePart, modelOf } from './making.ts';
import { copyOf } from './messages.ts';
import { asFetch, createOpenAiHandler, type ServedModel } from './openai.ts';
import { createRouter, type Router } from './router.ts';
import { CACHE_TIER, NO_TIER, NO_USAGE, type Run, receiptDraft, startRun, traceOf } from './run.ts';
import { systemClock } from './tracer.ts';
import type {
  CachedAnswer,
  CacheLookup,
  CacheQuery,
  ChatRequest,
  Clock,
  Egress,
  Embedder,
  EmbedRequest,
  EmbedResult,
  FinishReason,
  MakeShared,
  Policy,
  PolicyReview,
  Receipt,
  ReceiptBook,
  ResponseEnd,
  SemanticCache,
  SourceDocument,
  StreamPart,
  TelemetryRecorder,
  Tier,
  TierKind,
  Trace,
} from './types.ts';

export interface RuntimeOptions {
  /** Near to far or in any order; the router sorts them. */
  readonly tiers: readonly Tier[];
  readonly policy: Policy;
  readonly egress: Egress;
  readonly receipts: ReceiptBook;
  readonly cache?: SemanticCache | undefined;
  /** Serves `embed` and /v1/embeddings; its weights' hash is part of every cache key. */
  readonly embedder?: Embedder | undefined;
  readonly telemetry?: TelemetryRecorder | undefined;
  /** The person's consent, asked at each request. Default: none given. */
  readonly consent?: (() => TierKind | undefined) | undefined;
  readonly clock?: Clock | undefined;
  /** Traces kept in memory. Default 200. */
  readonly maxTraces?: number | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Chain that the receipt joins. A host of several tenants gives each its own, or one would learn how much others ask. */
  readonly receiptChain?: string | undefined;
}

export interface AnswerRequest extends Omit<ChatRequest, 'messages' | 'documents'> {
  readonly question: string;
  readonly documents: readonly SourceDocument[];
}

export interface Runtime {
  /** One start, deltas, one end. @throws NearfieldError (any code but the storage ones), AbortError */
  generate(request: ChatRequest, options?: CallOptions): AsyncGenerator<StreamPart, void, void>;
  /** `generate`, collected. */
  complete(request: ChatRequest, options?: CallOptions): Promise<Completion>;
  /** Asks the documents. `found` is false when no sentence reaches the calibrated threshold. */
  answer(request: AnswerRequest, options?: CallOptions): Promise<Completion & { readonly found: boolean }>;
  /** @throws model-not-found when no embedder was handed in, invalid-request */
  embed(request: EmbedRequest, options?: CallOptions): Promise<EmbedResult>;
  /** OpenAI's wire format inside the page: `new OpenAI({ fetch: runtime.fetch })`. Sends nothing by itself. */
  readonly fetch: (input: Request | URL | string, init?: RequestInit) => Promise<Response>;
  models(): readonly ServedModel[];
  /** Oldest first; they stay on this device. */
  traces(): readonly Trace[];
  receipts(): Promise<readonly Receipt[]>;
  /** Tells the cache that a replayed answer was right or wrong for its question. */
  feedback(entryId: string, verdict: 'right' | 'wrong'): Promise<void>;
  /**
   * Erases what is kept for a scope: answers, vectors, what its questions taught, its placeholders, its documents and
   * conversations in memory. Returns the answers removed. Receipts and traces stay; they hold no text. @throws storage-failed: what is not gone must be known
   */
  erase(scope: string): Promise<number>;
  /** Which tiers the breakers keep closed, in order. */
  readonly router: Router;
  close(): Promise<void>;
}

/** Builds a runtime from its parts. Opens nothing and sends nothing until it is asked. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { policy, egress, receipts, cache, embedder, telemetry } = options;
  const clock = options.clock ?? systemClock;
  const maxTraces = options.maxTraces ?? 200;
  const router = createRouter({ tiers: options.tiers, clock });
  const maker = createMaker({ router, egress, cache, clock, consent: options.consent });
  const traces: Trace[] = [];
  const refreshing = new Set<string>();
  const background = new Set<Promise<void>>();
  const lifetime = new AbortController();

  async function* generate(
    asked: ChatRequest,
    call: CallOptions = {},
  ): AsyncGenerator<StreamPart, void, void> {
    const run = startRun(clock, call.receiptChain);
    const stop = new AbortController();
    const signal = call.signal === undefined ? stop.signal : AbortSignal.any([call.signal, stop.signal]);
    let failure: unknown;
    let finished = false;
    try {
      signal.throwIfAborted();
      // The app may change its own meanwhile: what was reviewed is what is answered, sent and kept.
      const request = copyOf(asked);
      checkRequest(request);
      run.consent = options.consent?.();
      const review = await run.tracer.step('policy', () =>
        policy.review(request, { consent: run.consent, task: taskOf(request), signal }),
      );
      run.decision = review.decision;
      const query = await queryFor(request, run);
      const lookup = await lookUp(run, request, query, signal);
      const parts =
        lookup.answer === undefined
          ? produce(run, request, review, query, signal)
          : replay(run, request, lookup.answer);
      for await (const part of parts) {
        // A consumer may leave at the end part; the answer was whole by then.
        if (part.type === 'response-end') finished = true;
        yield part;
      }
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      stop.abort();
      await closeRun(
        run,
        finished ? 'ok' : failure === undefined || isAbortError(failure) ? 'aborted' : 'error',
        failure,
      );
    }
  }

  // ---- cache

  async function queryFor(
    request: ChatRequest,
    { decision, startedAtMs }: Run,
  ): Promise<CacheQuery | undefined> {
    if (cache === undefined || !decision.cacheable || request.cache === 'bypass') return undefined;
    // A kept answer has no logprobs to replay.
    if (request.logprobs === true) return undefined;
    const facts = { weightsHash: embedder?.weightsHash ?? '', farthest: decision.farthest };
    return await cacheQueryOf(request, facts, startedAtMs);
  }

  async function lookUp(
    run: Run,
    request: ChatRequest,
    query: CacheQuery | undefined,
    signal: AbortSignal,
  ): Promise<CacheLookup> {
    if (query === undefined || request.cache === 'refresh') {
      const asked = request.cache === 'bypass' || request.cache === 'refresh' ? request.cache : 'logprobs';
      const reason = cache === undefined ? 'no-cache' : run.decision.cacheable ? `asked-${asked}` : 'policy';
      run.cache = { status: request.cache === 'refresh' && query !== undefined ? 'miss' : 'bypass', reason };
      return run.cache;
    }
    const options = { ...request.cacheControl, signal };
    const lookup = await run.tracer.step('cache', () => cache!.lookup(query, options));
    signal.throwIfAborted();
    const { answer: _answer, ...report } = lookup;
    run.cache = report;
    return lookup;
  }

  /** A kept answer, part by part as it first came. A stale one is refreshed behind the caller's back. */
  async function* replay(run: Run, request: ChatRequest, answer: CachedAnswer): AsyncGenerator<StreamPart> {
    run.tier = CACHE_TIER;
    run.usage = answer.usage;
    yield startPart(run, answer.model);
    for (const part of answer.parts) {
      if (part.type !== 'sources') run.tracer.firstToken();
      yield part;
    }
    if (run.cache.status === 'stale') refresh(request, run.cache.entryId ?? run.id, run.chain);
    yield await endPart(run, answer.model, answer.finishReason);
  }

  function refresh(request: ChatRequest, entryId: string, receiptChain: string | undefined): void {
    if (refreshing.has(entryId)) return;
    refreshing.add(entryId);
    const work = drain(
      generate(
        { ...request, cache: 'refresh', priority: 'background' },
        { signal: lifetime.signal, receiptChain },
      ),
    )
      .catch(() => {}) // the trace has it; a failed refresh leaves the stale entry as it is
      .finally(() => {
        refreshing.delete(entryId);
        background.delete(work);
      });
    background.add(work);
  }

  // ---- tiers

  /** The answer from a tier, shared with requests for the same thing that are in flight. */
  async function* produce(
    run: Run,
    request: ChatRequest,
    review: PolicyReview,
    query: CacheQuery | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<StreamPart> {
    if (request.cacheControl?.onlyIfCached === true) throw nothingKept();
    const make: MakeShared<MadePart, Run> = (asker, stop) => maker(asker, request, review, query, stop);
    const shared =
      query === undefined || request.cache === 'refresh'
        ? undefined
        : await cache?.share?.(query, run, make, { signal });
    if (shared === undefined) {
      yield* handOver(
        run,
        request,
        make(() => run, signal),
      );
      return;
    }
    const missed = run.cache;
    run.cache = shared.report ?? missed;
    let begun = false;
    try {
      for await (const part of handOver(run, request, shared.parts)) {
        begun = true;
        yield part;
      }
    } catch (error) {
      // The one that was followed failed or was too slow; nothing was said yet, so this one asks for itself.
      if (shared.leads || begun || signal.aborted) throw error;
      run.cache = missed;
      yield* handOver(
        run,
        request,
        make(() => run, signal),
      );
    }
  }

  /** What was made, as this request's own parts: its id, its timings, its receipt. */
  async function* handOver(
    run: Run,
    request: ChatRequest,
    parts: AsyncIterable<MadePart>,
  ): AsyncGenerator<StreamPart> {
    let end: Extract<MadePart, { type: 'made' }> | undefined;
    for await (const part of parts) {
      if (part.type === 'made') end = part;
      else if (part.type === 'begun') {
        if (run.tier === NO_TIER) run.tier = CACHE_TIER;
        yield startPart(run, part.model ?? modelOf(undefined, request));
      } else {
        if (part.type !== 'sources') run.tracer.firstToken();
        yield part;
      }
    }
    if (end === undefined) throw cut(run);
    run.usage = end.usage;
    yield await endPart(run, end.model, end.finishReason);
  }

  // ---- ends

  async function issueReceipt(run: Run): Promise<Receipt> {
    run.receipt ??= await receipts.issue(receiptDraft(run, clock.now()));
    return run.receipt;
  }

  async function endPart(run: Run, model: string, finishReason: FinishReason): Promise<ResponseEnd> {
    return {
      type: 'response-end',
      id: run.id,
      model,
      finishReason,
      usage: run.usage ?? NO_USAGE,
      tier: run.tier,
      cache: run.cache,
      timings: run.tracer.timings(),
      receipt: await issueReceipt(run),
    };
  }

  async function closeRun(run: Run, outcome: Trace['outcome'], failure: unknown): Promise<void> {
    const trace = traceOf(run, outcome, failure, await issueReceipt(run));
    traces.push(trace);
    if (traces.length > maxTraces) traces.shift();
    telemetry?.record(trace);
  }

  function startPart(run: Run, model: string): StreamPart {
    return {
      type: 'response-start',
      id: run.id,
      model,
      tier: run.tier,
      cache: run.cache.status,
      cacheReport: run.cache,
      createdMs: run.startedAtMs,
    };
  }

  // ---- the other doors

  async function embed(request: EmbedRequest, call: CallOptions = {}): Promise<EmbedResult> {
    const run = startRun(clock, call.receiptChain);
    let failure: unknown;
    try {
      if (embedder === undefined) {
        throw new NearfieldError(
          'model-not-found',
          'Expected an embedder, but this runtime was created without one. Hand one in as createRuntime({ embedder }).',
        );
      }
      const signal = call.signal ?? request.signal;
      run.tier = { id: 'device', kind: 'device' };
      const { embeddings, tokens } = await run.tracer.step('embed', () =>
        embedder.embed(request.input, { signal }),
      );
      run.usage = { promptTokens: tokens, completionTokens: 0 };
      return { embeddings, tokens, model: embedder.model, backend: embedder.backend() };
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      const outcome = failure === undefined ? 'ok' : isAbortError(failure) ? 'aborted' : 'error';
      await closeRun(run, outcome, failure);
    }
  }

  async function complete(request: ChatRequest, call?: CallOptions): Promise<Completion> {
    return await collect(generate(request, call));
  }

  const runtime: Runtime = {
    generate,
    complete,
    embed,
    async answer({ question, documents, ...rest }, call) {
      const messages = [{ role: 'user' as const, content: question }];
      const done = await complete({ ...rest, messages, documents }, call);
      return { ...done, found: done.passages.length > 0 };
    },
    fetch: (input, init) => pageFetch(input, init),
    models: () => modelsOf(options),
    traces: () => [...traces],
    receipts: () => receipts.all(),
    feedback: async (entryId, verdict) => await cache?.feedback(entryId, verdict),
    async erase(scope) {
      policy.forget?.(scope);
      await Promise.all(options.tiers.map((tier) => tier.forget?.(scope)));
      return (await cache?.erase(scope)) ?? 0;
    },
    router,
    async close() {
      lifetime.abort();
      await Promise.allSettled(background);
      await Promise.allSettled(options.tiers.map((tier) => tier.dispose?.()));
      await cache?.close();
      await embedder?.dispose();
    },
  };
  const pageFetch = asFetch(createOpenAiHandler(runtime));
  return runtime;
}

function checkRequest(request: ChatRequest): void {
  if (request.messages.length > 0) return;
  throw new NearfieldError(
    'invalid-request',
    'Expected at least one message, got none. Add one to messages.',
    {
      param: 'messages',
    },
  );
}

function taskOf(request: ChatRequest): 'answer' | 'generate' {
  return (request.documents?.length ?? 0) > 0 ? 'answer' : 'generate';
}

function nothingKept(): NearfieldError {
  return new NearfieldError(
    'no-tier',
    'Expected a kept answer, as the request says only-if-cached, but found none. Ask without it.',
  );
}

function modelsOf({ embedder, tiers }: RuntimeOptions): readonly ServedModel[] {
  const chat = tiers.map(({ id, kind }) => ({ id, task: 'generate', kind }));
  return embedder === undefined ? chat : [{ id: embedder.model, task: 'embed' }, ...chat];
}

async function drain(parts: AsyncIterable<StreamPart>): Promise<void> {
  for await (const _part of parts);
}
