// Owns putting found passages into a local model's words: what it is asked, and which of its sentences may
// be said. A sentence counts only when its words and numbers stand in the passages, and says which passage.
import { personOf } from '../messages.ts';
import type { ChatRequest, Passage } from '../types.ts';
import { stems } from './lexical.ts';
import { splitSentences } from './segment.ts';

const INSTRUCTIONS =
  'Answer the question in one or two short sentences, using only the passages. Repeat their numbers and names exactly. If they do not answer it, say so.';
const LIST_MARK = /(^|\n)\s*(?:\d{1,2}[.)]|[-*•])\s+/g;
const MAX_TOKENS = 96;
/** Share of a sentence's content words that stand in the passages or the question. Chosen by hand on the samples. */
const LEAST_SUPPORT = 0.6;

/** What a local model is asked. Greedy, so that the same passages give the same words. */
export function phrasingRequest(
  request: ChatRequest,
  question: string,
  passages: readonly Passage[],
): ChatRequest {
  const told = passages.map(({ text }, at) => `[${at + 1}] ${text.replace(/\s+/g, ' ')}`).join('\n');
  return {
    messages: [
      { role: 'system', content: INSTRUCTIONS },
      { role: 'user', content: `Passages:\n${told}\n\nQuestion: ${question}` },
    ],
    max_completion_tokens: Math.min(request.max_completion_tokens ?? MAX_TOKENS, MAX_TOKENS),
    temperature: 0,
    scope: personOf(request),
    priority: request.priority,
  };
}

/**
 * Reads a model's text as it comes and yields its sentences, each with the number of the passage that it
 * rests on. Ends before the first sentence that rests on none.
 */
export async function* supportedSentences(
  texts: AsyncIterable<string>,
  question: string,
  passages: readonly Passage[],
): AsyncGenerator<string, void, void> {
  let first = true;
  for await (const sentence of sentencesOf(texts)) {
    const cited = citationOf(sentence, question, passages);
    if (cited === undefined) return;
    yield `${first ? '' : ' '}${withCitation(sentence, cited)}`;
    first = false;
  }
}

/** Whole sentences; the last one may lack its full stop. */
async function* sentencesOf(texts: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  let held = '';
  for await (const text of texts) {
    // Small models number what they say.
    held = (held + text).replace(LIST_MARK, '$1');
    const ranges = splitSentences(held);
    // The last may go on.
    for (const { start, end } of ranges.slice(0, -1)) yield held.slice(start, end);
    const last = ranges.at(-1);
    if (ranges.length > 1 && last !== undefined) held = held.slice(last.start);
  }
  if (held.trim() !== '') yield held.trim();
}

/** Number of the passage that holds most of the sentence; undefined where they hold too little of it. */
function citationOf(sentence: string, question: string, passages: readonly Passage[]): number | undefined {
  const plain = sentence.replace(/\[\d+\]/g, '');
  const words = stems(plain);
  if (words.length === 0) return undefined;
  const held = passages.map(({ text }) => new Set(stems(text)));
  const asked = new Set(stems(question));
  const known = words.filter((word) => asked.has(word) || held.some((set) => set.has(word)));
  const numbers = words.filter((word) => /\d/.test(word));
  if (numbers.some((word) => !known.includes(word))) return undefined;
  if (known.length < words.length * LEAST_SUPPORT) return undefined;
  const shares = held.map((set) => words.filter((word) => set.has(word)).length);
  const best = Math.max(...shares);
  if (best === 0) return undefined;
  const passage = shares.indexOf(best);
  return turns(plain) === turns(passages[passage]!.text) ? passage + 1 : undefined;
}

/** Words that turn a sentence round; en, es, pt, without accents. */
const TURNING: ReadonlySet<string> = new Set(
  (
    'not no never none nobody nothing without unless except only until before after always must cannot ' +
    'nunca jamas nadie nada ningun ninguno ninguna sin salvo excepto solo solamente hasta antes despues siempre ' +
    'nao ninguem nenhum nenhuma sem exceto apenas somente ate depois sempre menos'
  ).split(' '),
);

/** Which of them a text holds: a sentence that drops or adds one may say the opposite of its passage. */
function turns(text: string): string {
  const words = text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/n['’]t\b/g, ' not')
    .match(/\p{L}+/gu);
  return [...new Set((words ?? []).filter((word) => TURNING.has(word)))].sort().join(' ');
}

/** The number goes before the full stop; one that the model wrote itself is checked, not trusted. */
function withCitation(sentence: string, passage: number): string {
  const plain = sentence.replace(/\s*\[\d+\]/g, '').trim();
  const [, body = plain, stop = ''] = /^(.*?)([.!?]*)$/s.exec(plain) ?? [];
  return `${body} [${passage}]${stop}`;
}
