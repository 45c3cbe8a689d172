import { expect, it } from 'vitest';
import type { TierPart } from '../types.ts';
import { createFakeTier, fails, says } from './fake.ts';
import { scriptOf } from './scenario.fixture.ts';
import { tierContract } from './tier.contract.ts';

const refuse = async (): Promise<Response> => {
  throw new Error('A fake tier sends nothing.');
};

tierContract('fake tier', async () => {
  const tier = createFakeTier();
  return {
    tier,
    fetch: refuse,
    next: (...scenarios) => tier.next(...scenarios.map(scriptOf)),
    asked: () => tier.calls.length,
    left: () => tier.calls.at(-1)?.outcome === 'aborted',
    close: async () => await tier.dispose?.(),
  };
});

it('plays queued scripts first, sees each request, and knows how each ended', async () => {
  const tier = createFakeTier({ script: (request) => says(`You said ${request.messages.length}.`) });
  tier.next(fails('device-lost'));
  const read = async (): Promise<TierPart[]> => {
    const parts: TierPart[] = [];
    const context = { signal: new AbortController().signal, fetch: refuse };
    const messages = [{ role: 'user' as const, content: 'x' }];
    for await (const part of tier.stream({ messages }, context)) parts.push(part);
    return parts;
  };
  await expect(read()).rejects.toMatchObject({ code: 'device-lost' });
  expect((await read())[0]).toEqual({ type: 'text-delta', text: 'You said 1.' });
  expect(tier.calls.map(({ outcome }) => outcome)).toEqual(['failed', 'finished']);
});
