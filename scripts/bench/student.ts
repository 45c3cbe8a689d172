// Owns measuring what the student saves: nearfield-embed beside its teacher, both on the kernel with one thread, turn by
// turn, from a few words to a long text and a batch; and the multiply-adds that explain it, counted in the artefacts.
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod/mini';
import { createNodeEmbedder, nodeBackends } from '../../runtime/engine/node.ts';
import type { ScriptCommand } from '../cli.ts';
import { type BenchCase, median, mulberry32, printBench } from '../report.ts';

const ROOT = fileURLToPath(new URL('../../models/', import.meta.url));
const STUDENT = 'nearfield-embed';
const TEACHER = 'all-minilm-l6-v2';
const CASES = Object.freeze([
  { name: '6 words', texts: 1, words: 6 },
  { name: '26 words', texts: 1, words: 26 },
  { name: '150 words', texts: 1, words: 150 },
  { name: '32 texts of 26 words', texts: 32, words: 26 },
]);
const WORDS = (
  'the plan covers care at home while nobody pays more than they can use each year so ask about what was done there ' +
  'people write long letters when their first number will not work'
).split(' ');

const shapeSchema = z.object({ layers: z.number(), hidden: z.number(), intermediate: z.number() });

export const command: ScriptCommand = {
  summary: 'nearfield-embed beside its teacher all-minilm-l6-v2: kernel, one thread, Node',
  configure(bench) {
    bench
      .option('--rounds <n>', 'turns each model takes; a tenth of them with a batch', '60')
      .action(async (options: { rounds: string; json?: boolean }) => {
        await run(Number(options.rounds), options.json === true);
      });
  },
};

async function run(rounds: number, json: boolean): Promise<void> {
  const kernel = nodeBackends.filter((row) => row.id === 'kernel');
  const models = await Promise.all(
    [STUDENT, TEACHER].map(async (id) => ({
      id,
      embedder: await createNodeEmbedder({ model: id, backends: kernel, contenders: 1 }),
    })),
  );
  const cases: BenchCase[] = [];
  const ratios: Record<string, number> = {};
  for (const { name, texts, words } of CASES) {
    const samples = new Map<string, number[]>(models.map(({ id }) => [id, []]));
    const turns = texts === 1 ? rounds : Math.max(3, Math.round(rounds / 10));
    for (let turn = -2; turn < turns; turn += 1) {
      const made = makeTexts(texts, words, turn);
      for (const { id, embedder } of models) {
        const begun = performance.now();
        await embedder.embed(made);
        if (turn >= 0) samples.get(id)!.push(performance.now() - begun);
      }
    }
    for (const [id, values] of samples) cases.push({ case: `${name}: ${id}`, unit: 'ms', samples: values });
    ratios[`${name}: teacher over student`] = median(samples.get(TEACHER)!) / median(samples.get(STUDENT)!);
  }
  for (const { embedder } of models) await embedder.dispose();
  printBench({ name: 'student', cases, ratios, notes: models.map(({ id }) => sizeOf(id)) }, json);
}

/** Other texts each turn, so that no cache on the way answers. */
function makeTexts(count: number, words: number, seed: number): readonly string[] {
  const next = mulberry32(seed + 7);
  const word = (): string => WORDS[Math.floor(next() * WORDS.length)]!;
  return Array.from({ length: count }, () => Array.from({ length: words }, word).join(' '));
}

/** Multiply-adds a token in the layers: products, then products and attention over 128 tokens. */
function sizeOf(id: string): string {
  const folder = `${ROOT}${id}/`;
  const { layers, hidden, intermediate } = shapeSchema.parse(
    JSON.parse(readFileSync(`${folder}manifest.json`, 'utf8')),
  );
  const products = layers * (4 * hidden ** 2 + 2 * hidden * intermediate);
  const attention = layers * 2 * hidden * 128;
  const megabytes = statSync(`${folder}onnx/model.onnx`).size / 1e6;
  const millions = (count: number): string => `${(count / 1e6).toFixed(2)} M`;
  return `${id}: ${megabytes.toFixed(2)} MB, ${millions(products)} multiply-adds a token, ${millions(products + attention)} in a text of 128`;
}
