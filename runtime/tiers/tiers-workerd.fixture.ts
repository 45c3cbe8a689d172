// A worker that asks one tier and hands its parts back as JSON lines, as an edge would stream them.
import { isNearfieldError } from '../errors.ts';
import type { Tier } from '../types.ts';
import { createBedrockTier } from './bedrock.ts';
import { createEdgeTier } from './edge.ts';

interface Ask {
  readonly tier: 'bedrock' | 'edge';
  readonly url: string;
  readonly text: string;
}

function tierOf({ tier, url }: Ask): Tier {
  if (tier === 'edge') return createEdgeTier({ baseUrl: url });
  return createBedrockTier({
    region: 'us-east-1',
    model: 'amazon.test-v1:0',
    endpoint: url,
    credentials: async () => ({ accessKeyId: 'AKIDEMULATOR', secretAccessKey: 'emulated-secret-key' }),
  });
}

const worker: { fetch(http: Request): Promise<Response> } = {
  async fetch(http) {
    const ask = (await http.json()) as Ask;
    const lines: string[] = [];
    try {
      const request = { messages: [{ role: 'user' as const, content: ask.text }] };
      const context = {
        signal: http.signal,
        fetch: (input: Request | URL | string, init?: RequestInit) => fetch(input, init),
      };
      for await (const part of tierOf(ask).stream(request, context)) lines.push(JSON.stringify(part));
    } catch (error) {
      lines.push(
        JSON.stringify({ type: 'error', code: isNearfieldError(error) ? error.code : String(error) }),
      );
    }
    return new Response(lines.join('\n'));
  },
};
export default worker;
