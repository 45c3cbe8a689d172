// Owns measuring how soon a fresh isolate in workerd has its first embedding: the kernel beside ONNX Runtime's
// WASM, the same model file, tokenizer and golden check, a new workerd process each time.
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { startWorkerd } from '../testing/workerd.ts';

const ROUTES = ['kernel', 'ort'] as const;
type Route = (typeof ROUTES)[number];

interface Times {
  /** From the first request to its answer: the isolate loads the model, checks it and embeds. */
  readonly first: number;
  readonly second: number;
}

export const command: ScriptCommand = {
  summary: 'workerd: first embedding of a fresh isolate, kernel beside ONNX Runtime WASM',
  configure(bench) {
    bench
      .option('--rounds <n>', 'fresh workerd processes a route', '7')
      .action(async (options: { rounds: string; json?: boolean }) => {
        const cases = await measure(Number(options.rounds));
        const of = (name: string) =>
          median(cases.find((entry) => entry.case === name)?.samples ?? [Number.NaN]);
        printBench(
          {
            name: 'coldstart',
            cases,
            ratios: {
              'first embedding, kernel over ORT': of('ort first') / of('kernel first'),
              'second embedding, kernel over ORT': of('ort second') / of('kernel second'),
            },
            notes: ['From the first request to its answer; both routes check the 8 golden vectors first.'],
          },
          options.json === true,
        );
      });
  },
};

async function measure(rounds: number): Promise<BenchCase[]> {
  const samples = new Map<string, number[]>();
  const keep = (name: string, ms: number) => samples.set(name, [...(samples.get(name) ?? []), ms]);
  for (let round = 0; round < rounds; round += 1) {
    for (const route of ROUTES) {
      const { first, second } = await startOnce(route);
      keep(`${route} first`, first);
      keep(`${route} second`, second);
    }
  }
  return [...samples].map(([name, values]) => ({ case: name, unit: 'ms', samples: values }));
}

async function startOnce(route: Route): Promise<Times> {
  const entry = new URL(`./workers/coldstart-${route}.ts`, import.meta.url);
  const workerd = await startWorkerd({ entry, minify: true });
  try {
    return { first: await ask(workerd.fetch, route), second: await ask(workerd.fetch, route) };
  } finally {
    await workerd.stop();
  }
}

type Fetch = Awaited<ReturnType<typeof startWorkerd>>['fetch'];

async function ask(fetch: Fetch, route: Route): Promise<number> {
  const start = performance.now();
  const response = await fetch('/', { method: 'POST', body: 'How do I reset my password?' });
  const answer = (await response.json()) as { readonly backend?: string };
  const ms = performance.now() - start;
  if (!answer.backend?.startsWith(route)) throw new Error(`Expected ${route}, ${answer.backend} answered.`);
  return ms;
}
