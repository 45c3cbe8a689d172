// `npm start`: the demo page and the edge worker on loopback, and one real on-device answer with its trace.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { startEdge } from '../edge-worker/node.ts';
import { createNodeGenerator, DEFAULT_GENERATOR, findModel } from '../runtime/engine/generation/node.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { emulatorEnv, startBedrockEmulator } from './emulators/bedrock.ts';
import { buildDemo } from './start/build-demo.ts';
import { describeAnswer, describeGenerated } from './start/show-answer.ts';

const ROOT = new URL('../', import.meta.url);
const DOCUMENT = new URL('web-demo/src/documents/samples/discharge-en.md', ROOT);
const QUESTION = 'When may I drive again?';
const PROMPT = 'What does a landlord do? Answer in one sentence.';
const MODEL_HINT = `No language model here, so only documents are answered. To add one: npm run models -- build ${DEFAULT_GENERATOR}`;
const CLOUD_HINT = 'Cloud         none; npm start -- --emulate-cloud adds an emulated AWS Bedrock';

interface Options {
  readonly port: number;
  readonly emulateCloud?: boolean;
  readonly build: boolean;
  /** Print the answer and leave. */
  readonly once?: boolean;
}

const program = new Command('npm start --')
  .description(
    'Serve the Nearfield demo and edge worker on loopback, and answer one question on this device.',
  )
  .option('--port <number>', 'port of the page and the edge worker; 0 takes any free one', port, 8787)
  .option('--emulate-cloud', 'put an emulated AWS Bedrock behind the edge worker')
  .option('--no-build', 'serve the demo as last built')
  .option('--once', 'print the answer, then stop')
  .showHelpAfterError();
await main(program.parse().opts<Options>()).catch((error: unknown) => {
  const code = (error as { code?: string }).code;
  if (code !== 'EADDRINUSE') throw error;
  console.error('That port is taken. Free it, or choose another: npm start -- --port 8788');
  process.exit(1);
});

async function main(options: Options): Promise<void> {
  const begun = performance.now();
  say('Loading the INT8 model and checking its SHA-256 …');
  const hasModel = (await findModel()) !== undefined;
  const generator = hasModel ? await createNodeGenerator() : undefined;
  const runtime = await createNodeRuntime({ generator });
  const document = await readFile(DOCUMENT, 'utf8');
  const answer = await runtime.answer({
    question: QUESTION,
    documents: [{ id: 'discharge-en', text: document }],
  });
  console.log(`\nOne answer, on this device (${runtime.embedder.model}, ${runtime.embedder.backend()}):\n`);
  console.log(`${describeAnswer(QUESTION, DOCUMENT.pathname.split('/').at(-1)!, answer)}\n`);
  if (generator === undefined) console.log(`${MODEL_HINT}\n`);
  else {
    const request = {
      messages: [{ role: 'user' as const, content: PROMPT }],
      max_completion_tokens: 80,
      temperature: 0,
    };
    const generated = await runtime.complete({ ...request, cache: 'bypass' });
    console.log(`One more, generated on this device (${generator.model}, ${generator.backend}):\n`);
    console.log(`${describeGenerated(PROMPT, generated)}\n`);
  }
  if (options.once) return await runtime.close();

  if (options.build) {
    say('Building the demo page …');
    await buildDemo();
  }
  const cloud = options.emulateCloud ? await startBedrockEmulator() : undefined;
  const edge = await startEdge({
    port: options.port,
    env: { ...process.env, ...(cloud === undefined ? {} : emulatorEnv(cloud.url)) },
    embedder: runtime.embedder,
    generator,
    pages: fileURLToPath(new URL('dist/web-demo', ROOT)),
    dataFolder: fileURLToPath(new URL('.nearfield/edge', ROOT)),
  });
  console.log(`Demo page     ${edge.url}/`);
  console.log(`Edge worker   ${edge.url}/v1  (OpenAI-compatible)`);
  console.log(
    cloud === undefined ? CLOUD_HINT : `Cloud         emulated AWS Bedrock at ${cloud.url}, behind the edge`,
  );
  console.log(`Ready after ${((performance.now() - begun) / 1000).toFixed(1)} s. Ctrl+C stops it.`);
  await untilStopped();
  await edge.stop();
  await cloud?.stop();
  await runtime.close();
}

async function untilStopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535) {
    throw new InvalidArgumentError('expected a whole number from 0 to 65535.');
  }
  return value;
}

function say(line: string): void {
  console.log(line);
}
