// Owns measuring micro-batching: so many clients, each asking for one embedding again and again, with batches
// and with one row at a time on the same backend; and a lone client, who must not pay for it.
import { createNodeEmbedder, nodeBackends } from '../../runtime/engine/node.ts';
import type { Embedder } from '../../runtime/types.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench, quantile } from '../report.ts';

const TEXT = 'the doctor wrote a short note about my heart and the new medicine';

export const command: ScriptCommand = {
  summary: 'throughput and latency of many clients with one text each, batched and not',
  configure(bench) {
    bench
      .option('--clients <n>', 'clients asking at once', '64')
      .option('--each <n>', 'requests a client', '4')
      .option('--backends <ids>', 'comma-separated', 'kernel,kernel-threads')
      .action(async (options: Options) => {
        await run(Number(options.clients), Number(options.each), options);
      });
  },
};

interface Options {
  readonly clients: string;
  readonly each: string;
  readonly backends: string;
  readonly json?: boolean;
}

interface Load {
  /** Milliseconds of each request. */
  readonly latencies: readonly number[];
  readonly requestsPerSecond: number;
}

async function run(clients: number, each: number, options: Options): Promise<void> {
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  for (const row of nodeBackends) {
    if (!options.backends.split(',').includes(row.id) || !(await row.available())) continue;
    const batched = await createNodeEmbedder({ backends: [row], contenders: 1 });
    // A budget of one token holds one row, whatever waits.
    const single = await createNodeEmbedder({ backends: [{ ...row, batchTokens: 1 }], contenders: 1 });
    await Promise.all([batched.embed([TEXT]), single.embed([TEXT])]);
    const runs = { batched: await press(batched, clients, each), single: await press(single, clients, each) };
    const lone = { batched: await press(batched, 1, 20), single: await press(single, 1, 20) };
    await Promise.all([batched.dispose(), single.dispose()]);
    for (const mode of ['batched', 'single'] as const) {
      const name = `${row.id} ${mode}`;
      cases.push({ case: `${name}, ${clients} clients`, unit: 'ms', samples: runs[mode].latencies });
      cases.push({ case: `${name}, one client`, unit: 'ms', samples: lone[mode].latencies });
      cases.push({ case: `${name} throughput`, unit: '1/s', samples: [runs[mode].requestsPerSecond] });
    }
    const p95 = (load: Load) => quantile(load.latencies, 0.95);
    ratios[`${row.id}: throughput, batched over single`] =
      runs.batched.requestsPerSecond / runs.single.requestsPerSecond;
    ratios[`${row.id}: p95, batched over single`] = p95(runs.single) / p95(runs.batched);
    ratios[`${row.id}: lone client, batched over single`] =
      median(lone.single.latencies) / median(lone.batched.latencies);
  }
  printBench({ name: 'batching', cases, ratios }, options.json === true);
}

/** Closed loop: each client asks again as soon as it is answered. */
async function press(embedder: Embedder, clients: number, each: number): Promise<Load> {
  const latencies: number[] = [];
  const client = async (_: unknown, number: number): Promise<void> => {
    for (let at = 0; at < each; at += 1) {
      const begun = performance.now();
      await embedder.embed([TEXT], { scope: `client-${number}` });
      latencies.push(performance.now() - begun);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return { latencies, requestsPerSecond: (clients * each * 1000) / (performance.now() - begun) };
}
