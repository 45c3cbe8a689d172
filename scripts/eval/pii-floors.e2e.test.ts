// Floors for what the policy finds with the shipped tagger, on sentences we wrote ourselves, by the command people run.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createNodeTagger } from 'nearfield/node';
import { createDetectors, createPolicy } from 'nearfield/policy';
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

test('tables of figures may leave, tables of accounts do not', async () => {
  const file = new URL('samples/tables.jsonl', import.meta.url);
  const rows = (await readFile(file, 'utf8')).trim().split('\n');
  const tagger = await createNodeTagger();
  const policy = createPolicy('balanced', { detectors: createDetectors(tagger), timeoutMs: 60_000 });
  const [plain, named] = [[] as string[], [] as string[]];
  for (const row of rows) {
    const { id, text, spans }: { id: string; text: string; spans: readonly unknown[] } = JSON.parse(row);
    const request = { messages: [{ role: 'user' as const, content: text }] };
    const { decision, redactFor } = await policy.review(request, { task: 'generate', consent: 'cloud' });
    if (spans.length === 0) plain.push(decision.farthest);
    // What may leave is hidden: phone numbers.
    else
      named.push(decision.farthest === 'device' ? '' : `${id} ${JSON.stringify(redactFor('cloud').request)}`);
  }
  await tagger.dispose();
  expect(plain.filter((farthest) => farthest === 'cloud').length).toBeGreaterThanOrEqual(33);
  expect(named.filter((sent) => /\d{5}/.test(sent))).toEqual([]);
});

test('numbers that tables name are found', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--conditions=nearfield-source',
      'scripts/eval.ts',
      'pii',
      '--data',
      'scripts/eval/samples/tables.jsonl',
      '--json',
    ],
    { cwd: ROOT },
  );
  const { metrics } = JSON.parse(stdout.trim().split('\n').at(-1)!);
  expect(metrics['whole-span-recall']).toBeGreaterThan(0.98);
});
