// Owns which tier answers: orders them near to far, skips what policy, ability or a breaker leaves out,
// and falls back only before the first good part. It sends nothing itself and never widens a decision.
import { abortErrorOf, allowsFallback, isAbortError, isNearfieldError } from './errors.ts';
import { type Breaker, type BreakerOptions, type BreakerState, createBreaker } from './router/breaker.ts';
import { type Deadlines, openStream } from './router/first-part.ts';
import {
  type Attempt,
  allFailed,
  type Candidate,
  codeOf,
  isForElsewhere,
  type LeftOut,
  mayNotLeave,
  nobody,
  refOf,
  retryAfterOf,
} from './router/report.ts';
import type { ChatRequest, Clock, PolicyDecision, Tier, TierKind, TierPart, TierRef } from './types.ts';

export type { BreakerOptions, BreakerState } from './router/breaker.ts';
export type { Attempt } from './router/report.ts';

export interface RouterOptions {
  readonly tiers: readonly Tier[];
  /** Default: the platform's clocks. */
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** Uniform in [0, 1), for jitter and balancing only. Default Math.random. */
  readonly random?: () => number;
  readonly breaker?: Partial<BreakerOptions>;
  /**
   * Milliseconds a tier of this kind has for its first good part. Default: device none (its first call may
   * load weights), cloud 30 000, edge 45 000 since it may pass the request on to a cloud; not measured.
   */
  readonly firstPartTimeoutMs?: Partial<Record<TierKind, number>>;
  /** Milliseconds between two later parts before the stream counts as cut. Default 60 000; device none. */
  readonly nextPartTimeoutMs?: Partial<Record<TierKind, number>>;
  /** Kinds whose tiers are replicas to balance between. Others keep their order. Default edge and cloud. */
  readonly balance?: readonly TierKind[];
}

export interface Route {
  readonly tier: Tier;
  /** Tiers tried before this one. */
  readonly attempts: readonly Attempt[];
  /** One pass only. Ends after one `finish`; throws upstream-cut where the tier ended without one. */
  readonly parts: AsyncIterable<TierPart>;
}

export interface RouteOptions {
  readonly signal: AbortSignal;
  /** Told of each failed attempt as it happens, so that a request which fails everywhere has a trace too. */
  readonly onAttemptFailed?: ((attempt: Attempt) => void) | undefined;
}

/** Starts one tier; the caller redacts and opens the egress permit for just this tier here. */
export type AttemptFunction = (tier: Tier, signal: AbortSignal) => AsyncIterable<TierPart>;

export interface TierHealth {
  readonly tier: TierRef;
  readonly breaker: BreakerState;
  readonly inFlight: number;
  /** Moving average of time to first part; 0 until one was seen. */
  readonly latencyMs: number;
}

export interface Router {
  readonly tiers: readonly Tier[];
  /** Tiers that may be tried now, in the order they would be. */
  plan(request: ChatRequest, decision: PolicyDecision): Promise<readonly Tier[]>;
  /**
   * Resolves at the first good part of the first tier that gives one.
   * @throws no-tier, egress-denied when policy alone left the able tiers out, or what the last tier threw
   */
  route(
    request: ChatRequest,
    decision: PolicyDecision,
    attempt: AttemptFunction,
    options: RouteOptions,
  ): Promise<Route>;
  health(): readonly TierHealth[];
}

const NEAR_TO_FAR: readonly TierKind[] = ['device', 'edge', 'cloud'];
const FIRST_PART_MS: Record<TierKind, number> = {
  device: Number.POSITIVE_INFINITY,
  edge: 45_000,
  cloud: 30_000,
};
const NEXT_PART_MS: Record<TierKind, number> = {
  device: Number.POSITIVE_INFINITY,
  edge: 60_000,
  cloud: 60_000,
};

/** Failures that say something about the tier's health rather than about one request. */
const UNHEALTHY: ReadonlySet<string> = new Set([
  'upstream-timeout',
  'upstream-unavailable',
  'upstream-throttled',
  'upstream-cut',
  'device-lost',
  'out-of-memory',
  'unknown',
]);

interface Survey {
  readonly open: readonly Candidate[];
  readonly left: readonly LeftOut[];
}

export function createRouter(options: RouterOptions): Router {
  const now = options.clock?.monotonic ?? (() => performance.now());
  const random = options.random ?? Math.random;
  const balanced = options.balance ?? ['edge', 'cloud'];
  const candidates: readonly Candidate[] = NEAR_TO_FAR.flatMap((kind) =>
    options.tiers
      .filter((tier) => tier.kind === kind)
      .map((tier) => ({ tier, breaker: createBreaker(options.breaker ?? {}, { now, random }) })),
  );
  const deadlines = (kind: TierKind): Deadlines => ({
    firstPartMs: options.firstPartTimeoutMs?.[kind] ?? FIRST_PART_MS[kind],
    nextPartMs: options.nextPartTimeoutMs?.[kind] ?? NEXT_PART_MS[kind],
  });

  async function survey(request: ChatRequest, decision: PolicyDecision): Promise<Survey> {
    const judged = await Promise.all(
      candidates.map(async (candidate) => ({
        ...candidate,
        why: await leftOut(candidate, request, decision),
      })),
    );
    const open = judged.filter(({ why }) => why === undefined);
    return {
      open: NEAR_TO_FAR.flatMap((kind) => {
        const same = open.filter(({ tier }) => tier.kind === kind);
        return balanced.includes(kind) ? powerOfTwoChoices(same, random) : same;
      }),
      left: judged.flatMap(({ why, ...rest }) => (why === undefined ? [] : [{ ...rest, why }])),
    };
  }

  /** One attempt under its breaker; undefined when the breaker closed its door since the survey. */
  async function tryTier(
    { tier, breaker }: Candidate,
    attempt: AttemptFunction,
    signal: AbortSignal,
  ): Promise<AsyncIterable<TierPart> | undefined> {
    const permit = breaker.acquire();
    if (permit === undefined) return undefined;
    const startedMs = now();
    const opened = await openStream(tier, attempt, deadlines(tier.kind), signal, {
      ended(how, error) {
        if (how === 'finished') permit.finished();
        if (how === 'failed' && UNHEALTHY.has(codeOf(error))) permit.failed(retryAfterOf(error));
        permit.release();
      },
    });
    permit.opened(now() - startedMs);
    return opened.parts;
  }

  async function route(
    request: ChatRequest,
    decision: PolicyDecision,
    attempt: AttemptFunction,
    { signal, onAttemptFailed }: RouteOptions,
  ): Promise<Route> {
    if (signal.aborted) throw abortErrorOf(signal);
    const { open, left } = await survey(request, decision);
    const attempts: Attempt[] = [];
    const errors: unknown[] = [];
    const resting: LeftOut[] = [];
    for (const candidate of open) {
      try {
        const parts = await tryTier(candidate, attempt, signal);
        if (parts !== undefined) return { tier: candidate.tier, attempts, parts };
        resting.push({ ...candidate, why: 'breaker' });
      } catch (error) {
        // A defect on the device must not become a reason to send the request away.
        const isOurs = isNearfieldError(error) || isAbortError(error);
        const isDefect = candidate.tier.kind === 'device' && !isOurs;
        // Where a nearer tier has said what it can not do, that is the answer to a request that may not leave.
        const isKept = mayNotLeave(error) && errors.some(isForElsewhere);
        if (!isDefect && !isKept && !allowsFallback(error)) throw error;
        const failed = { tier: refOf(candidate.tier), code: codeOf(error) };
        attempts.push(failed);
        errors.push(error);
        onAttemptFailed?.(failed);
        if (isDefect || isKept) break;
      }
    }
    const untried = [...left, ...resting];
    throw attempts.length === 0 ? nobody(untried, decision) : allFailed(attempts, errors, untried, decision);
  }

  return {
    tiers: candidates.map(({ tier }) => tier),
    plan: async (request, decision) => (await survey(request, decision)).open.map(({ tier }) => tier),
    route,
    health: () =>
      candidates.map(({ tier, breaker }) => ({
        tier: refOf(tier),
        breaker: breaker.state(),
        inFlight: breaker.inFlight,
        latencyMs: breaker.latencyMs,
      })),
  };
}

/** `can` is asked before policy so that "policy alone forbids it" can be told from "nobody could". */
async function leftOut(
  { tier, breaker }: Candidate,
  request: ChatRequest,
  decision: PolicyDecision,
): Promise<LeftOut['why'] | undefined> {
  const able = await Promise.resolve()
    .then(() => tier.can(request))
    .catch(() => false);
  if (!able) return 'cannot';
  if (NEAR_TO_FAR.indexOf(tier.kind) > NEAR_TO_FAR.indexOf(decision.farthest)) return 'policy';
  return breaker.ready() ? undefined : 'breaker';
}

/**
 * Orders replicas: of two picked at random the less busy goes first, then the faster; and so on for the rest.
 * Source: Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001.
 */
function powerOfTwoChoices(same: readonly Candidate[], random: () => number): Candidate[] {
  const rest = [...same];
  const ordered: Candidate[] = [];
  while (rest.length > 0) {
    const first = Math.floor(random() * rest.length);
    const other = (first + 1 + Math.floor(random() * (rest.length - 1))) % rest.length;
    const pick = isBetter(rest[other]!.breaker, rest[first]!.breaker) ? other : first;
    ordered.push(...rest.splice(pick, 1));
  }
  return ordered;
}

function isBetter(a: Breaker, b: Breaker): boolean {
  return a.inFlight === b.inFlight ? a.latencyMs < b.latencyMs : a.inFlight < b.inFlight;
}
