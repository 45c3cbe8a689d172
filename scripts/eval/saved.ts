// Owns the question "what does the cache save, and at what price": a stream of requests with real repeats, replayed
// through the cache as shipped and through a static threshold; calls, tokens and waiting saved, wrong hits beside.
import { createSemanticCache, type Guard } from 'nearfield/cache';
import { createMemoryCacheStore } from 'nearfield/cache/memory';
import { createNodeGuard } from 'nearfield/engine/node';
import { normaliseText } from '../../runtime/cache/keys.ts';
import type { CachedAnswer } from '../../runtime/types.ts';
import type { ScriptCommand } from '../cli.ts';
import { openEngine, type TextEmbedder } from '../embedders.ts';
import { readJsonLines } from '../jsonl.ts';
import { shuffle } from '../judged-pairs.ts';
import { mulberry32, printEval, table } from '../report.ts';

interface Row {
  readonly dataset?: string;
  readonly source?: string;
  readonly split?: string;
  readonly text?: string;
  readonly label?: string | number;
  readonly response?: string | null;
  /** What is to be done with the text; the system prompt of its request. */
  readonly task?: string | null;
  readonly a?: string;
  readonly b?: string;
}

/** One request and the answer it must get. */
interface Request {
  readonly text: string;
  readonly context: string;
  readonly answer: string;
}

/** What became of one request. */
interface Outcome {
  readonly hit: boolean;
  readonly wrong: boolean;
  readonly lookupMs: number;
}

interface Options {
  readonly data: string;
  readonly dataset?: string;
  readonly source?: string;
  readonly split?: string;
  readonly limit: string;
  readonly repeats: string;
  readonly callMs: string;
  readonly answerTokens: string;
  readonly model?: string;
  readonly json?: boolean;
}

export const command: ScriptCommand = {
  summary: 'calls, tokens and waiting that the cache saves on a stream with repeats, wrong hits beside',
  configure(command) {
    command
      .requiredOption(
        '--data <file>',
        'JSON Lines: { text, label }, { task, text, response } or { a, b, label }; rows without an answer are left out',
      )
      .option('--dataset <name>', 'rows of this data set only')
      .option('--source <name>', 'rows of this source only')
      .option('--split <name>', 'rows of this split only')
      .option('--limit <n>', 'requests', '1500')
      .option('--repeats <share>', 'share of requests asked again word for word', '0')
      .option('--call-ms <ms>', 'what a call is taken to last', '1000')
      .option('--answer-tokens <n>', 'tokens an answer is taken to have', '150')
      .option('--model <id>', 'model id or folder')
      .action(run);
  },
};

async function run(options: Options): Promise<void> {
  const rows = (await readJsonLines<Row>(options.data)).filter(
    (row) =>
      (options.dataset === undefined || row.dataset === options.dataset) &&
      (options.source === undefined || row.source === options.source) &&
      (options.split === undefined || row.split === options.split),
  );
  const stream = toStream(rows, Number(options.limit), Number(options.repeats));
  const embedder = await openEngine(options.model);
  // Both as they came and as the cache asks for them, so that no lookup waits for an embedding.
  await embedder.embed(stream.flatMap(({ text }) => [text, normaliseText(text)]));
  const ways: Readonly<Record<string, readonly Outcome[]>> = {
    'word for word': await replayCache(stream, embedder, { exact: true }),
    'static 0.80': await replayStatic(stream, embedder, 0.8),
    'static 0.94': await replayStatic(stream, embedder, 0.94),
    'ours, rules': await replayCache(stream, embedder, {}),
    'ours, rules and guard': await replayCache(stream, embedder, { guard: createNodeGuard() }),
  };
  await embedder.dispose();
  report(stream, ways, options, embedder.model);
}

/** Requests in a fixed order; pairs make clusters of what is labelled the same, each text one request. */
function toStream(rows: readonly Row[], limit: number, repeats: number): readonly Request[] {
  const paired = rows.some((row) => row.a !== undefined);
  // Whole pairs, or few of their repeats would be drawn together.
  const requests = paired ? clusters(shuffle(rows).slice(0, limit >> 1)) : labelled(rows);
  const chosen = shuffle(requests).slice(0, Math.round(limit * (1 - repeats)));
  const random = mulberry32(3);
  const again = Array.from(
    { length: limit - chosen.length },
    () => chosen[Math.floor(random() * chosen.length)]!,
  );
  return again.length === 0 ? chosen : shuffle([...chosen, ...again], 4);
}

function labelled(rows: readonly Row[]): readonly Request[] {
  return rows.flatMap(({ text, label, response, task }) => {
    const answer = label ?? response;
    return text === undefined || answer === undefined || answer === null
      ? []
      : [{ text, context: task ?? '', answer: String(answer) }];
  });
}

function clusters(rows: readonly Row[]): readonly Request[] {
  const parents = new Map<string, string>();
  const rootOf = (text: string): string => {
    const parent = parents.get(text) ?? text;
    if (parent === text) return text;
    const root = rootOf(parent);
    parents.set(text, root);
    return root;
  };
  for (const { a = '', b = '', label } of rows) {
    for (const text of [a, b]) if (!parents.has(text)) parents.set(text, text);
    if (Number(label) === 1) parents.set(rootOf(a), rootOf(b));
  }
  return [...parents.keys()].map((text) => ({ text, context: '', answer: rootOf(text) }));
}

/** The public cache's way: the nearest kept question, whatever it asks, at or above one similarity. */
async function replayStatic(
  stream: readonly Request[],
  { embed }: TextEmbedder,
  threshold: number,
): Promise<readonly Outcome[]> {
  const kept: { readonly vector: Float32Array; readonly answer: string }[] = [];
  const vectors = await embed(stream.map(({ text }) => text));
  return stream.map(({ answer }, at) => {
    const vector = vectors[at]!;
    const start = performance.now();
    let [best, found] = [-1, ''];
    for (const entry of kept) {
      const similarity = entry.vector.reduce((sum, value, dim) => sum + value * vector[dim]!, 0);
      if (similarity > best) [best, found] = [similarity, entry.answer];
    }
    const hit = best >= threshold;
    if (!hit) kept.push({ vector, answer });
    return { hit, wrong: hit && found !== answer, lookupMs: performance.now() - start };
  });
}

async function replayCache(
  stream: readonly Request[],
  { embed }: TextEmbedder,
  { exact, guard }: { readonly exact?: boolean; readonly guard?: Guard },
): Promise<readonly Outcome[]> {
  const cache = createSemanticCache({
    store: createMemoryCacheStore(),
    embed: exact === true ? undefined : (texts) => embed(texts),
    guard,
    random: mulberry32(9),
  });
  const outcomes: Outcome[] = [];
  for (const { text, context, answer } of stream) {
    const query = { scope: 'eval', context, text };
    const start = performance.now();
    const found = await cache.lookup(query);
    const lookupMs = performance.now() - start;
    const hit = found.answer !== undefined;
    outcomes.push({ hit, wrong: hit && textOf(found.answer) !== answer, lookupMs });
    if (!hit) await cache.write(query, answerOf(answer));
  }
  await cache.close();
  return outcomes;
}

function answerOf(text: string): CachedAnswer {
  return {
    parts: [{ type: 'text-delta', text }],
    finishReason: 'stop',
    usage: { promptTokens: 0, completionTokens: 0 },
    model: 'eval',
    tier: { id: 'eval', kind: 'cloud' },
    costMs: 1,
  };
}

function textOf(answer: CachedAnswer | undefined): string {
  return (answer?.parts ?? []).map((part) => ('text' in part ? part.text : '')).join('');
}

function report(
  stream: readonly Request[],
  ways: Readonly<Record<string, readonly Outcome[]>>,
  options: Options,
  model: string,
): void {
  const total = stream.length;
  const [callMs, answerTokens] = [Number(options.callMs), Number(options.answerTokens)];
  // A token of English is about four characters.
  const tokens = stream.map(({ text }) => text.length / 4 + answerTokens);
  const all = tokens.reduce((sum, each) => sum + each, 0);
  const metrics: Record<string, number> = { 'answers that came before': repeatsOf(stream) };
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const rows = Object.entries(ways).map(([way, outcomes]) => {
    const hits = outcomes.filter(({ hit }) => hit).length;
    const wrong = outcomes.filter((outcome) => outcome.wrong).length;
    const savedTokens = outcomes.reduce((sum, { hit }, at) => sum + (hit ? tokens[at]! : 0), 0) / all;
    const lookupMs = outcomes.reduce((sum, outcome) => sum + outcome.lookupMs, 0);
    const waiting = (hits * callMs - lookupMs) / (total * callMs);
    Object.assign(metrics, {
      [`${way}: calls saved`]: hits / total,
      [`${way}: wrong of requests`]: wrong / total,
    });
    return {
      way,
      'calls saved': percent(hits / total),
      'tokens saved': percent(savedTokens),
      'waiting saved': percent(waiting),
      'wrong of requests': percent(wrong / total),
      'wrong of hits': percent(wrong / Math.max(1, hits)),
    };
  });
  const notes = [
    `a call is taken to last ${callMs} ms and an answer to have ${answerTokens} tokens; lookups are timed without embedding`,
    `\n${table(rows)}`,
  ];
  printEval({ name: 'saved', model, n: total, metrics, ci95: {}, notes }, options.json === true);
}

/** The share a perfect cache would save. */
function repeatsOf(stream: readonly Request[]): number {
  return 1 - new Set(stream.map(({ answer }) => answer)).size / stream.length;
}
