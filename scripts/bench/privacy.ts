// Measures what privacy costs: policy, detection and redaction of a 1 KB prompt, and restoring a stream
// beside the same stream passed through. One thread.
import type { ChatRequest, TierPart } from 'nearfield';
import { createNodeTagger } from 'nearfield/node';
import {
  createDetectors,
  createPatternDetector,
  createPolicy,
  createRestorer,
  type Detector,
} from 'nearfield/policy';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, printBench } from '../report.ts';
import { prompts } from './privacy-prompts.ts';

/** A fast model's pace. */
const TOKENS_PER_SECOND = 100;

export const command: ScriptCommand = {
  summary: 'policy, detection and redaction of a 1 KB prompt; restoring a stream beside passing it through',
  configure(bench) {
    bench
      .option('--rounds <n>', 'samples a case', '300')
      .action(async (options: { rounds: string; json?: boolean }) => {
        await run(Number(options.rounds), options.json === true);
      });
  },
};

async function run(rounds: number, json: boolean): Promise<void> {
  const cases: BenchCase[] = [];
  for (const [name, text] of Object.entries(prompts)) {
    cases.push(await costOf(`review + redact 1 KB, ${name}`, text.slice(0, 1024), rounds));
  }
  cases.push(await detectionOf(prompts['lines, links, escapes']!.slice(0, 1024), rounds));
  cases.push(
    await costOf(
      'review + redact 16 KB',
      prompts['prose with personal data']!.repeat(16).slice(0, 16384),
      40,
    ),
  );
  const tagged = await taggedCases(rounds);
  cases.push(...tagged);
  const { restoring, passing, share, holdBack } = restoreCost(rounds);
  cases.push(restoring, passing);
  printBench(
    {
      name: 'privacy',
      cases,
      ratios: {
        'budget 1 ms over ours, 1 KB with personal data': 1 / median(cases[1]!.samples),
        'budget 8 ms over ours with the tagger, 1 KB with personal data': 8 / median(tagged[1]!.samples),
        'budget 1 % of stream time over ours': 0.01 / share,
      },
      notes: [
        `Restoring takes ${(share * 100).toFixed(4)} % of a stream at ${TOKENS_PER_SECOND} tokens/s; longest hold-back seen ${holdBack} characters.`,
        'Patterns alone where nothing else is said; the tagger is nearfield-pii on the INT8 kernel, one thread.',
        'Every prompt is different, so no answer of the phone library is reused.',
      ],
    },
    json,
  );
}

/** The same prompts by patterns and the tagger. */
async function taggedCases(rounds: number): Promise<BenchCase[]> {
  const tagger = await createNodeTagger();
  const detectors = createDetectors(tagger);
  const cases: BenchCase[] = [];
  for (const [name, text] of Object.entries(prompts)) {
    const title = `review + redact 1 KB with the tagger, ${name}`;
    cases.push(await costOf(title, text.slice(0, 1024), Math.ceil(rounds / 2), detectors));
  }
  await tagger.dispose();
  return cases;
}

async function costOf(
  name: string,
  text: string,
  rounds: number,
  detectors?: readonly Detector[],
): Promise<BenchCase> {
  const policy = createPolicy('balanced', { detectors });
  const samples: number[] = [];
  for (let round = -rounds; round < rounds; round += 1) {
    const request = asking(vary(text, round + rounds));
    const began = performance.now();
    const review = await policy.review(request, { task: 'generate', consent: 'cloud' });
    if (review.decision.farthest !== 'device') review.redactFor('cloud');
    if (round >= 0) samples.push(performance.now() - began);
  }
  return { case: name, unit: 'ms', samples };
}

async function detectionOf(text: string, rounds: number): Promise<BenchCase> {
  const detector = createPatternDetector();
  const { signal } = new AbortController();
  const samples: number[] = [];
  for (let round = -rounds; round < rounds; round += 1) {
    const varied = vary(text, round + rounds);
    const began = performance.now();
    await detector.detect(varied, { signal });
    if (round >= 0) samples.push(performance.now() - began);
  }
  return { case: 'of which detection', unit: 'ms', samples };
}

function asking(content: string): ChatRequest {
  return { messages: [{ role: 'user', content }] };
}

/** Another phone and order number each time. */
function vary(text: string, round: number): string {
  return text
    .replaceAll('2671', String(2000 + (round % 7000)))
    .replaceAll('1234567', String(1_234_567 + round));
}

function restoreCost(rounds: number): {
  readonly restoring: BenchCase;
  readonly passing: BenchCase;
  readonly share: number;
  readonly holdBack: number;
} {
  const table = new Map(
    Array.from({ length: 12 }, (_, at) => [`[EMAIL_${at + 1}_k7qx]`, `person${at}@example.com`] as const),
  );
  const parts = tokensOf(
    `${prompts['plain prose']!.slice(0, 290)} Write to [EMAIL_3_k7qx] or [EMAIL_12_k7qx]. `.repeat(4),
  );
  const restoring: number[] = [];
  const passing: number[] = [];
  let holdBack = 0;
  let kept = 0;
  for (let round = -rounds; round < rounds; round += 1) {
    const restorer = createRestorer(table);
    let began = performance.now();
    for (const part of parts) kept += restorer.push(part.text).length;
    holdBack = Math.max(holdBack, restorer.flush().length);
    const took = performance.now() - began;
    began = performance.now();
    for (const part of parts) kept += part.text.length;
    if (round < 0) continue;
    restoring.push(took);
    passing.push(performance.now() - began);
  }
  if (kept === 0) throw new Error('Nothing was streamed.');
  const streamMs = (parts.length / TOKENS_PER_SECOND) * 1000;
  return {
    restoring: { case: `restore a stream of ${parts.length} parts`, unit: 'ms', samples: restoring },
    passing: { case: 'pass the same stream through', unit: 'ms', samples: passing },
    share: median(restoring) / streamMs,
    holdBack: Math.max(holdBack, longestHold(table, parts)),
  };
}

function tokensOf(text: string): Extract<TierPart, { type: 'text-delta' }>[] {
  return (text.match(/[\s\S]{1,4}/g) ?? []).map((piece) => ({ type: 'text-delta', text: piece }));
}

/** Characters taken in and not yet given out, at their most. */
function longestHold(table: ReadonlyMap<string, string>, parts: ReturnType<typeof tokensOf>): number {
  const echo = new Map([...table.keys()].map((placeholder) => [placeholder, placeholder]));
  const restorer = createRestorer(echo);
  let behind = 0;
  let longest = 0;
  for (const part of parts) {
    behind += part.text.length - restorer.push(part.text).length;
    longest = Math.max(longest, behind);
  }
  return longest;
}
