// `npm run eval -- gen --data FILE`: what quantising costs a language model. Forced decoding of real text by the
// kernel, against the fp32 model's own choices and likelihoods, which Python computes once.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ScriptCommand } from '../cli.ts';
import { openDecoder, WORK } from '../decoders.ts';
import { bootstrap, printEval } from '../report.ts';

interface Reference {
  readonly texts: readonly {
    readonly ids: readonly number[];
    /** For each token but the last: the fp32 model's likeliest next one. */
    readonly top: readonly number[];
    /** Its logit less the second's. */
    readonly margin: readonly number[];
    /** -log likelihood of the token that came. */
    readonly loss: readonly number[];
  }[];
}

interface Options {
  readonly data?: string;
  readonly model?: string;
  readonly tokens: string;
  readonly python: string;
  readonly json?: boolean;
}

/** Sums over one text. */
interface Score {
  readonly tokens: number;
  readonly agreed: number;
  /** Of tokens where fp32's first and second choice lie at least half a logit apart. */
  readonly clear: number;
  readonly clearAgreed: number;
  readonly loss: number;
  readonly referenceLoss: number;
}

const CLEAR_MARGIN = 0.5;
const SCRIPT = fileURLToPath(new URL('../models/python/decoder_reference.py', import.meta.url));

export const command: ScriptCommand = {
  summary: 'a language model on the kernel against fp32: top-1 agreement and perplexity by forced decoding',
  configure(program) {
    program
      .option('--data <file>', 'real text, JSONL or JSONL.gz; read when no reference of it is kept yet')
      .option('--model <id>', 'model id under .nearfield/models, or a folder')
      .option('--tokens <n>', 'tokens to decode', '6000')
      .option(
        '--python <path>',
        'a Python with scripts/models/requirements.txt',
        process.env.NEARFIELD_PYTHON ?? join(WORK, 'venv/bin/python'),
      )
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const { texts } = await reference(options);
  const { id, decoder } = await openDecoder(options.model, { context: 512 });
  const scores: Score[] = [];
  for (const text of texts) {
    const sequence = decoder.open();
    const [logits] = await decoder.forward([{ sequence, tokens: text.ids, logits: 'all' }]);
    sequence.close();
    scores.push(scoreOf(text, logits!, decoder.vocab));
  }
  await decoder.dispose();
  const sum = (rows: Int32Array, of: (score: Score) => number): number =>
    rows.reduce((total, row) => total + of(scores[row]!), 0);
  const statistics: Readonly<Record<string, (rows: Int32Array) => number>> = {
    top1_agreement: (rows) => sum(rows, ({ agreed }) => agreed) / sum(rows, ({ tokens }) => tokens),
    top1_agreement_clear: (rows) =>
      sum(rows, ({ clearAgreed }) => clearAgreed) / sum(rows, ({ clear }) => clear),
    perplexity: (rows) => Math.exp(sum(rows, ({ loss }) => loss) / sum(rows, ({ tokens }) => tokens)),
    perplexity_fp32: (rows) =>
      Math.exp(sum(rows, ({ referenceLoss }) => referenceLoss) / sum(rows, ({ tokens }) => tokens)),
    perplexity_ratio: (rows) =>
      Math.exp(
        sum(rows, ({ loss, referenceLoss }) => loss - referenceLoss) / sum(rows, ({ tokens }) => tokens),
      ),
  };
  const whole = Int32Array.from(scores.keys());
  printEval(
    {
      name: 'gen',
      model: id,
      n: sum(whole, ({ tokens }) => tokens),
      metrics: Object.fromEntries(Object.entries(statistics).map(([name, of]) => [name, of(whole)])),
      ci95: Object.fromEntries(
        // Whole texts are drawn: tokens of one text hang together.
        Object.entries(statistics).map(([name, of]) => [name, bootstrap(scores.length, of)]),
      ),
      notes: [
        `${scores.length} texts; clear: fp32's first two choices at least ${CLEAR_MARGIN} logits apart.`,
      ],
    },
    options.json ?? false,
  );
}

function scoreOf(text: Reference['texts'][number], logits: Float32Array, vocab: number): Score {
  const score = { tokens: text.top.length, agreed: 0, clear: 0, clearAgreed: 0, loss: 0, referenceLoss: 0 };
  for (let at = 0; at < text.top.length; at += 1) {
    const row = logits.subarray(at * vocab, (at + 1) * vocab);
    let best = 0;
    for (let id = 1; id < vocab; id += 1) if (row[id]! > row[best]!) best = id;
    let total = 0;
    for (let id = 0; id < vocab; id += 1) total += Math.exp(row[id]! - row[best]!);
    const agrees = best === text.top[at] ? 1 : 0;
    const isClear = text.margin[at]! >= CLEAR_MARGIN ? 1 : 0;
    score.agreed += agrees;
    score.clear += isClear;
    score.clearAgreed += isClear * agrees;
    score.loss += row[best]! - row[text.ids[at + 1]!]! + Math.log(total);
    score.referenceLoss += text.loss[at]!;
  }
  return score;
}

/** Kept under .nearfield/eval by its size; computed when missing. */
async function reference({ data, tokens, python }: Options): Promise<Reference> {
  const file = join(WORK, 'eval', `gen-reference-${tokens}.json`);
  if (!existsSync(file)) {
    if (data === undefined) throw new Error(`No reference in ${file}: name real text with --data.`);
    console.log('Decoding with the fp32 model in Python (minutes, once)');
    const source = join(WORK, 'source');
    const argv = [SCRIPT, '--data', data, '--tokens', tokens, '--source', source, '--out', file];
    await promisify(execFile)(python, argv);
  }
  return JSON.parse(await readFile(file, 'utf8')) as Reference;
}
