// Floors for the shipped encoder on samples we wrote ourselves, through the commands people run.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SAMPLES = 'scripts/eval/samples';

async function evaluate(...argv: string[]): Promise<Record<string, number>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=nearfield-source', 'scripts/eval.ts', ...argv, '--json'],
    { cwd: ROOT },
  );
  const last: { metrics: Record<string, number> } = JSON.parse(stdout.trim().split('\n').at(-1)!);
  return last.metrics;
}

test('sts: similarity follows meaning in English, and beyond shared words in Spanish and Portuguese', async () => {
  const metrics = await evaluate('sts', '--data', `${SAMPLES}/sts.jsonl`);
  expect(metrics.spearman_en).toBeGreaterThan(0.85);
  expect(metrics.spearman_es).toBeGreaterThan(0.7);
  expect(metrics.spearman_pt).toBeGreaterThan(0.7);
});

test('retrieval: the document that answers comes first', async () => {
  const data = ['--data', `${SAMPLES}/retrieval-docs.jsonl`];
  const metrics = await evaluate('retrieval', ...data, '--queries', `${SAMPLES}/retrieval-queries.jsonl`);
  expect(metrics.ndcg10_own_en).toBeGreaterThan(0.9);
});

test('intent: the nearest label name is the right one', async () => {
  const metrics = await evaluate('intent', '--data', `${SAMPLES}/intent.jsonl`);
  expect(metrics.accuracy_own).toBeGreaterThan(0.85);
});
