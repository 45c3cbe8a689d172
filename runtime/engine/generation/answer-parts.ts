// Owns an answer's tokens as the parts a tier yields: text up to its stop sequence, a tool call with its
// arguments, likelihoods. Refuses to show a part of a character, of a stop sequence or of a call's frame.
import type { TierPart, TokenLogprob } from '../../types.ts';
import type { DecodeLoop, Token } from './decode-loop.ts';
import { createDetokenizer, createStopFinder, type Found } from './detokenizer.ts';
import type { Likelihood } from './sampler.ts';
import type { TokenGrammar } from './token-grammar.ts';
import { CALL_START } from './tool-text.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface AnswerOptions {
  readonly loop: DecodeLoop;
  readonly vocabulary: Vocabulary;
  readonly stops: readonly string[];
  /** `text`: text alone. `free`: text, or a call from `CALL_START` on. `must`: a call. */
  readonly calls: 'text' | 'free' | 'must';
  /** What a call looks like; needed unless `calls` is `text`. */
  readonly callGrammar?: TokenGrammar | undefined;
  /** Id of a new call. */
  readonly newId: () => string;
}

type Part = Exclude<TierPart, { type: 'finish' | 'sources' }>;
export type AnswerEnd = 'stop' | 'length' | 'tool_calls';

/** Parts in order; returns why the answer ended. */
export async function* answerParts(options: AnswerOptions): AsyncGenerator<Part, AnswerEnd, void> {
  const { loop, vocabulary, calls } = options;
  const detokenizer = createDetokenizer(vocabulary);
  const finder = createStopFinder(calls === 'free' ? [...options.stops, CALL_START] : options.stops);
  let call = calls === 'must' ? createCallReader(options.newId()) : undefined;
  let logprobs: TokenLogprob[] = [];
  const text = (said: string): Part => {
    const told = logprobs;
    logprobs = [];
    return { type: 'text-delta', text: said, ...(told.length > 0 && { logprobs: told }) };
  };

  for await (const token of loop.tokens) {
    const said = detokenizer.push(token.id);
    if (call !== undefined) {
      yield* call.push(said);
      continue;
    }
    if (token.likelihood !== undefined) logprobs.push(logprobOf(token, vocabulary));
    const found = finder.push(said);
    if (found.text !== '') yield text(found.text);
    if (found.stop === undefined) continue;
    if (found.stop < options.stops.length) return 'stop';
    call = createCallReader(options.newId());
    yield* call.push(beginCall(options, found, said));
  }
  if (call !== undefined) {
    yield* call.end();
    return loop.finishReason() === 'length' ? 'length' : 'tool_calls';
  }
  const rest = finder.push(detokenizer.end());
  const left = rest.text + (rest.stop === undefined ? finder.end() : '');
  if (left !== '') yield text(left);
  return loop.finishReason();
}

/**
 * The model has just said the last of `CALL_START`: from here on the grammar decides. What the same token
 * said beyond it stays if the grammar takes it; else the token is taken back for one that says less.
 */
function beginCall({ loop, vocabulary, callGrammar }: AnswerOptions, found: Found, said: string): string {
  const grammar = callGrammar!;
  const { after = '' } = found;
  const state = grammar.nextText(grammar.start, after);
  if (state !== undefined) {
    loop.constrain(grammar, state);
    return after;
  }
  const kept = said.slice(0, said.length - after.length);
  loop.constrain(grammar, grammar.start, vocabulary.encodePlain(kept));
  return '';
}

const CALL_HEAD = /^\s*\{"name": ("(?:[^"\\]|\\.)*"), "arguments": /;

/** Reads the one form that the call grammar allows. */
function createCallReader(id: string) {
  let head: string | undefined = '';
  let held = '';
  function* begin(): Generator<Part> {
    const match = CALL_HEAD.exec(head!);
    if (match === null) return;
    const rest = head!.slice(match[0].length);
    head = undefined;
    yield { type: 'tool-call-delta', index: 0, id, name: JSON.parse(match[1]!) as string, argumentsText: '' };
    yield* body(rest);
  }
  /** The frame's closing brace comes last, so what may be it is held back. */
  function* body(text: string): Generator<Part> {
    held += text;
    const free = held.slice(0, Math.max(0, held.trimEnd().length - 1));
    held = held.slice(free.length);
    if (free !== '') yield { type: 'tool-call-delta', index: 0, argumentsText: free };
  }
  return {
    *push(text: string): Generator<Part> {
      if (head === undefined) return yield* body(text);
      head += text;
      yield* begin();
    },
    *end(): Generator<Part> {
      const rest = held.trimEnd().replace(/\}$/, '');
      if (rest !== '') yield { type: 'tool-call-delta', index: 0, argumentsText: rest };
    },
  };
}

function logprobOf({ likelihood }: Token, vocabulary: Vocabulary): TokenLogprob {
  const { chosen, top } = likelihood!;
  return { ...named(chosen, vocabulary), top: top.map((entry) => named(entry, vocabulary)) };
}

function named({ id, logprob }: Likelihood, vocabulary: Vocabulary): Omit<TokenLogprob, 'top'> {
  const bytes = vocabulary.bytesOf(id);
  return {
    token: bytes === undefined ? (vocabulary.nameOf(id) ?? '') : new TextDecoder().decode(bytes),
    logprob,
    bytes: bytes === undefined ? null : [...bytes],
  };
}
