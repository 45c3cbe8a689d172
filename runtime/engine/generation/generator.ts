// Owns a language model on this host as the device tier uses it: requests in, parts out, conversations side
// by side. The way of one request, top to bottom: plan, wait, reuse, prefill, decode, give back.
import { abortErrorOf, NearfieldError } from '../../errors.ts';
import { personOf } from '../../messages.ts';
import type { ChatRequest, TierContext, TierPart } from '../../types.ts';
import { type AnswerEnd, answerParts } from './answer-parts.ts';
import { createDecodeLoop, type DecodeLoop } from './decode-loop.ts';
import { createGrammars, type Grammars } from './grammar/grammars.ts';
import { createGuesser } from './guess.ts';
import { createPrefixPool, type PrefixPool } from './prefix-pool.ts';
import { type Plan, type PlanOptions, planRequest } from './request-plan.ts';
import { createSampler } from './sampler.ts';
import { createScheduler, type Lane, type SchedulerOptions } from './scheduler.ts';
import type { Decoder, DecoderMemory, DecoderSequence } from './types.ts';

export interface GeneratorOptions
  extends Omit<PlanOptions, 'context' | 'grammars'>,
    Omit<SchedulerOptions, 'decoder'> {
  readonly decoder: Decoder;
  /** Told as the answer's model. */
  readonly model: string;
  /** Conversations kept for their next turn. Default 8. */
  readonly maxIdle?: number | undefined;
  /** Most bytes of keys and values while a conversation is idle. Default: the decoder's own budget. */
  readonly maxCacheBytes?: number | undefined;
  /** Guess what comes next from what was said before; never changes an answer. Default true. */
  readonly guess?: boolean | undefined;
  /**
   * How often one answer may make the same call, name and arguments word for word; further ones are left out, and two in
   * a row of them end the answer. More than 1 where tools are meant to be called so, as a die is. Default 1.
   */
  readonly maxSameCalls?: number | undefined;
  /** Monotonic milliseconds. Default performance.now. */
  readonly now?: (() => number) | undefined;
  /** Called once after the decoder's own dispose. */
  readonly onDispose?: (() => void | Promise<void>) | undefined;
}

export interface Generator {
  readonly model: string;
  /** Where it computes now; another one after a device was lost. */
  readonly backend: string;
  /** Tokens a prompt and its answer may have together. */
  readonly context: number;
  can(request: ChatRequest): boolean;
  /**
   * Text and tool calls, then one `finish`. `step` is told of queue, prefill and decode.
   * @throws context-overflow, queue-full, out-of-memory, invalid-request, AbortError
   */
  stream(
    request: ChatRequest,
    options: { readonly signal: AbortSignal; readonly step?: TierContext['step'] },
  ): AsyncGenerator<TierPart, void, void>;
  memory(): DecoderMemory;
  running(): number;
  /** Forgets what a scope said, or everybody; conversations in flight go on. */
  forget(scope?: string): void;
  /** Ends what runs and gives the memory back. */
  dispose(): Promise<void>;
}

/** @throws invalid-request where an option is out of its range */
export function createGenerator(options: GeneratorOptions): Generator {
  const { decoder, vocabulary, endIds, maxSameCalls = 1 } = options;
  if (!Number.isInteger(maxSameCalls) || maxSameCalls < 1) {
    throw new NearfieldError(
      'invalid-request',
      `Expected maxSameCalls to be a whole number from 1 up, got ${maxSameCalls}. Leave tools out where none is to be called.`,
    );
  }
  const now = options.now ?? (() => performance.now());
  const scheduler = createScheduler(options);
  const pool = createPrefixPool(options);
  const grammars = createGrammars({ vocabulary, endIds, vocab: decoder.vocab });
  let disposed: Promise<void> | undefined;

  async function* stream(
    request: ChatRequest,
    { signal, step }: { readonly signal: AbortSignal; readonly step?: TierContext['step'] },
  ): AsyncGenerator<TierPart, void, void> {
    if (signal.aborted) throw abortErrorOf(signal);
    if (disposed !== undefined) throw unloaded();
    const plan = planRequest(request, { ...options, context: decoder.context, grammars });
    const scope = personOf(request) ?? 'default';
    const began = now();
    const lane = await scheduler.enter({ scope, priority: request.priority, signal }).catch((error) => {
      throw signal.aborted ? abortErrorOf(signal) : error;
    });
    step?.('queue', now() - began, { waiting: scheduler.waiting() });
    let answer: Answer | undefined;
    try {
      answer = begin(plan, scope, lane, signal, step);
      const end = yield* withAbort(partsOf(plan, answer.loop), signal);
      reportDecode(answer, end, step);
      const { answerTokens } = answer.loop.stats();
      yield {
        type: 'finish',
        finishReason: end.reason,
        model: options.model,
        usage: { promptTokens: plan.prompt.length, completionTokens: answerTokens },
      };
    } finally {
      lane.leave();
      // What was computed is worth keeping, also when the reader left early.
      if (answer !== undefined) giveBack(answer, scope);
    }
  }

  function begin(
    plan: Plan,
    scope: string,
    lane: Lane,
    signal: AbortSignal,
    step: TierContext['step'],
  ): Answer {
    const { sequence, reused } = pool.take(scope, plan.prompt);
    const prefilled = (ms: number) =>
      step?.('prefill', ms, { tokens: plan.prompt.length - reused, reusedTokens: reused });
    const loop = createDecodeLoop({
      sequence,
      prompt: plan.prompt,
      vocab: decoder.vocab,
      maxTokens: plan.maxTokens,
      sampler: createSampler(plan.sampling),
      endIds,
      grammar: plan.grammar,
      guesser: options.guess === false ? undefined : createGuesser(),
      logprobs: plan.logprobs,
      now,
      onPrefilled: prefilled,
      forward: (tokens, logits) => forward(lane, pool, sequence, tokens, logits, signal),
    });
    return { sequence, loop };
  }

  function partsOf(plan: Plan, loop: DecodeLoop) {
    return answerParts({
      loop,
      vocabulary,
      stops: plan.stops,
      calls: plan.calls,
      callGrammar: plan.callGrammar,
      maxSameCalls,
      newId: () => `call_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`,
    });
  }

  function giveBack({ sequence, loop }: Answer, scope: string): void {
    if (disposed === undefined) pool.give(scope, sequence, loop.history());
    else sequence.close();
  }

  return {
    model: options.model,
    get backend() {
      return decoder.backend;
    },
    context: decoder.context,
    can: () => disposed === undefined,
    stream,
    memory: () => decoder.memory(),
    running: () => scheduler.running(),
    forget: (scope) => pool.clear(scope),
    dispose() {
      disposed ??= (async () => {
        scheduler.close(unloaded());
        pool.clear();
        await decoder.dispose();
        await options.onDispose?.();
      })();
      return disposed;
    },
  };
}

interface Answer {
  readonly sequence: DecoderSequence;
  readonly loop: DecodeLoop;
}

/** Makes room by forgetting idle conversations when this one can not grow. */
async function forward(
  lane: Lane,
  pool: PrefixPool,
  sequence: DecoderSequence,
  tokens: readonly number[],
  logits: 'last' | 'all',
  signal: AbortSignal,
): Promise<Float32Array> {
  const before = sequence.length;
  for (;;) {
    try {
      // Chunks that were done stay done.
      return await lane.forward(sequence, tokens.slice(sequence.length - before), logits, signal);
    } catch (error) {
      const full = error instanceof NearfieldError && error.code === 'out-of-memory';
      if (!full || !pool.forget()) throw error;
    }
  }
}

/** Every wait below may fail with the signal's own reason; callers are promised an AbortError. */
async function* withAbort<T, R>(
  parts: AsyncGenerator<T, R, void>,
  signal: AbortSignal,
): AsyncGenerator<T, R> {
  try {
    for (;;) {
      const result = await parts.next();
      if (signal.aborted) throw abortErrorOf(signal);
      if (result.done === true) return result.value;
      yield result.value;
    }
  } catch (error) {
    throw signal.aborted ? abortErrorOf(signal) : error;
  } finally {
    await parts.return(undefined as R);
  }
}

function reportDecode(
  { loop }: Answer,
  { repeatedCalls, looped }: AnswerEnd,
  step: TierContext['step'],
): void {
  const { decodeMs, answerTokens, guessed, guessedRight } = loop.stats();
  step?.('decode', decodeMs, {
    tokens: answerTokens,
    guessed,
    guessedRight,
    ...(repeatedCalls > 0 && { repeatedCalls }),
    ...(looped && { ended: 'repeated-calls' }),
  });
}

function unloaded(): NearfieldError {
  return new NearfieldError('backend-unavailable', 'The language model was unloaded. Load it again.');
}

export type { Grammars };
