// Floors for the shipped guard on pairs we wrote ourselves, through the command people run.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

async function evaluate(name: string): Promise<Record<string, number>> {
  const data = ['--data', 'scripts/eval/samples/guard.jsonl', '--json'];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=nearfield-source', 'scripts/eval.ts', name, ...data],
    { cwd: ROOT },
  );
  const last: { metrics: Record<string, number> } = JSON.parse(stdout.trim().split('\n').at(-1)!);
  return last.metrics;
}

test('guard: tells other questions from other wordings where similarity cannot', async () => {
  const metrics = await evaluate('guard');
  expect(metrics['other questions refused, guard']).toBeGreaterThan(0.85);
  expect(metrics['other questions refused, both']).toBeGreaterThan(0.9);
  expect(metrics['same questions kept, guard']).toBeGreaterThan(0.6);
  expect(metrics['AP, ours']! - metrics['AP, similarity']!).toBeGreaterThan(0.2);
});

test('pairs: at 5 % wrong the cache has at least twice the hits of a static threshold', async () => {
  const metrics = await evaluate('pairs');
  expect(metrics['ours over static, 5 % wrong']).toBeGreaterThanOrEqual(2);
});
