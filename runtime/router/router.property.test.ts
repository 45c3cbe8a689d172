// Whatever tiers there are, however each behaves and whatever policy decided, some things never happen.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isNearfieldError, NearfieldError } from '../errors.ts';
import { createRouter } from '../router.ts';
import { createFakeTier, type FakeStep, fails, says } from '../tiers/fake.ts';
import type { PolicyDecision, TierKind, TierPart } from '../types.ts';

const KINDS: readonly TierKind[] = ['device', 'edge', 'cloud'];
const NEVER_GOES_ON = ['egress-denied', 'redaction-failed', 'invalid-request', 'policy-failed'] as const;
const GOES_ON = ['device-lost', 'upstream-throttled', 'upstream-unavailable', 'model-not-found'] as const;

const script = fc.oneof(
  fc.constant<readonly FakeStep[]>(says('fine')),
  fc.constantFrom(...NEVER_GOES_ON, ...GOES_ON).map(fails),
  fc.constant(fails(new NearfieldError('invalid-request', 'Not here.', { elsewhere: true }))),
  fc
    .constantFrom(...NEVER_GOES_ON, ...GOES_ON)
    .map((code) => [{ type: 'text-delta' as const, text: 'a' }, ...fails(code)]),
  fc.constant<readonly FakeStep[]>([]),
  fc.constant<readonly FakeStep[]>([{ type: 'text-delta', text: '' }]),
  fc.constant<readonly FakeStep[]>([{ type: 'throw', error: 'not even an Error' }]),
);
const tier = fc.record({ kind: fc.constantFrom(...KINDS), able: fc.boolean(), script });

it('asks no tier beyond the decision, none after a refusal to leave or a good part, each at most once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(tier, { maxLength: 6 }),
      fc.constantFrom(...KINDS),
      fc.float({ min: 0, max: Math.fround(0.99), noNaN: true }),
      async (specs, farthest, random) => {
        const fakes = specs.map((spec, at) =>
          createFakeTier({ id: `t${at}`, kind: spec.kind, can: () => spec.able, script: spec.script }),
        );
        const asked: number[] = [];
        const router = createRouter({ tiers: fakes, random: () => random });
        const outcome = await run(router, farthest, asked, fakes);

        const kinds = asked.map((at) => KINDS.indexOf(specs[at]!.kind));
        expect(Math.max(-1, ...kinds)).toBeLessThanOrEqual(KINDS.indexOf(farthest));
        expect(kinds).toEqual([...kinds].sort());
        expect(new Set(asked).size).toBe(asked.length);
        expect(asked.every((at) => specs[at]!.able)).toBe(true);
        for (const at of asked.slice(0, -1)) expect(mayGoOn(specs[at]!.script)).toBe(true);
        if (asked.length === 0) {
          const policyAlone = specs.some(({ able }) => able);
          expect(outcome).toBe(policyAlone ? 'egress-denied' : 'no-tier');
        }
        expect(router.health().every(({ inFlight }) => inFlight === 0)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

async function run(
  router: ReturnType<typeof createRouter>,
  farthest: TierKind,
  asked: number[],
  fakes: readonly { readonly id: string }[],
): Promise<string> {
  const decision = { farthest } as PolicyDecision;
  const request = { messages: [] };
  const fetch = async (): Promise<Response> => Response.error();
  try {
    const routed = await router.route(
      request,
      decision,
      (chosen, signal) => {
        asked.push(fakes.findIndex(({ id }) => id === chosen.id));
        return chosen.stream(request, { signal, fetch });
      },
      { signal: new AbortController().signal },
    );
    const parts: TierPart[] = [];
    for await (const part of routed.parts) parts.push(part);
    expect(parts.filter(({ type }) => type === 'finish')).toHaveLength(1);
    return 'ok';
  } catch (error) {
    return isNearfieldError(error) ? error.code : 'unknown';
  }
}

/** From the script alone: it gives no good part, and fails with a code that lets the router go on. */
function mayGoOn(steps: readonly FakeStep[]): boolean {
  const first = steps.find((step) => step.type !== 'text-delta' || step.text !== '');
  if (first === undefined) return true;
  if (first.type !== 'throw') return false;
  const codes: readonly string[] = NEVER_GOES_ON;
  return !(isNearfieldError(first.error) && codes.includes(first.error.code)) || first.error.elsewhere;
}
