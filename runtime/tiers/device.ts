// The device tier: answers from the caller's documents by extraction, and from a local language model
// where one is handed in. It is never given a network.
import { NearfieldError } from '../errors.ts';
import { questionOf } from '../messages.ts';
import type { Answerer } from '../tasks/index.ts';
import type { ChatRequest, Tier, TierContext, TierPart } from '../types.ts';

/** A local language model, as the device tier sees it. */
export interface LocalGenerator {
  can(request: ChatRequest): boolean | Promise<boolean>;
  /** `step` is told how long queueing, prefill and decode took. */
  stream(
    request: ChatRequest,
    options: { readonly signal: AbortSignal; readonly step?: TierContext['step'] },
  ): AsyncIterable<TierPart>;
  dispose?(): Promise<void>;
}

export interface DeviceTierOptions {
  readonly id?: string;
  /** Answers requests that carry `documents`. */
  readonly answerer?: Answerer | undefined;
  /** Answers the rest. Without one, a request without documents is not the device's. */
  readonly generator?: LocalGenerator | undefined;
  /** What is said when no sentence answers. */
  readonly notFoundText?: string;
}

/** @throws invalid-request when the request holds documents and no question. */
export function createDeviceTier(options: DeviceTierOptions): Tier {
  const { answerer, generator, notFoundText = 'The documents do not answer this.' } = options;
  const extracts = (request: ChatRequest): boolean =>
    answerer !== undefined && (request.documents?.length ?? 0) > 0;
  return {
    id: options.id ?? 'device',
    kind: 'device',
    can: (request) => extracts(request) || (generator?.can(request) ?? false),
    async *stream(request, context) {
      const { signal, step } = context;
      signal.throwIfAborted();
      if (extracts(request)) yield* extract(answerer!, request, notFoundText, context);
      else yield* generator!.stream(request, { signal, step });
    },
    async dispose() {
      await generator?.dispose?.();
    },
  };
}

async function* extract(
  answerer: Answerer,
  request: ChatRequest,
  notFoundText: string,
  { signal, step }: TierContext,
): AsyncIterable<TierPart> {
  const question = questionOf(request).trim();
  if (question === '') {
    throw new NearfieldError(
      'invalid-request',
      'Expected a user message with a question about the documents, got none. Add one to messages.',
      { param: 'messages' },
    );
  }
  const { passages, embedMs, rankMs } = await answerer.find(question, request.documents ?? [], { signal });
  step?.('embed', embedMs);
  step?.('rank', rankMs);
  signal.throwIfAborted();
  yield { type: 'sources', passages };
  yield { type: 'text-delta', text: passages[0]?.text ?? notFoundText };
  yield { type: 'finish', finishReason: 'stop' };
}
