// How often each head of nearfield-intent is right, on rows that say what is right for it: accuracy, and F1
// averaged over the head's classes, all together and by language.
import { loadNodeModel } from 'nearfield/engine/node';
import { createIntentReader, type Intent } from 'nearfield/tasks';
import { asEmbedder, type TextEmbedder } from '../embedders.ts';
import { bootstrap, type EvalReport } from '../report.ts';

export interface HeadRow {
  readonly text: string;
  /** Any language; those the head does not name count as `other`. */
  readonly lang: string;
  readonly volatility?: string | undefined;
  readonly task?: string | undefined;
}

const LANGUAGES: ReadonlySet<string> = new Set(['en', 'es', 'pt']);

interface Judged {
  readonly truth: string;
  readonly guess: string;
  readonly lang: string;
}

type Verdict = Omit<Judged, 'lang'>;

/** A row says nothing of a head that it has no field for. */
const HEADS: Readonly<Record<string, (row: HeadRow, intent: Intent) => Verdict | undefined>> = Object.freeze({
  volatility: ({ volatility: truth }, { volatility }) =>
    truth === undefined ? undefined : { truth, guess: volatility.label },
  task: ({ task: truth }, { task }) => (truth === undefined ? undefined : { truth, guess: task.label }),
  language: ({ lang }, { language }) => ({
    truth: LANGUAGES.has(lang) ? lang : 'other',
    guess: language.label,
  }),
});

export async function scoreHeads(
  embedder: TextEmbedder,
  model: string,
  rows: readonly HeadRow[],
): Promise<EvalReport> {
  const heads = await loadNodeModel({ model });
  const reader = createIntentReader({ embedder: asEmbedder(embedder), heads });
  const intents: Intent[] = [];
  for (const row of rows) intents.push(await reader.read(row.text));
  const metrics: Record<string, number> = {};
  const ci95: Record<string, readonly [number, number]> = {};
  for (const [name, judge] of Object.entries(HEADS)) {
    const judged = rows.flatMap((row, at) => {
      const found = judge(row, intents[at]!);
      return found === undefined ? [] : [{ ...found, lang: row.lang }];
    });
    if (judged.length === 0) continue;
    const pick = (picked: Iterable<number>): readonly Judged[] => Array.from(picked, (at) => judged[at]!);
    metrics[`${name}_accuracy`] = accuracy(judged);
    ci95[`${name}_accuracy`] = bootstrap(judged.length, (picked) => accuracy(pick(picked)));
    metrics[`${name}_macro_f1`] = macroF1(judged);
    ci95[`${name}_macro_f1`] = bootstrap(judged.length, (picked) => macroF1(pick(picked)));
    for (const lang of LANGUAGES) {
      const own = judged.filter((entry) => entry.lang === lang);
      if (own.length === 0) continue;
      metrics[`${name}_accuracy_${lang}`] = accuracy(own);
      ci95[`${name}_accuracy_${lang}`] = bootstrap(own.length, (picked) =>
        accuracy(Array.from(picked, (at) => own[at]!)),
      );
    }
  }
  const notes = Object.entries(HEADS).map(
    ([name, judge]) => `${name}: ${confusions(rows.flatMap((row, at) => judge(row, intents[at]!) ?? []))}`,
  );
  return {
    name: 'intent',
    model: `${heads.manifest.id} on ${embedder.model}`,
    n: rows.length,
    metrics,
    ci95,
    notes,
  };
}

function accuracy(judged: readonly Verdict[]): number {
  return judged.filter(({ truth, guess }) => truth === guess).length / judged.length;
}

/** Mean F1 of the classes that occur in truth or guess. */
function macroF1(judged: readonly Judged[]): number {
  const classes = new Set(judged.flatMap(({ truth, guess }) => [truth, guess]));
  let sum = 0;
  for (const name of classes) {
    const right = judged.filter(({ truth, guess }) => truth === name && guess === name).length;
    const seen = judged.filter(({ truth }) => truth === name).length;
    const said = judged.filter(({ guess }) => guess === name).length;
    sum += (2 * right) / (seen + said);
  }
  return sum / classes.size;
}

/** The three commonest mistakes. */
function confusions(judged: readonly Verdict[]): string {
  const counts = new Map<string, number>();
  for (const { truth, guess } of judged) {
    if (truth !== guess)
      counts.set(`${truth} read as ${guess}`, (counts.get(`${truth} read as ${guess}`) ?? 0) + 1);
  }
  const worst = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return worst.map(([what, count]) => `${what} ${count}x`).join(', ') || 'no mistake';
}
