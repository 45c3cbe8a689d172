// Owns measuring the Bedrock tier beside AWS's own SDK: the same emulator, the same streams, turn by turn,
// and what each weighs in a worker's bundle.
import { gzipSync } from 'node:zlib';
import { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { build } from 'esbuild';
import type { Tier } from 'nearfield';
import { createBedrockTier } from 'nearfield/tiers/bedrock';
import type { ScriptCommand } from '../cli.ts';
import {
  type BedrockEmulator,
  EMULATOR_CREDENTIALS,
  EMULATOR_REGION,
  startBedrockEmulator,
} from '../emulators/bedrock.ts';
import { type BenchCase, median, printBench } from '../report.ts';

const MODEL = 'amazon.bench-v1:0';
const PROMPT = 'Say it.';

interface Sample {
  readonly ttftMs: number;
  readonly totalMs: number;
  readonly text: string;
}
type Client = () => AsyncIterable<string>;

export const command: ScriptCommand = {
  summary: 'Bedrock tier beside the AWS SDK: time to first text, whole streams, bundle size',
  configure(bench) {
    bench
      .option('--rounds <n>', 'streams a client', '60')
      .option('--deltas <n>', 'deltas a stream', '400')
      .action(async (options: { rounds: string; deltas: string; json?: boolean }) => {
        await run(Number(options.rounds), Number(options.deltas), options.json === true);
      });
  },
};

async function run(rounds: number, count: number, json: boolean): Promise<void> {
  const deltas = Array.from({ length: count }, (_, at) => `word${at} `);
  const emulator = await startBedrockEmulator({ answer: { kind: 'text', deltas } });
  const clients: Readonly<Record<string, Client>> = { ours: ourClient(emulator), sdk: sdkClient(emulator) };
  const samples: Record<string, Sample[]> = { ours: [], sdk: [] };
  for (let round = -3; round < rounds; round += 1) {
    for (const [name, client] of Object.entries(clients)) {
      const sample = await measure(client);
      if (sample.text !== deltas.join('')) throw new Error(`${name} lost text.`);
      if (round >= 0) samples[name]!.push(sample);
    }
  }
  await emulator.stop();
  const [ours, sdk] = [await bundleOf(OURS), await bundleOf(SDK)];
  const of = (name: string, pick: (sample: Sample) => number): number[] => samples[name]!.map(pick);
  const cases: BenchCase[] = [
    { case: 'first text, nearfield', unit: 'ms', samples: of('ours', ({ ttftMs }) => ttftMs) },
    { case: 'first text, AWS SDK', unit: 'ms', samples: of('sdk', ({ ttftMs }) => ttftMs) },
    { case: `${count} deltas, nearfield`, unit: 'ms', samples: of('ours', ({ totalMs }) => totalMs) },
    { case: `${count} deltas, AWS SDK`, unit: 'ms', samples: of('sdk', ({ totalMs }) => totalMs) },
    { case: 'bundle gzipped, nearfield', unit: 'kB', samples: [ours / 1000] },
    { case: 'bundle gzipped, AWS SDK', unit: 'kB', samples: [sdk / 1000] },
  ];
  const ratio = (a: number, b: number): number => median(cases[b]!.samples) / median(cases[a]!.samples);
  printBench(
    {
      name: 'bedrock',
      cases,
      ratios: { 'first text': ratio(0, 1), 'whole stream': ratio(2, 3), 'bundle size': sdk / ours },
      notes: [
        'Both over HTTP/1.1 to the same emulator on loopback, whose own time is in both.',
        'Ours goes through the platform fetch, the SDK through its NodeHttpHandler (its HTTP/2 default needs TLS).',
      ],
    },
    json,
  );
}

async function measure(client: Client): Promise<Sample> {
  const begun = performance.now();
  let ttftMs = 0;
  let text = '';
  for await (const delta of client()) {
    if (text === '') ttftMs = performance.now() - begun;
    text += delta;
  }
  return { ttftMs, totalMs: performance.now() - begun, text };
}

function ourClient(emulator: BedrockEmulator): Client {
  const tier: Tier = createBedrockTier({
    region: EMULATOR_REGION,
    model: MODEL,
    endpoint: emulator.url,
    credentials: async () => EMULATOR_CREDENTIALS,
  });
  return async function* () {
    const request = { messages: [{ role: 'user' as const, content: PROMPT }] };
    for await (const part of tier.stream(request, { signal: new AbortController().signal, fetch })) {
      if (part.type === 'text-delta') yield part.text;
    }
  };
}

function sdkClient(emulator: BedrockEmulator): Client {
  const client = new BedrockRuntimeClient({
    region: EMULATOR_REGION,
    endpoint: emulator.url,
    credentials: EMULATOR_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  });
  return async function* () {
    const messages = [{ role: 'user' as const, content: [{ text: PROMPT }] }];
    const { stream } = await client.send(new ConverseStreamCommand({ modelId: MODEL, messages }));
    for await (const event of stream ?? []) {
      const text = event.contentBlockDelta?.delta?.text;
      if (text !== undefined) yield text;
    }
  };
}

const OURS = `export { createBedrockTier } from './runtime/tiers/bedrock.ts';`;
const SDK = `export { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';`;

/** Gzipped bytes of what a worker would carry. */
async function bundleOf(contents: string): Promise<number> {
  const resolveDir = new URL('../..', import.meta.url).pathname;
  const built = await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['worker', 'browser'],
  });
  return gzipSync(built.outputFiles[0]!.contents).byteLength;
}
