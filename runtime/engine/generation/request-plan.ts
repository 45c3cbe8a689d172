// Owns what a chat request means to a local model: its prompt within the context, its sampling, its grammar,
// its stops. Refuses what can not be done, naming the field.
import { NearfieldError } from '../../errors.ts';
import { textOf } from '../../messages.ts';
import type { ChatMessage, ChatRequest, SourceDocument, ToolDefinition } from '../../types.ts';
import type { Grammars } from './grammar/grammars.ts';
import { randomSeed } from './random.ts';
import type { Sampling } from './sampler.ts';
import type { ChatTemplate } from './template.ts';
import type { TokenGrammar } from './token-grammar.ts';
import { planTools } from './tool-text.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface PlanOptions {
  readonly vocabulary: Vocabulary;
  readonly template: ChatTemplate;
  readonly grammars: Grammars;
  /** Ids with which the model ends its turn. */
  readonly endIds: ReadonlySet<number>;
  /** Tokens of prompt and answer together. */
  readonly context: number;
  /** Where the request sets none. */
  readonly defaults?: Partial<Omit<Sampling, 'seed' | 'logitBias'>> | undefined;
  /** Tokens of an answer whose request sets no limit. Default 1024, and never beyond the context. */
  readonly defaultMaxTokens?: number | undefined;
  /**
   * A conversation too long for the context: `error` says so; `drop-oldest` leaves out the oldest turns,
   * never the system's nor the last user's. Default `error`.
   */
  readonly overflow?: 'error' | 'drop-oldest' | undefined;
}

export interface Plan {
  readonly prompt: readonly number[];
  /** Messages left out to make it fit. */
  readonly dropped: number;
  readonly maxTokens: number;
  readonly sampling: Sampling;
  readonly stops: readonly string[];
  readonly calls: 'text' | 'free' | 'must';
  readonly grammar?: TokenGrammar | undefined;
  readonly callGrammar?: TokenGrammar | undefined;
  readonly logprobs?: number | undefined;
}

/** An answer is given at least this much of the context, or what it asks for if that is less. */
const LEAST_ANSWER = 64;

/** @throws context-overflow, invalid-request */
export function planRequest(request: ChatRequest, options: PlanOptions): Plan {
  const shape = shapeOf(request, options.grammars);
  const { context, defaultMaxTokens = 1024 } = options;
  const wanted = request.max_completion_tokens ?? defaultMaxTokens;
  const room = context - Math.min(wanted, LEAST_ANSWER);
  const { prompt, dropped } = promptWithin(request, shape, room, options);
  return {
    ...shape,
    prompt,
    dropped,
    maxTokens: Math.min(wanted, context - prompt.length),
    sampling: samplingOf(request, options),
    logprobs: request.logprobs === true ? (request.top_logprobs ?? 0) : undefined,
  };
}

interface AnswerShape extends Pick<Plan, 'calls' | 'grammar' | 'callGrammar' | 'stops'> {
  readonly tools: readonly ToolDefinition[];
  readonly severalCalls: boolean;
}

function shapeOf(request: ChatRequest, grammars: Grammars): AnswerShape {
  const stops = (request.stop ?? []).filter((stop) => stop !== '');
  const plan = planTools(request);
  const format = request.response_format?.type ?? 'text';
  const must = plan?.mode === 'must';
  if (stops.length > 0 && (must || format !== 'text')) {
    throw unable('stop', 'can cut JSON short, so it is not taken with response_format or a required tool');
  }
  if (plan !== undefined && format !== 'text') {
    throw unable(
      'response_format',
      'and tools are not taken together; set tool_choice to none or leave one out',
    );
  }
  if (plan === undefined) {
    return {
      tools: [],
      severalCalls: false,
      calls: 'text',
      grammar: formatGrammar(request, grammars),
      stops,
    };
  }
  const { tools, several } = plan;
  const callGrammar = grammars.calls(tools, several);
  const grammar = must ? callGrammar : undefined;
  return { tools, severalCalls: several, calls: plan.mode, grammar, callGrammar, stops };
}

function formatGrammar(
  { response_format: format }: ChatRequest,
  grammars: Grammars,
): TokenGrammar | undefined {
  if (format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json_object') return grammars.jsonObject();
  return grammars.json(format.json_schema.schema ?? {}, 'response_format.json_schema.schema');
}

function samplingOf(request: ChatRequest, { defaults, vocabulary }: PlanOptions): Sampling {
  const bias = Object.entries(request.logit_bias ?? {}).map(([id, by]): [number, number] => [Number(id), by]);
  if (bias.some(([id]) => !(id < vocabulary.size))) {
    throw refusal('logit_bias', `names an id outside 0…${vocabulary.size - 1}`);
  }
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 } = defaults ?? {};
  return {
    temperature: request.temperature ?? temperature,
    topK: request.top_k ?? topK,
    topP: request.top_p ?? topP,
    minP: request.min_p ?? minP,
    repetitionPenalty: request.repetition_penalty ?? repetitionPenalty,
    frequencyPenalty: request.frequency_penalty ?? 0,
    presencePenalty: request.presence_penalty ?? 0,
    logitBias: new Map(bias),
    seed: request.seed ?? randomSeed(),
  };
}

/** The prompt's ids, at most `room`. */
function promptWithin(
  request: ChatRequest,
  { tools, severalCalls }: AnswerShape,
  room: number,
  { template, overflow = 'error', context }: PlanOptions,
): { readonly prompt: readonly number[]; readonly dropped: number } {
  const messages = withSystem(request.messages, [
    ...documentTexts(request.documents ?? []),
    ...formatTexts(request),
  ]);
  const encode = (kept: readonly ChatMessage[]) => template.encode({ messages: kept, tools, severalCalls });
  const whole = encode(messages);
  if (whole.length <= room) return { prompt: whole, dropped: 0 };
  if (overflow === 'drop-oldest') {
    for (const kept of shorter(messages)) {
      const prompt = encode(kept);
      if (prompt.length <= room) return { prompt, dropped: messages.length - kept.length };
    }
  }
  throw new NearfieldError(
    'context-overflow',
    `The conversation has ${whole.length} tokens and the model takes ${context}, answer included. Shorten it${
      overflow === 'error' ? ", or create the generator with overflow: 'drop-oldest'" : ''
    }.`,
    { param: 'messages' },
  );
}

/** Ever fewer of the oldest turns; a turn goes with all that answered it. */
function* shorter(messages: readonly ChatMessage[]): Generator<readonly ChatMessage[]> {
  const isSystem = ({ role }: ChatMessage) => role === 'system' || role === 'developer';
  const system = messages.filter(isSystem);
  const rest = messages.filter((message) => !isSystem(message));
  for (let from = 1; from < rest.length; from += 1) {
    if (rest[from]!.role === 'user') yield [...system, ...rest.slice(from)];
  }
}

/** Documents that nobody extracted from become part of what the system says. */
function documentTexts(documents: readonly SourceDocument[]): readonly string[] {
  if (documents.length === 0) return [];
  const told = documents.map(({ id, title, text }) => `# ${title ?? id}\n${text}`);
  return ['Answer from these documents.', ...told];
}

/** The grammar holds whatever the model says to the form; told of it, it says more sensible things. */
function formatTexts({ response_format: format }: ChatRequest): readonly string[] {
  if (format === undefined || format.type === 'text') return [];
  if (format.type === 'json_object') return ['Reply with a JSON object and nothing else.'];
  const { description, schema = {} } = format.json_schema;
  const about = description === undefined ? '' : ` (${description})`;
  return [`Reply with JSON of this schema${about} and nothing else:\n${JSON.stringify(schema)}`];
}

function withSystem(messages: readonly ChatMessage[], texts: readonly string[]): readonly ChatMessage[] {
  if (texts.length === 0) return messages;
  const [first, ...rest] = messages;
  const isSystem = first?.role === 'system' || first?.role === 'developer';
  const content = [...(isSystem ? [textOf(first)] : []), ...texts].join('\n\n');
  return [{ role: 'system', content }, ...(isSystem ? rest : messages)];
}

/** Local models can not; a tier elsewhere may. */
function unable(param: string, problem: string): NearfieldError {
  return new NearfieldError('invalid-request', `${param} ${problem}.`, { param, elsewhere: true });
}

function refusal(param: string, problem: string): NearfieldError {
  return new NearfieldError('invalid-request', `${param} ${problem}.`, { param });
}
