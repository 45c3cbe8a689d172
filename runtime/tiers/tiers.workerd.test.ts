// The network tiers in a real workerd: its fetch, its streams and its crypto sign and read as Node's do.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BedrockEmulator, startBedrockEmulator, THROTTLED } from '../../scripts/emulators/bedrock.ts';
import { type RunningWorkerd, startWorkerd } from '../../scripts/testing/workerd.ts';
import type { TierPart } from '../types.ts';

let emulator: BedrockEmulator;
let workerd: RunningWorkerd;
beforeAll(async () => {
  emulator = await startBedrockEmulator();
  const entry = new URL('./tiers-workerd.fixture.ts', import.meta.url);
  workerd = await startWorkerd({ entry, outbound: async (request) => await fetch(request) });
});
afterAll(async () => {
  await workerd?.stop();
  await emulator?.stop();
});

async function ask(tier: string, url: string): Promise<TierPart[]> {
  const body = JSON.stringify({ tier, url, text: 'Grüße an ⟦PERSON_1⟧ 🌍' });
  const response = await workerd.fetch('/', { method: 'POST', body });
  return (await response.text()).split('\n').map((line) => JSON.parse(line) as TierPart);
}

describe('in workerd', () => {
  it.each([undefined, 3])('signs for Bedrock and reads its frames, %s bytes a chunk', async (bytes) => {
    emulator.splitEvery(bytes);
    const parts = await ask('bedrock', emulator.url);
    const text = parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
    expect(text).toContain('“Grüße an ⟦PERSON_1⟧ 🌍”');
    expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'stop' });
    expect(emulator.requests.at(-1)?.signature).toBe('valid');
  });

  it('tells throttling and a stream cut inside a frame', async () => {
    emulator.script(THROTTLED, { kind: 'cut', afterDeltas: 2 });
    expect(await ask('bedrock', emulator.url)).toEqual([{ type: 'error', code: 'upstream-throttled' }]);
    expect((await ask('bedrock', emulator.url)).at(-1)).toEqual({ type: 'error', code: 'upstream-cut' });
  });

  it('takes an endpoint that is no OpenAI as a refusal', async () => {
    expect(await ask('edge', `${emulator.url}/v1`)).toEqual([{ type: 'error', code: 'upstream-rejected' }]);
  });
});
