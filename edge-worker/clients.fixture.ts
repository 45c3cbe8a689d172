// Two places where a client of OpenAI's API meets Nearfield, for tests with real clients: an edge behind a socket, and a
// runtime in the client's own process. Both count what is asked of them.
import { ChatOpenAI, type ChatOpenAIFields } from '@langchain/openai';
import { createRuntime, type Tier, type TierPart } from 'nearfield';
import { createEgress, createPolicy, createReceiptBook } from 'nearfield/policy';
import { createAnswerer } from 'nearfield/tasks';
import { createDeviceTier, type LocalGenerator } from 'nearfield/tiers/device';
import { z } from 'zod';
import { createBookDecoder, hashedLogits } from '../runtime/engine/generation/fixtures/decoder-book.ts';
import { generatorOn, vocabulary } from '../runtime/engine/generation/fixtures/tiny-generator.ts';
import { createFakeEmbedder } from '../scripts/testing/fake-embedder.ts';
import { startEdge } from './node.ts';

export interface HostOptions {
  readonly tiers?: readonly Tier[];
  readonly generator?: LocalGenerator;
  /** Of the edge; beside the open policy. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Undefined until it has been answered. */
  status?: number;
}

export interface Host {
  readonly baseURL: string;
  /** Every request, in order. */
  readonly asked: readonly Asked[];
  readonly fetch: typeof globalThis.fetch;
  stop(): Promise<void>;
}

type Fetch = (input: Request | URL | string, init?: RequestInit) => Promise<Response>;

async function edge({ tiers, generator, env }: HostOptions = {}): Promise<Host> {
  const running = await startEdge({
    port: 0,
    env: { NEARFIELD_POLICY: 'open', ...env },
    embedder: createFakeEmbedder(),
    tiers,
    generator,
  });
  return counted(`${running.url}/v1`, globalThis.fetch, running.stop);
}

async function ownProcess({ tiers = [], generator }: HostOptions = {}): Promise<Host> {
  const embedder = createFakeEmbedder();
  const runtime = createRuntime({
    tiers: [createDeviceTier({ answerer: createAnswerer({ embedder }), generator }), ...tiers],
    policy: createPolicy('open'),
    egress: createEgress({ allowHosts: [] }),
    receipts: createReceiptBook(),
    embedder,
    consent: () => 'cloud',
  });
  return counted('https://nearfield.invalid/v1', runtime.fetch, runtime.close);
}

export const HOSTS: readonly (readonly [string, (options?: HostOptions) => Promise<Host>])[] = [
  ['an edge over HTTP', edge],
  ['nearfield.fetch in the same process', ownProcess],
];
export const startEdgeHost: (options?: HostOptions) => Promise<Host> = edge;

function counted(baseURL: string, fetch: Fetch, stop: () => Promise<void>): Host {
  const asked: Asked[] = [];
  return {
    baseURL,
    asked,
    stop,
    async fetch(input, init) {
      const { pathname } = new URL(input instanceof Request ? input.url : input);
      const one: Asked = { path: pathname, body: JSON.parse(String(init?.body ?? '{}')) };
      asked.push(one);
      const response = await fetch(input, init);
      one.status = response.status;
      return response;
    },
  };
}

/** LangChain's client as it comes, retries and all, but that no answer is a kept one. */
export function chatOpenAiOf({ baseURL, fetch }: Host, fields: ChatOpenAIFields = {}): ChatOpenAI {
  const configuration = { baseURL, fetch, defaultHeaders: { 'nearfield-cache': 'bypass' } };
  return new ChatOpenAI({ model: 'any', apiKey: 'none', configuration, ...fields });
}

/** A tier that says one part after another for as long as it is read, and how far it came. */
export function createEndlessTier(text: string): Tier & { made(): number; readonly left: Promise<void> } {
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  let made = 0;
  return {
    id: 'endless',
    kind: 'device',
    left,
    made: () => made,
    can: () => true,
    async *stream(): AsyncGenerator<TierPart> {
      try {
        for (;;) {
          made += 1;
          yield { type: 'text-delta', text };
        }
      } finally {
        leave();
      }
    },
  };
}

/** A tool call as the model writes it. */
export const written = (name: string, args: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`;

/** A generator that knows nothing: what comes out of it in shape is the grammar's doing. */
export const babbler = (): LocalGenerator =>
  generatorOn(createBookDecoder({ vocab: vocabulary.size }, hashedLogits(vocabulary.size, 7)));

/** A shape to ask for. */
export const Trip: z.ZodObject<{
  city: z.ZodString;
  nights: z.ZodNumber;
  mood: z.ZodNullable<z.ZodEnum<{ calm: 'calm'; busy: 'busy' }>>;
}> = z.object({
  city: z.string().max(8).describe('Where to.'),
  nights: z.number().int().min(1).max(9),
  mood: z.enum(['calm', 'busy']).nullable(),
});
