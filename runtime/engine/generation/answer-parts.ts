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
  /** `text`: text alone. `free`: text, or calls from `CALL_START` on. `must`: calls. */
  readonly calls: 'text' | 'free' | 'must';
  /** What calls look like; needed unless `calls` is `text`. */
  readonly callGrammar?: TokenGrammar | undefined;
  /** How often the answer may make the same call, word for word. Default 1. */
  readonly maxSameCalls?: number | undefined;
  /** Id of a new call. */
  readonly newId: () => string;
}

type Part = Exclude<TierPart, { type: 'finish' | 'sources' }>;

export interface AnswerEnd {
  readonly reason: 'stop' | 'length' | 'tool_calls';
  /** Calls left out because the answer had made the same before. */
  readonly repeatedCalls: number;
  /** It was ended because nothing but such calls came any more. */
  readonly looped: boolean;
}

/** As many calls as one message may bring back. Source: the request's own limit, as OpenAI's. */
const MAX_CALLS = 128;
/** Calls said before, one after another, that make a loop: whoever says one again may have more to say, not two. */
const LOOP_CALLS = 2;

/** Parts in order; returns why the answer ended. A call that could not be ended is not begun. */
export async function* answerParts(options: AnswerOptions): AsyncGenerator<Part, AnswerEnd, void> {
  const { loop, vocabulary, calls } = options;
  const detokenizer = createDetokenizer(vocabulary);
  const finder = createStopFinder(calls === 'free' ? [...options.stops, CALL_START] : options.stops);
  let reader = calls === 'must' ? createCallReader(options) : undefined;
  const end = (reason: AnswerEnd['reason']): AnswerEnd => ({
    reason,
    repeatedCalls: reader?.repeated() ?? 0,
    looped: reader?.looped() ?? false,
  });
  const likelihoods = createLikelihoods(vocabulary);
  const text = (said: string): Part => {
    const logprobs = likelihoods.take(said);
    return { type: 'text-delta', text: said, ...(logprobs.length > 0 && { logprobs }) };
  };

  if (calls === 'must' && !loop.fits()) return end('length');
  for await (const token of loop.tokens) {
    const said = detokenizer.push(token.id);
    if (reader !== undefined) {
      yield* reader.push(said);
      if (!reader.ended()) continue;
      return end('tool_calls');
    }
    likelihoods.add(token, said);
    const found = finder.push(said);
    if (found.text !== '') yield text(found.text);
    if (found.stop === undefined) continue;
    if (found.stop < options.stops.length) return end('stop');
    const begun = beginCall(options, found, said);
    if (!loop.fits()) return end('length');
    reader = createCallReader(options);
    yield* reader.push(begun);
  }
  if (reader !== undefined) return end(loop.finishReason() === 'length' ? 'length' : 'tool_calls');
  const rest = finder.push(detokenizer.end());
  const left = rest.text + (rest.stop === undefined ? finder.end() : '');
  if (left !== '') yield text(left);
  return end(loop.finishReason());
}

/**
 * The model has just said the last of `CALL_START`: from here on the grammar decides. What the same token
 * said beyond it stays if the grammar takes it; else the token is taken back for one that says less.
 */
function beginCall({ loop, vocabulary, callGrammar }: AnswerOptions, found: Found, said: string): string {
  const grammar = callGrammar!;
  const { after = '' } = found;
  const state = grammar.nextText(grammar.start, CALL_START + after);
  if (state !== undefined) {
    loop.constrain(grammar, state);
    return after;
  }
  const kept = said.slice(0, said.length - after.length);
  loop.constrain(grammar, grammar.nextText(grammar.start, CALL_START)!, vocabulary.encodePlain(kept));
  return '';
}

/** Between calls there is nothing that holds a brace. */
const CALL_HEAD = /^[^{]*\{"name": ("(?:[^"\\]|\\.)*"), "arguments": /;

interface CallReader {
  push(text: string): Generator<Part>;
  /** No call after these is wanted. */
  ended(): boolean;
  /** Calls left out. */
  repeated(): number;
  looped(): boolean;
}

interface OpenCall {
  readonly name: string;
  readonly scan: (text: string) => number;
  args: string;
  /** How many characters of its arguments have left; undefined while it may still be an earlier call again. */
  told: number | undefined;
}

/**
 * Reads the one form that the call grammar allows: each call's arguments leave as they come. A call that says what an
 * earlier one said, word for word, is left out, and several of them end the answer: small models go round in circles, and
 * what is done twice may not be undone. Who did mean it asks again when the first one's result is there.
 */
function createCallReader({
  newId,
  maxSameCalls = 1,
}: Pick<AnswerOptions, 'newId' | 'maxSameCalls'>): CallReader {
  const calls: OpenCall[] = [];
  let head = '';
  let open: OpenCall | undefined;
  let repeated = 0;
  let repeatedInARow = 0;
  const looped = () => repeatedInARow >= LOOP_CALLS;

  function* push(text: string): Generator<Part> {
    if (looped()) return;
    if (open !== undefined) return yield* body(open, text);
    head += text;
    const match = CALL_HEAD.exec(head);
    if (match === null) return;
    const rest = head.slice(match[0].length);
    head = '';
    open = { name: JSON.parse(match[1]!) as string, scan: createValueScan(), args: '', told: undefined };
    yield* body(open, rest);
  }
  function* body(call: OpenCall, text: string): Generator<Part> {
    const length = call.scan(text);
    const whole = length < text.length;
    call.args += text.slice(0, length);
    const alike = calls.filter(
      ({ name, args }) => name === call.name && (whole ? args === call.args : args.startsWith(call.args)),
    );
    if (call.told !== undefined || alike.length < maxSameCalls) yield* tell(call);
    if (!whole) return;
    open = undefined;
    const isRepeated = call.told === undefined;
    repeated += isRepeated ? 1 : 0;
    repeatedInARow = isRepeated ? repeatedInARow + 1 : 0;
    if (!isRepeated) calls.push(call);
    yield* push(text.slice(length + 1));
  }
  function* tell(call: OpenCall): Generator<Part> {
    const index = calls.length;
    if (call.told === undefined) {
      yield { type: 'tool-call-delta', index, id: newId(), name: call.name, argumentsText: '' };
    }
    const argumentsText = call.args.slice(call.told ?? 0);
    call.told = call.args.length;
    if (argumentsText !== '') yield { type: 'tool-call-delta', index, argumentsText };
  }
  return { push, ended: () => looped() || calls.length >= MAX_CALLS, repeated: () => repeated, looped };
}

/** How much of a text still belongs to the JSON value, which ends at a brace that it did not open. */
function createValueScan(): (text: string) => number {
  let depth = 0;
  let quoted = false;
  let escaped = false;
  return (text) => {
    for (let at = 0; at < text.length; at += 1) {
      const letter = text[at]!;
      if (escaped) escaped = false;
      else if (quoted) {
        if (letter === '\\') escaped = true;
        else if (letter === '"') quoted = false;
      } else if (letter === '"') quoted = true;
      else if (letter === '{' || letter === '[') depth += 1;
      else if (letter === '}' || letter === ']') {
        if (depth === 0) return at;
        depth -= 1;
      }
    }
    return text.length;
  };
}

interface Likelihoods {
  add(token: Token, said: string): void;
  /** Of the tokens that begin in this text, the next that leaves. */
  take(text: string): readonly TokenLogprob[];
}

/**
 * Each is told with the first of its text that leaves; that of a token of which none does, as of a stop sequence, never.
 * A token that ends no character goes with the one that does.
 */
function createLikelihoods(vocabulary: Vocabulary): Likelihoods {
  const waiting: { readonly start: number; readonly isPart: boolean; readonly logprob: TokenLogprob }[] = [];
  let said = 0;
  let left = 0;
  return {
    add({ likelihood }, text) {
      const start = said;
      said += text.length;
      if (likelihood === undefined) return;
      waiting.push({ start, isPart: text === '', logprob: logprobOf(likelihood, vocabulary) });
    },
    take(text) {
      left += text.length;
      const last = waiting.findLastIndex(({ start, isPart }) => start < left && !isPart);
      return waiting.splice(0, last + 1).map(({ logprob }) => logprob);
    },
  };
}

function logprobOf({ chosen, top }: NonNullable<Token['likelihood']>, vocabulary: Vocabulary): TokenLogprob {
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
