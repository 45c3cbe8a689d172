// Owns the one real answer that `npm start` prints: a question about a document, answered in this process,
// with its trace.
import type { Completion } from '../../runtime/completion.ts';
import { table } from '../report.ts';

/** A finished answer as lines for a terminal: what was asked, the answer, where it ran, what left. */
export function describeAnswer(question: string, document: string, answer: Completion): string {
  const { tier, cache, timings, receipt, passages } = answer;
  const passage = passages[0];
  const rows = timings.steps.map((step) => ({
    step: step.name,
    'ms from start': ms(step.startMs),
    ms: ms(step.durationMs),
  }));
  return [
    `  question   ${question}`,
    `  document   ${document}`,
    `  answer     ${answer.text.replace(/\s+/g, ' ')}`,
    passage === undefined
      ? ''
      : `  found at   characters ${passage.start} to ${passage.end}, similarity ${passage.similarity.toFixed(3)}`,
    `  tier       ${tier.id} (${tier.kind})`,
    `  cache      ${cache.status} (${cache.reason})`,
    `  time       ${ms(timings.totalMs)} ms, first part after ${ms(timings.ttftMs ?? timings.totalMs)} ms`,
    `  egress     ${receipt.bytesOut} bytes (receipt ${receipt.sequence}, ${receipt.hash.slice(0, 16)}…)`,
    '',
    table(rows),
  ]
    .filter((line, at, lines) => line !== '' || at === lines.length - 2)
    .join('\n');
}

/** A generated answer: what was asked and said, how fast, what left. */
export function describeGenerated(prompt: string, answer: Completion): string {
  const { timings, usage, receipt } = answer;
  const decodeMs = timings.steps.find((step) => step.name === 'decode')?.durationMs ?? 0;
  // The first token comes out of the prefill.
  const rate = decodeMs === 0 ? 0 : ((usage.completionTokens - 1) / decodeMs) * 1000;
  return [
    `  question   ${prompt}`,
    `  answer     ${answer.text.replace(/\s+/g, ' ').trim()}`,
    `  time       first token after ${ms(timings.ttftMs ?? timings.totalMs)} ms, ${usage.completionTokens} tokens at ${rate.toFixed(1)} tokens/s`,
    `  egress     ${receipt.bytesOut} bytes (receipt ${receipt.sequence}, ${receipt.hash.slice(0, 16)}…)`,
  ].join('\n');
}

function ms(value: number): number {
  return Number(value.toFixed(value < 10 ? 2 : 0));
}
