// `npm run eval -- intent --data FILE`. Two schemas, told apart by their fields: { dataset, lang, split, text,
// label } measures classify() (see labels.ts), { lang, text, volatility?, task? } the heads of nearfield-intent.
import * as z from 'zod/mini';
import type { ScriptCommand } from '../cli.ts';
import { evaluateEmbedders } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { type HeadRow, scoreHeads } from './heads.ts';
import { type LabelRow, scoreLabels } from './labels.ts';

interface Options {
  readonly data: string;
  readonly model?: string;
  readonly heads: string;
  readonly split: string;
  readonly shots: string;
  readonly rows?: string;
  readonly teacher?: boolean;
  readonly json?: boolean;
}

const labelSchema: z.ZodMiniType<LabelRow> = z.object({
  dataset: z.string(),
  split: z.optional(z.string()),
  text: z.string(),
  label: z.string(),
});

const headSchema: z.ZodMiniType<HeadRow> = z.object({
  text: z.string(),
  lang: z.string(),
  volatility: z.optional(z.enum(['timeless', 'months', 'days', 'minutes'])),
  task: z.optional(z.string()),
});

export const command: ScriptCommand = {
  summary: 'classify() by label names and examples, or the heads for volatility, task and language',
  configure(program) {
    program
      .requiredOption('--data <file>', 'labelled texts, JSONL or JSONL.gz')
      .option('--model <id>', 'encoder: model id or folder')
      .option('--heads <id>', 'heads: model id or folder', 'nearfield-intent')
      .option('--split <name>', 'rows of this split; rows without one always count', 'dev')
      .option('--shots <list>', 'examples a label from split train, e.g. 1,5; 0 is the name alone', '0,5')
      .option('--rows <count>', 'at most so many rows a set, drawn with a fixed seed')
      .option('--teacher', 'score the fp32 teacher beside it; the default where it is built')
      .option('--no-teacher', 'leave the teacher out')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const [first] = await readJsonLines<Readonly<Record<string, unknown>>>(options.data);
  if (first === undefined) throw new Error(`${options.data}: expected labelled texts, got an empty file.`);
  if (!('label' in first)) {
    const rows = await readJsonLines(options.data, headSchema);
    // Nothing beside it: no peer has these heads.
    return await evaluateEmbedders({ ...options, teacher: false }, (embedder) =>
      scoreHeads(embedder, options.heads, rows),
    );
  }
  const rows = await readJsonLines(options.data, labelSchema);
  const shots = options.shots.split(',').map(Number);
  if (shots.some((count) => !Number.isInteger(count) || count < 0)) {
    throw new Error(`--shots: expected whole numbers parted by commas, got '${options.shots}'.`);
  }
  const most = options.rows === undefined ? Number.POSITIVE_INFINITY : Number(options.rows);
  await evaluateEmbedders(options, (embedder) =>
    scoreLabels(embedder, rows, { split: options.split, shots, most }),
  );
}
