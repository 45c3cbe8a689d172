// Owns the cloud tier: Amazon Bedrock's ConverseStream, signed with SigV4. Runs at the edge only, where AWS
// keys belong; refuses to be made in a page.
import { AwsV4Signer } from 'aws4fetch';
import { NearfieldError } from '../errors.ts';
import type { ChatRequest, Tier, TierContext, TierPart } from '../types.ts';
import { codeOfException, framesOf, partsOf } from './bedrock-frames.ts';
import { converseBody } from './bedrock-request.ts';
import { chunksOf, onlyAskedFor, refusalOf, runUpstream, textIn } from './upstream.ts';

export interface BedrockCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface BedrockTierOptions {
  /** Default `bedrock`. */
  readonly id?: string;
  readonly region: string;
  /** Model id, inference profile id or ARN. */
  readonly model: string;
  /** Asked for each request, so that they may rotate. */
  readonly credentials: () => Promise<BedrockCredentials>;
  /** Default `https://bedrock-runtime.<region>.amazonaws.com`. */
  readonly endpoint?: string;
  /** Milliseconds to the first part. Default none: the router has its own. */
  readonly timeoutMs?: number;
}

/** A cloud tier on Amazon Bedrock. @throws egress-denied in a page: AWS keys must never be there */
export function createBedrockTier(options: BedrockTierOptions): Tier {
  refusePage();
  const { id = 'bedrock', region, model } = options;
  const endpoint = new URL(options.endpoint ?? `https://bedrock-runtime.${region}.amazonaws.com`);
  const url = new URL(`/model/${encodeURIComponent(model)}/converse-stream`, endpoint).href;

  async function* open(
    request: ChatRequest,
    context: TierContext,
    signal: AbortSignal,
  ): AsyncGenerator<TierPart, void, void> {
    const body = JSON.stringify(converseBody(request, model));
    const { method, headers } = await new AwsV4Signer({
      ...(await options.credentials()),
      method: 'POST',
      url,
      headers: { accept: 'application/vnd.amazon.eventstream', 'content-type': 'application/json' },
      body,
      service: 'bedrock',
      region,
    } as ConstructorParameters<typeof AwsV4Signer>[0]).sign();
    const response = await context.fetch(url, { method, headers, body, signal, redirect: 'manual' });
    if (!response.ok) throw await refused(response);
    const parts = partsOf(framesOf(chunksOf(response)), id, model);
    // Converse has no word for `parallel_tool_calls: false`, and names tools only because the history has calls of them.
    yield* onlyAskedFor(parts, request);
  }

  async function refused(response: Response): Promise<NearfieldError> {
    const { status, headers } = response;
    const code = codeOfException(headers.get('x-amzn-errortype') ?? '');
    // Read to tell one refusal from the others; never repeated.
    const isTooLong = code === 'upstream-rejected' && TOO_LONG.test((await textIn(response)) ?? '');
    await response.body?.cancel().catch(() => {});
    return refusalOf({ tierId: id, status, headers, code: isTooLong ? 'context-overflow' : code });
  }

  return {
    id,
    kind: 'cloud',
    host: endpoint.host,
    can: () => true,
    async *stream(request, context) {
      if (request.privacy !== undefined && request.privacy !== 'cloud') {
        const message = `This request may go no farther than ${request.privacy}.`;
        throw new NearfieldError('egress-denied', message, { tier: id });
      }
      const call = { tierId: id, signal: context.signal, timeoutMs: options.timeoutMs };
      yield* runUpstream(call, (signal) => open(request, context, signal));
    },
  };
}

/** Bedrock has no code for it, and each model its own words. */
const TOO_LONG = /too long|too many input tokens|tokens exceed|maximum context length|expected maxLength/i;

function refusePage(): void {
  if (!('document' in globalThis) && !('DedicatedWorkerGlobalScope' in globalThis)) return;
  throw new NearfieldError(
    'egress-denied',
    'The Bedrock tier needs AWS keys, which must never be in a page. Deploy it in the edge worker, and give the page createEdgeTier.',
  );
}
