// Owns a tier whose answers are a script: for tests, demos and the router's own proof. Sends nothing.
import { NearfieldError } from '../errors.ts';
import type { ChatRequest, Tier, TierContext, TierKind, TierPart } from '../types.ts';

/** One step of an answer, played in order. */
export type FakeStep =
  | TierPart
  | { readonly type: 'wait'; readonly ms: number }
  /** Never goes on; ends by abort only. */
  | { readonly type: 'hang' }
  | { readonly type: 'throw'; readonly error: unknown };

export type FakeScript = readonly FakeStep[] | ((request: ChatRequest) => readonly FakeStep[]);

export interface FakeTierOptions {
  /** Default `fake-<kind>`. */
  readonly id?: string;
  /** Default `device`. */
  readonly kind?: TierKind;
  readonly host?: string;
  /** Default: every request. */
  readonly can?: Tier['can'];
  /** Default: answers `Fake answer.` in two parts. */
  readonly script?: FakeScript;
}

export interface FakeCall {
  readonly request: ChatRequest;
  readonly signal: AbortSignal;
  /** How its stream ended; `open` until then. `aborted`: by the signal or by a consumer who left. */
  outcome: 'open' | 'finished' | 'failed' | 'aborted';
}

export interface FakeTier extends Tier {
  /** Every request it was asked to stream, in order, but those aborted before. */
  readonly calls: readonly FakeCall[];
  /** Plays these scripts for the next calls, one each, before the standing one. */
  next(...scripts: readonly FakeScript[]): void;
  disposed(): boolean;
}

export function createFakeTier(options: FakeTierOptions = {}): FakeTier {
  const { id = `fake-${options.kind ?? 'device'}`, kind = 'device', host } = options;
  const standing = options.script ?? says('Fake ', 'answer.');
  const queued: FakeScript[] = [];
  const calls: FakeCall[] = [];
  let disposed = false;
  return {
    id,
    kind,
    ...(host !== undefined && { host }),
    can: options.can ?? (() => true),
    stream(request, context) {
      const script = queued.shift() ?? standing;
      const call: FakeCall = { request, signal: context.signal, outcome: 'open' };
      if (!context.signal.aborted) calls.push(call);
      return play(call, typeof script === 'function' ? script(request) : script, context);
    },
    async dispose() {
      disposed = true;
    },
    calls,
    next: (...scripts) => void queued.push(...scripts),
    disposed: () => disposed,
  };
}

/** A script that says these texts, one part each, then finishes with `stop`. */
export function says(...texts: readonly string[]): readonly FakeStep[] {
  return [
    ...texts.map((text) => ({ type: 'text-delta' as const, text })),
    {
      type: 'finish' as const,
      finishReason: 'stop' as const,
      usage: { promptTokens: 1, completionTokens: texts.length },
    },
  ];
}

/** A script that fails at once with this error, or with this code. */
export function fails(error: NearfieldError['code'] | Error): readonly FakeStep[] {
  const thrown = typeof error === 'string' ? new NearfieldError(error, `Scripted ${error}.`) : error;
  return [{ type: 'throw', error: thrown }];
}

async function* play(
  call: FakeCall,
  steps: readonly FakeStep[],
  { signal }: TierContext,
): AsyncGenerator<TierPart, void, void> {
  try {
    for (const step of steps) {
      // A real tier meets its signal between parts, whatever it is doing.
      await pause(0, signal);
      if (step.type === 'throw') throw step.error;
      if (step.type === 'wait') await pause(step.ms, signal);
      else if (step.type === 'hang') await pause(undefined, signal);
      else if (step.type === 'finish') {
        call.outcome = 'finished';
        yield step;
        return;
      } else yield step;
    }
    call.outcome = 'failed';
  } catch (error) {
    call.outcome = signal.aborted ? 'aborted' : 'failed';
    throw error;
  } finally {
    if (call.outcome === 'open') call.outcome = 'aborted';
  }
}

/** Resolves after `ms` (0: at once, undefined: never); rejects with AbortError when the signal fires. */
function pause(ms: number | undefined, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(new DOMException('The request was aborted.', 'AbortError'));
    };
    if (signal.aborted) return reject(new DOMException('The request was aborted.', 'AbortError'));
    signal.addEventListener('abort', abort, { once: true });
    const done = (): void => {
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const timer = ms === undefined || ms === 0 ? undefined : setTimeout(done, ms);
    if (ms === 0) queueMicrotask(done);
  });
}
