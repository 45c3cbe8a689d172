// Owns the real runtime behind the page: this device first, then the edge worker where there is one and the
// person allows it. Opens nothing before it is needed; reaches nobody but the page's own site and the edge.
import { type ChatRequest, createRuntime, type Tagger, type Tier, type TierKind } from 'nearfield';
import { createSemanticCache, type Guard } from 'nearfield/cache';
import { openBrowserCacheStore } from 'nearfield/cache/browser';
import {
  combineDetectors,
  createDetectors,
  createEgress,
  createPolicy,
  createReceiptBook,
  exportReceipts,
  verifyReceipts,
} from 'nearfield/policy';
import { createIndexedDbReceiptStore } from 'nearfield/policy/receipts-indexeddb';
import { type Answerer, createAnswerer, type LabellingParts } from 'nearfield/tasks';
import { createTelemetry, createWebTelemetryStore } from 'nearfield/telemetry';
import { createDeviceTier } from 'nearfield/tiers/device';
import { createEdgeTier } from 'nearfield/tiers/edge';
import type { AppRuntime, ChainCheck, Question } from './app-runtime.ts';
import type { LanguageModel } from './language-model.ts';
import type { PageModel } from './model.ts';
import { PAGE_POLICY } from './policy.ts';
import { startReporting } from './reporting.ts';

export interface AppRuntimeOptions {
  readonly model: PageModel;
  readonly languageModel: LanguageModel;
  /** The cache's check that a kept question asks the same. */
  readonly guard?: Guard | undefined;
  /** How soon an answer goes out of date: how long the cache keeps it. */
  readonly volatility?: LabellingParts['volatility'] | undefined;
  /** Finds names and places in a question before it may leave. */
  readonly tagger: Tagger;
  /** Base URL of the edge worker; absent when there is none. */
  readonly edgeUrl?: URL | undefined;
}

/** Answers of one browser are one scope: whoever uses it sees the same documents. */
const SCOPE = 'this-browser';

export function createAppRuntime({
  model,
  languageModel,
  guard,
  volatility,
  tagger,
  edgeUrl,
}: AppRuntimeOptions): AppRuntime {
  const { embedder } = model;
  const answerer = afterIndexing(createAnswerer({ embedder }));
  const detectors = createDetectors(tagger);
  const detector = combineDetectors(detectors);
  const policy = createPolicy(PAGE_POLICY, { detectors });
  const egress = createEgress({ allowHosts: edgeUrl === undefined ? [] : [edgeUrl.host] });
  const telemetry = createTelemetry({
    store: createWebTelemetryStore({ storage: localStorage, locks: navigator.locks }),
  });
  const cache = createSemanticCache({
    store: openBrowserCacheStore({ name: 'demo' }),
    embed: async (texts, options) => (await embedder.embed(texts, options)).embeddings,
    guard,
    volatility,
  });
  if (edgeUrl !== undefined) startReporting(telemetry, egress, edgeUrl);
  let consent: TierKind = 'device';
  const runtime = createRuntime({
    tiers: [createDeviceTier({ answerer, generator: languageModel.generator }), ...farTiers(edgeUrl)],
    policy,
    egress,
    cache,
    embedder,
    telemetry,
    receipts: createReceiptBook({ store: createIndexedDbReceiptStore() }),
    consent: () => consent,
  });

  return {
    model: model.state,
    loadModel: () => model.load(),
    languageModel,
    edgeHost: edgeUrl?.host ?? '',
    ask(question, { signal }) {
      consent = question.privacy;
      return runtime.generate(requestOf(question), { signal });
    },
    async preview(question) {
      const request = requestOf(question);
      const signal = AbortSignal.timeout(2000);
      const spans = await detector.detect(question.text, { signal });
      const review = await policy.review(request, { consent: question.privacy, task: 'generate', signal });
      const { decision } = review;
      if (decision.farthest === 'device') return { spans, decision };
      const { content } = review.redactFor(decision.farthest).request.messages.at(-1)!;
      return { spans, decision, outgoing: typeof content === 'string' ? content : JSON.stringify(content) };
    },
    async index(documents, options) {
      const indexed = await answerer.index.get(documents, { ...options, scope: SCOPE });
      return indexed.map(({ sentences, windows }) => ({
        sentences: sentences.length,
        chunks: windows.length,
      }));
    },
    feedback: (entryId, verdict) => runtime.feedback(entryId, verdict),
    traces: () => runtime.traces(),
    receipts: () => runtime.receipts(),
    exportReceipts: async () => exportReceipts(await runtime.receipts()),
    async verifyReceipts(): Promise<ChainCheck> {
      const receipts = await runtime.receipts();
      const result = await verifyReceipts(receipts);
      if (result.ok) return { ok: true, checked: result.count };
      return { ok: false, checked: result.index, brokenAt: receipts[result.index]?.sequence };
    },
    cacheStats: () => cache.stats(),
    cacheEntries: () => cache.exportScope(SCOPE),
    removeFromCache: (part) => cache.invalidate({ ...part, scope: SCOPE }),
    eraseCache: () => cache.erase(SCOPE),
    telemetryNotice: telemetry.notice(),
    telemetry: () => telemetry.status(),
    setTelemetry: (on) => (on ? telemetry.optIn(telemetry.notice().version) : telemetry.optOut()),
  };
}

/** A question waits for the indexing under way: the same document is never embedded twice at once. */
function afterIndexing(answerer: Answerer): Answerer {
  let underWay: Promise<unknown> = Promise.resolve();
  return {
    index: {
      clear: (scope) => answerer.index.clear(scope),
      get(documents, options) {
        const work = answerer.index.get(documents, options);
        underWay = Promise.allSettled([underWay, work]);
        return work;
      },
    },
    async find(question, documents, options) {
      await underWay;
      options?.signal?.throwIfAborted();
      return await answerer.find(question, documents, options);
    },
  };
}

/** The page speaks to the edge worker alone; the cloud, where there is one, is behind it. */
function farTiers(edgeUrl: URL | undefined): readonly Tier[] {
  return edgeUrl === undefined ? [] : [createEdgeTier({ baseUrl: new URL('v1', edgeUrl).href })];
}

function requestOf(question: Question): ChatRequest {
  const earlier = question.history.flatMap((turn) => [
    { role: 'user' as const, content: turn.question },
    { role: 'assistant' as const, content: turn.answer },
  ]);
  return {
    messages: [...earlier, { role: 'user', content: question.text }],
    // Where the language model is here it says what was found in its own words.
    phrase: true,
    scope: SCOPE,
    privacy: question.privacy,
    cache: question.cache ?? 'use',
    documents: question.documents.length > 0 ? question.documents : undefined,
  };
}
