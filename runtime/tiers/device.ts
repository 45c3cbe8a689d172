// The device tier: answers from the caller's documents by extraction, and from a local language model
// where one is handed in. It is never given a network.
import { NearfieldError } from '../errors.ts';
import { personOf, questionOf } from '../messages.ts';
import { type Answerer, phrasingRequest, supportedSentences } from '../tasks/index.ts';
import type { ChatRequest, Passage, Tier, TierContext, TierPart, Usage } from '../types.ts';

/** A local language model, as the device tier sees it. */
export interface LocalGenerator {
  can(request: ChatRequest): boolean | Promise<boolean>;
  /** `step` is told how long queueing, prefill and decode took. */
  stream(
    request: ChatRequest,
    options: { readonly signal: AbortSignal; readonly step?: TierContext['step'] },
  ): AsyncIterable<TierPart>;
  /** Forgets what a scope said, or everybody. */
  forget?(scope?: string): void | Promise<void>;
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
      if (extracts(request)) yield* answer(answerer!, generator, request, notFoundText, context);
      else yield* generator!.stream(request, { signal, step });
    },
    async forget(scope) {
      answerer?.index.clear(scope);
      await generator?.forget?.(scope);
    },
    async dispose() {
      await generator?.dispose?.();
    },
  };
}

/** Passages first. Then the best of them as it stands, or the passages in the model's words where asked for. */
async function* answer(
  answerer: Answerer,
  generator: LocalGenerator | undefined,
  request: ChatRequest,
  notFoundText: string,
  context: TierContext,
): AsyncIterable<TierPart> {
  const { signal, step } = context;
  const question = questionOf(request).trim();
  if (question === '') {
    throw new NearfieldError(
      'invalid-request',
      'Expected a user message with a question about the documents, got none. Add one to messages.',
      { param: 'messages' },
    );
  }
  const scope = personOf(request);
  const { passages, embedMs, rankMs } = await answerer.find(question, request.documents ?? [], {
    signal,
    scope,
  });
  step?.('embed', embedMs);
  step?.('rank', rankMs);
  signal.throwIfAborted();
  yield { type: 'sources', passages };
  const phrases = request.phrase === true && passages.length > 0 && generator !== undefined;
  const phrased = phrases ? yield* phrase(generator, request, question, passages, context) : undefined;
  if (phrased?.said !== true) yield { type: 'text-delta', text: passages[0]?.text ?? notFoundText };
  yield {
    type: 'finish',
    finishReason: 'stop',
    ...(phrased?.usage !== undefined && { usage: phrased.usage }),
    ...(phrased?.said === true && { model: phrased.model }),
  };
}

interface Phrased {
  /** False when the model said nothing that the passages bear out. */
  readonly said: boolean;
  readonly usage?: Usage | undefined;
  readonly model?: string | undefined;
}

/** A model that fails leaves the answer to the passages; a person who leaves ends it. */
async function* phrase(
  generator: LocalGenerator,
  request: ChatRequest,
  question: string,
  passages: readonly Passage[],
  { signal, step }: TierContext,
): AsyncGenerator<TierPart, Phrased> {
  let said = false;
  let finish: Extract<TierPart, { type: 'finish' }> | undefined;
  async function* texts(): AsyncGenerator<string> {
    const asked = phrasingRequest(request, question, passages);
    for await (const part of generator.stream(asked, { signal, step })) {
      if (part.type === 'text-delta') yield part.text;
      if (part.type === 'finish') finish = part;
    }
  }
  try {
    for await (const text of supportedSentences(texts(), question, passages)) {
      said = true;
      yield { type: 'text-delta', text };
    }
  } catch (error) {
    if (signal.aborted || said) throw error;
  }
  return { said, usage: finish?.usage, model: finish?.model };
}
