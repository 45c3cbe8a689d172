// Floors for what the policy finds with the shipped tagger, on sentences we wrote ourselves, by the command people run.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SAMPLE = ['--data', 'scripts/eval/samples/pii.jsonl'];

async function evaluate(...argv: string[]): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=nearfield-source', 'scripts/eval.ts', 'pii', ...SAMPLE, ...argv, '--json'],
    { cwd: ROOT },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!).metrics;
}

test('names, places and numbers of three languages, and little else', async () => {
  const both = await evaluate('--detectors', 'both');
  expect(both['character-recall']).toBeGreaterThan(0.93);
  expect(both['whole-span-recall']).toBeGreaterThan(0.88);
  expect(both.F2).toBeGreaterThan(0.91);
  expect(both['over-redaction']).toBeLessThan(0.09);
});

test('the tagger finds what no pattern can', async () => {
  const patterns = await evaluate('--detectors', 'patterns');
  const tagger = await evaluate('--detectors', 'tagger');
  expect(patterns.F2).toBeLessThan(0.75);
  expect(tagger.F2).toBeGreaterThan(0.9);
});

test('numbers with check digits are found whole', async () => {
  const checked = await evaluate('--detectors', 'both', '--types', 'national-id,iban,email');
  expect(checked['whole-span-recall']).toBe(1);
});
