// Owns one answer's tokens: prompt in, token after token out, guesses checked, grammar and budget kept. Plain
// decoding says the same tokens as guessing does. Knows nothing of text, turns or other conversations.
import type { Guesser } from './guess.ts';
import { type Likelihood, likelihoods, type Sampler } from './sampler.ts';
import type { TokenGrammar } from './token-grammar.ts';
import type { DecoderSequence } from './types.ts';

export interface DecodeOptions {
  /** Holds the first tokens of the prompt, fewer than all. */
  readonly sequence: DecoderSequence;
  readonly prompt: readonly number[];
  readonly forward: (tokens: readonly number[], logits: 'last' | 'all') => Promise<Float32Array>;
  readonly vocab: number;
  /** At least one. */
  readonly maxTokens: number;
  readonly sampler: Sampler;
  /** Ids with which the model ends its turn. */
  readonly endIds: ReadonlySet<number>;
  readonly guesser?: Guesser | undefined;
  readonly grammar?: TokenGrammar | undefined;
  /** Alternatives told with each token; absent: no likelihoods. */
  readonly logprobs?: number | undefined;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Told once the prompt is computed. */
  readonly onPrefilled?: ((ms: number) => void) | undefined;
}

export interface Token {
  readonly id: number;
  readonly likelihood?: { readonly chosen: Likelihood; readonly top: readonly Likelihood[] } | undefined;
}

export interface DecodeLoop {
  /** Ends when the answer does. */
  readonly tokens: AsyncIterable<Token>;
  /** From the next token on; a token just said may be taken back for others that say less. */
  constrain(grammar: TokenGrammar, state: number, insteadOfLast?: readonly number[]): void;
  /** Whether the shortest ending of what has begun is within the budget. */
  fits(): boolean;
  /** Why the tokens ended; `length` also where the grammar was closed early to keep within the budget. */
  finishReason(): 'stop' | 'length';
  /** All tokens, prompt and answer; the sequence holds the first of them. */
  history(): readonly number[];
  stats(): DecodeStats;
}

export interface DecodeStats {
  readonly prefillMs: number;
  readonly decodeMs: number;
  /** Prompt tokens computed, not reused. */
  readonly prefillTokens: number;
  readonly answerTokens: number;
  readonly guessed: number;
  readonly guessedRight: number;
}

interface Choice {
  readonly tokens: readonly Token[];
  readonly end?: 'stop' | 'length' | undefined;
}

interface Due {
  readonly ids: readonly number[];
  readonly end: Choice['end'];
}
const NOTHING_DUE: Due = { ids: [], end: undefined };

export function createDecodeLoop(options: DecodeOptions): DecodeLoop {
  const { sequence, prompt, sampler, maxTokens, endIds, guesser, vocab, now } = options;
  const history = [...prompt];
  let grammar = options.grammar;
  let state = grammar?.start ?? 0;
  let finish: 'stop' | 'length' = 'stop';
  let takenBack = false;
  /** What has to follow, where it is said token by token because the likelihood of each is told. */
  let due: Due = NOTHING_DUE;
  const stats = { prefillMs: 0, decodeMs: 0, guessed: 0, guessedRight: 0 };
  const prefillTokens = prompt.length - sequence.length;
  const remaining = () => maxTokens - (history.length - prompt.length);

  async function* tokens(): AsyncGenerator<Token, void, void> {
    for (const id of prompt) {
      sampler.accept(id, 'prompt');
      guesser?.accept(id);
    }
    // How many of the sequence's tokens are the history's; beyond lie guesses.
    let held = sequence.length;
    let guess: readonly number[] = [];
    try {
      for (let first = true; ; first = false) {
        const fed = history.slice(sequence.length);
        held = history.length;
        const began = now();
        let rows = await options.forward([...fed, ...guess], guess.length > 0 ? 'all' : 'last');
        const ms = now() - began;
        stats[first ? 'prefillMs' : 'decodeMs'] += ms;
        if (first) options.onPrefilled?.(ms);
        let at = guess.length > 0 ? fed.length - 1 : 0;
        let right = 0;
        stats.guessed += guess.length;
        for (let more = true; more; at += 1) {
          const choice = choose(rows.subarray(at * vocab, (at + 1) * vocab));
          const confirmed = right < guess.length && guess[right] === choice.tokens[0]?.id;
          // The rows are the decoder's until it runs again, and whoever reads our tokens may let it.
          if (confirmed && right === 0) rows = rows.slice();
          if (confirmed) stats.guessedRight += 1;
          for (const token of choice.tokens) {
            record(token.id);
            yield token;
          }
          if (ended(choice)) return;
          if (confirmed && !takenBack) {
            right += 1;
            held += 1;
          }
          more = confirmed && !takenBack && choice.tokens.length === 1;
        }
        if (!first) guesser?.learn(guess.length, right, ms);
        sequence.truncate(held);
        takenBack = false;
        guess = nextGuess();
      }
    } finally {
      sequence.truncate(Math.min(sequence.length, held));
    }
  }

  function ended(choice: Choice): boolean {
    if (choice.end !== undefined) finish = choice.end;
    else if (grammar?.mustEnd(state)) finish = 'stop';
    else if (remaining() <= 0) finish = 'length';
    else return false;
    return true;
  }

  function record(id: number): void {
    history.push(id);
    sampler.accept(id, 'answer');
    guesser?.accept(id);
    if (grammar !== undefined) state = grammar.next(state, id) ?? state;
  }

  /** What comes next by this row: one token, more where only one text can follow, or the end. */
  function choose(row: Float32Array): Choice {
    if (due.ids.length > 0) return oneByOne(row, due.ids, due.end);
    const id = sampler.pick(row, grammar?.mask(state));
    if (endIds.has(id)) return { tokens: [], end: 'stop' };
    if (grammar === undefined) return inARow(row, [id]);
    const closing = grammar.closing(state);
    const next = grammar.next(state, id) ?? state;
    const left = remaining() - 1;
    // As long as the end is within reach it stays so: a step that would lose it is not taken.
    if (closing.length <= remaining() && grammar.closing(next).length > left) {
      return inARow(row, closing, 'length');
    }
    const forced = grammar.forced(next);
    const fits = forced.length > 0 && closingAfter(grammar, next, forced) <= left - forced.length;
    return inARow(row, fits ? [id, ...forced] : [id]);
  }

  /** Nobody has to be asked for more than the first of these; but the likelihood of each takes its own row. */
  function inARow(row: Float32Array, ids: readonly number[], end?: Choice['end']): Choice {
    if (options.logprobs !== undefined && ids.length > 1) return oneByOne(row, ids, end);
    return { tokens: ids.map((id) => ({ id, likelihood: likelihoodOf(row, id) })), end };
  }

  function oneByOne(row: Float32Array, [id, ...ids]: readonly number[], end: Choice['end']): Choice {
    due = { ids, end };
    return {
      tokens: [{ id: id!, likelihood: likelihoodOf(row, id!) }],
      end: ids.length > 0 ? undefined : end,
    };
  }

  function likelihoodOf(row: Float32Array, id: number): Token['likelihood'] {
    return options.logprobs === undefined ? undefined : likelihoods(row, id, options.logprobs);
  }

  function nextGuess(): readonly number[] {
    // Right after a text that had to follow there is more than one token to compute already.
    if (guesser === undefined || history.length - sequence.length !== 1) return [];
    const guess = guesser.guess(Math.max(0, remaining() - 1));
    if (grammar === undefined) return guess;
    let reached: number | undefined = state;
    const allowed = guess.findIndex((id) => {
      reached = reached === undefined ? undefined : grammar?.next(reached, id);
      return reached === undefined;
    });
    return allowed < 0 ? guess : guess.slice(0, allowed);
  }

  return {
    tokens: { [Symbol.asyncIterator]: tokens },
    constrain(next, from, insteadOfLast) {
      grammar = next;
      state = from;
      due = NOTHING_DUE;
      if (insteadOfLast === undefined) return;
      takenBack = true;
      history.splice(history.length - 1, 1, ...insteadOfLast);
    },
    fits: () => grammar === undefined || grammar.closing(state).length <= remaining(),
    finishReason: () => finish,
    history: () => history,
    stats: () => ({ ...stats, prefillTokens, answerTokens: history.length - prompt.length }),
  };
}

function closingAfter(grammar: TokenGrammar, state: number, tokens: readonly number[]): number {
  let reached = state;
  for (const id of tokens) reached = grammar.next(reached, id) ?? reached;
  return grammar.closing(reached).length;
}
