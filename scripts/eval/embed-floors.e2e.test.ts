// Floors for the shipped encoders, labels and heads on samples we wrote ourselves, through the commands people run.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SAMPLES = 'scripts/eval/samples';
const ENCODERS = ['all-minilm-l6-v2', 'nearfield-embed'].filter((id) =>
  existsSync(join(ROOT, 'models', id, 'manifest.json')),
);

interface Printed {
  readonly name: string;
  readonly model: string;
  readonly n: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly ci95: Readonly<Record<string, readonly [number, number]>>;
}

async function evaluate(...argv: string[]): Promise<Printed> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=nearfield-source', 'scripts/eval.ts', ...argv, '--no-teacher', '--json'],
    { cwd: ROOT },
  );
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

describe.each(ENCODERS)('%s', (model) => {
  test('sts: similarity follows meaning in English, and beyond shared words in Spanish and Portuguese', async () => {
    const { metrics, ci95 } = await evaluate('sts', '--data', `${SAMPLES}/sts.jsonl`, '--model', model);
    expect(metrics.spearman_en).toBeGreaterThan(0.85);
    expect(metrics.spearman_es).toBeGreaterThan(0.7);
    expect(metrics.spearman_pt).toBeGreaterThan(0.7);
    expect(ci95.spearman_en![0]).toBeLessThan(metrics.spearman_en!);
  });

  test('duplicates: questions that ask the same come before those on the same subject', async () => {
    const { metrics, n } = await evaluate(
      'duplicates',
      '--data',
      `${SAMPLES}/duplicates.jsonl`,
      '--model',
      model,
    );
    expect(n).toBe(24);
    expect(metrics.average_precision).toBeGreaterThan(0.9);
  });

  test('retrieval: the document that answers comes first', async () => {
    const data = ['--data', `${SAMPLES}/retrieval-docs.jsonl`, '--model', model];
    const { metrics } = await evaluate(
      'retrieval',
      ...data,
      '--queries',
      `${SAMPLES}/retrieval-queries.jsonl`,
    );
    expect(metrics.ndcg10_own_en).toBeGreaterThan(0.9);
  });

  test('classify: the label by its name alone', async () => {
    const { metrics } = await evaluate('intent', '--data', `${SAMPLES}/intent.jsonl`, '--model', model);
    expect(metrics.zero_shot_accuracy_own).toBeGreaterThan(0.85);
    expect(metrics.nearest_name_own).toBeGreaterThan(0.8);
  });

  test('heads: volatility, task and language of requests', async () => {
    const { metrics, n } = await evaluate(
      'intent',
      '--data',
      `${SAMPLES}/intent-heads.jsonl`,
      '--model',
      model,
    );
    expect(n).toBeGreaterThan(200);
    expect(metrics.volatility_accuracy).toBeGreaterThan(0.8);
    expect(metrics.task_accuracy).toBeGreaterThan(0.75);
    expect(metrics.language_accuracy).toBeGreaterThan(0.93);
  });
});

test('gzipped and plain files score alike, and a row of another schema is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nearfield-eval-'));
  try {
    const rows = ['en', 'en', 'en'].map((lang, at) =>
      JSON.stringify({ lang, a: 'a cat', b: ['a cat', 'a kitten', 'a tax'][at], score: 1 - at / 2 }),
    );
    const [plain, gzipped, wrong] = ['a.jsonl', 'a.jsonl.gz', 'b.jsonl'].map((name) => join(folder, name));
    await writeFile(plain!, rows.join('\n'));
    await writeFile(gzipped!, gzipSync(rows.join('\n')));
    await writeFile(wrong!, `${rows[0]}\n{"lang":"en","text":"a cat"}\n`);
    const [one, two] = [await evaluate('sts', '--data', plain!), await evaluate('sts', '--data', gzipped!)];
    expect(one.metrics).toEqual(two.metrics);
    await expect(evaluate('sts', '--data', wrong!)).rejects.toThrow(
      /b\.jsonl:2: field a: .*The row has: lang, text/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
