// Owns the contract's scenarios as scripts of a fake tier, which edge tests put behind a real server.
import { NearfieldError } from '../errors.ts';
import type { TierPart } from '../types.ts';
import { type FakeStep, fails, says } from './fake.ts';
import type { Scenario } from './tier.contract.ts';

/** A scenario as a fake tier's script. */
export function scriptOf(scenario: Scenario): readonly FakeStep[] {
  const texts = (count: number): FakeStep[] =>
    Array.from({ length: count }, (_, i) => ({ type: 'text-delta', text: `part ${i} ` }));
  switch (scenario.kind) {
    case 'says': {
      const finish = { finishReason: scenario.finishReason ?? 'stop' };
      return says(...scenario.texts).map((step) => (step.type === 'finish' ? { ...step, ...finish } : step));
    }
    case 'calls':
      return callsOf(scenario.calls);
    case 'hangs':
      return [...texts(scenario.afterTexts), { type: 'hang' }];
    case 'throttles': {
      const retryAfterMs = scenario.retryAfterSeconds * 1000;
      return fails(new NearfieldError('upstream-throttled', 'Busy.', { retryAfterMs, tier: 'fake-device' }));
    }
    case 'fails':
      return fails('upstream-unavailable');
    case 'breaks':
      return [
        ...texts(scenario.afterTexts),
        ...fails(scenario.afterTexts === 0 ? 'upstream-unavailable' : 'upstream-cut'),
      ];
  }
}

function callsOf(calls: Extract<Scenario, { kind: 'calls' }>['calls']): readonly FakeStep[] {
  const usage = { promptTokens: 1, completionTokens: 1 };
  return [
    ...calls.flatMap(({ name, input }, index): TierPart[] => {
      const json = JSON.stringify(input);
      const half = Math.floor(json.length / 2);
      const piece = (argumentsText: string): TierPart => ({ type: 'tool-call-delta', index, argumentsText });
      return [
        { type: 'tool-call-delta', index, id: `call_${index + 1}`, name, argumentsText: '' },
        piece(json.slice(0, half)),
        piece(json.slice(half)),
      ];
    }),
    { type: 'finish', finishReason: 'tool_calls', usage },
  ];
}
