// Owns making an answer where none is kept: route, ask a tier, time its stream, keep what came whole. What it yields
// belongs to no one request yet, so several that ask the same may read it.
import { NearfieldError } from './errors.ts';
import { personOf } from './messages.ts';
import type { Router } from './router.ts';
import { NO_USAGE, type Run } from './run.ts';
import type {
  CachedAnswer,
  CacheQuery,
  ChatRequest,
  Clock,
  Egress,
  FinishReason,
  PolicyReview,
  SemanticCache,
  Tier,
  TierKind,
  TierPart,
  TierRef,
  Usage,
} from './types.ts';

/** What a tier made, before it is any one request's: several may read it. */
export type MadePart =
  | { readonly type: 'begun'; readonly model: string | undefined }
  | Exclude<TierPart, { type: 'finish' }>
  | {
      readonly type: 'made';
      readonly model: string;
      readonly usage: Usage;
      readonly finishReason: FinishReason;
    };

interface MakerParts {
  readonly router: Router;
  readonly egress: Egress;
  readonly cache: SemanticCache | undefined;
  readonly clock: Clock;
  readonly consent: (() => TierKind | undefined) | undefined;
}

/** `asker` is whose request it is by now: its first may have left. */
export type Maker = (
  asker: () => Run,
  request: ChatRequest,
  review: PolicyReview,
  query: CacheQuery | undefined,
  signal: AbortSignal,
) => AsyncGenerator<MadePart, void, void>;

export function createMaker({ router, egress, cache, clock, consent }: MakerParts): Maker {
  /** Asks the tiers and keeps what came. `asker` is whose request it is by now: its first may have left. */
  async function* makeAnswer(
    asker: () => Run,
    request: ChatRequest,
    review: PolicyReview,
    query: CacheQuery | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<MadePart, void, void> {
    const begunMs = clock.monotonic();
    const routed = await asker().tracer.step('route', () =>
      router.route(
        request,
        review.decision,
        (tier, tierSignal) => attempt(asker(), tier, request, review, tierSignal),
        {
          signal,
          onAttemptFailed: (failed) => {
            asker().attempts = [...asker().attempts, failed];
          },
        },
      ),
    );
    const tier = { id: routed.tier.id, kind: routed.tier.kind };
    asker().tier = tier;
    const endStream = asker().tracer.begin('stream');
    const kept: CachedAnswer['parts'][number][] = [];
    let finish: Extract<TierPart, { type: 'finish' }> | undefined;
    let started = false;
    for await (const part of routed.parts) {
      signal.throwIfAborted();
      if (!started) yield { type: 'begun', model: part.type === 'finish' ? part.model : undefined };
      started = true;
      if (part.type === 'finish') {
        finish = part;
        break;
      }
      kept.push(part);
      yield part;
    }
    endStream({ tier: tier.kind });
    if (finish === undefined) throw cut(asker());
    const model = modelOf(finish, request);
    const usage = finish.usage ?? NO_USAGE;
    const costMs = clock.monotonic() - begunMs;
    await keep(asker(), query, { parts: kept, finish, usage, tier, model, costMs });
    yield { type: 'made', model, usage, finishReason: finish.finishReason };
  }

  /** One tier asked once: the device gets the request whole and no network, others a redacted one. */
  function attempt(
    run: Run,
    tier: Tier,
    request: ChatRequest,
    review: PolicyReview,
    signal: AbortSignal,
  ): AsyncIterable<TierPart> {
    const ref: TierRef = { id: tier.id, kind: tier.kind };
    const permit = egress.open({ decision: review.decision, tier: ref, host: tier.host });
    run.permits.push(permit);
    const context = { signal, fetch: permit.fetch, step: run.tracer.add };
    if (tier.kind === 'device') return tier.stream(request, context);
    checkConsent(tier, run.consent, consent?.());
    const redacted = review.redactFor(tier.kind);
    run.redactedByType = redacted.redactedByType;
    // The farthest tier travels with the request, so the edge goes no further than the page may.
    const sent: ChatRequest = {
      ...redacted.request,
      privacy: review.decision.farthest,
      // A host that is told of nobody would keep this for everybody.
      ...(personOf(request) === undefined && review.decision.sensitivity !== 'none' && { cache: 'bypass' }),
    };
    return redacted.restore(tier.stream(sent, context));
  }

  async function keep(
    run: Run,
    query: CacheQuery | undefined,
    made: {
      parts: CachedAnswer['parts'];
      finish: Extract<TierPart, { type: 'finish' }>;
      usage: Usage;
      tier: TierRef;
      model: string;
      costMs: number;
    },
  ): Promise<void> {
    const { finishReason } = made.finish;
    if (query === undefined || cache === undefined) return;
    if (finishReason !== 'stop' && finishReason !== 'tool_calls') return;
    const answer: CachedAnswer = {
      parts: made.parts,
      finishReason,
      usage: made.usage,
      model: made.model,
      tier: made.tier,
      costMs: made.costMs,
    };
    const entryId = await run.tracer.step('cache-write', () =>
      cache.write(query, answer).catch(() => undefined),
    );
    run.cache = { ...run.cache, entryId };
  }

  return makeAnswer;
}

const FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];

/** A nearer tier may have taken minutes to fail, in which the person may have thought better of it. */
function checkConsent(tier: Tier, before: TierKind | undefined, now: TierKind | undefined): void {
  const reach = FAR.indexOf(now ?? 'device');
  if (reach >= FAR.indexOf(before ?? 'device') || reach >= FAR.indexOf(tier.kind)) return;
  throw new NearfieldError('egress-denied', `The person agreed no longer to the ${tier.kind}.`, {
    tier: tier.id,
  });
}

export function modelOf(
  finish: Extract<TierPart, { type: 'finish' }> | undefined,
  request: ChatRequest,
): string {
  return finish?.model ?? request.model ?? 'nearfield';
}

export function cut(run: Run): NearfieldError {
  return new NearfieldError('upstream-cut', 'The answer ended before it was finished. Ask again.', {
    tier: run.tier.id,
  });
}
