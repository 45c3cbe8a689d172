// Owns a conversation as token ids by the model's own chat template. Refuses to let anything said in a
// message, a name or a tool's schema become a control token: only the template's own text may.
import { Template } from '@huggingface/jinja';
import { NearfieldError } from '../../errors.ts';
import { textOf } from '../../messages.ts';
import type { ChatMessage, ToolDefinition } from '../../types.ts';
import { callText, responseText, toolsText } from './tool-text.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface ChatTemplateOptions {
  /** Jinja source, as in tokenizer_config.json or chat_template.jinja. */
  readonly source: string;
  readonly vocabulary: Vocabulary;
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  /** Further variables the template asks for, e.g. `{ enable_thinking: false }`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

export interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly ToolDefinition[] | undefined;
  /** Tell the model that it may call several. Default false. */
  readonly severalCalls?: boolean | undefined;
}

export interface ChatTemplate {
  /** Ids of the whole prompt, up to where the assistant begins. @throws invalid-request */
  encode(conversation: Conversation): readonly number[];
  /** The same as text, for people to look at. */
  render(conversation: Conversation): string;
}

/** @throws model-unsupported when the source is no template */
export function createChatTemplate(options: ChatTemplateOptions): ChatTemplate {
  const { source, vocabulary, variables = {} } = options;
  const template = parse(source);
  const knowsTools = /\btools\b/.test(source);
  const fixed = {
    bos_token: options.bosToken ?? '',
    eos_token: options.eosToken ?? '',
    ...variables,
    add_generation_prompt: true,
  };
  const marks = markerFor(vocabulary);

  const rendered = (conversation: Conversation, mark: string): string => {
    const { messages, tools } = plainTurns(conversation, knowsTools);
    const turns = messages.map((message) => marks.mark(message, mark, message.role === 'assistant'));
    const given = tools === undefined ? undefined : marks.mark(tools, mark, false);
    const run = (said: unknown) => template.render({ ...fixed, messages: said, tools: given });
    try {
      return run(turns);
    } catch (error) {
      // Some families have no system turn: then it opens the first user's.
      const folded = withoutSystem(turns as Turn[]);
      if (folded === undefined) throw refused(error, source);
      try {
        return run(folded);
      } catch {
        throw refused(error, source);
      }
    }
  };

  return {
    render: (conversation) => rendered(conversation, ''),
    encode(conversation) {
      const mark = unusedCharacter(source, conversation);
      return encodeMarked(rendered(conversation, mark), mark, vocabulary);
    },
  };
}

function parse(source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw new NearfieldError('model-unsupported', 'The chat template can not be read.', { cause });
  }
}

/** The template's own words may be repeated; those of the conversation may not. */
function refused(error: unknown, source: string): NearfieldError {
  const said = error instanceof Error ? error.message.replace(/[.!]+$/, '') : '';
  const reason = said !== '' && source.includes(said) ? `: ${said}` : '';
  return new NearfieldError('invalid-request', `The model’s chat template refuses these messages${reason}.`, {
    param: 'messages',
    // Its own rules, such as turns that take turns; others' differ.
    elsewhere: true,
  });
}

interface Turn {
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}

/** Messages as templates know them. Where one knows no tools, calls and results are told in words. */
function plainTurns(
  { messages: said, tools = [], severalCalls = false }: Conversation,
  knowsTools: boolean,
): { readonly messages: readonly Turn[]; readonly tools: readonly ToolDefinition[] | undefined } {
  const messages = inOrderOfCalls(said);
  const turns = knowsTools ? messages.map(turnOf) : wordTurns(messages);
  if (knowsTools || tools.length === 0)
    return { messages: turns, tools: tools.length > 0 ? tools : undefined };
  const [first] = turns;
  const told = toolsText(tools, severalCalls);
  const opened =
    first?.role === 'system'
      ? [{ ...first, content: `${first.content}\n\n${told}` }, ...turns.slice(1)]
      : [{ role: 'system', content: told }, ...turns];
  return { messages: opened, tools: undefined };
}

/** Results of several calls carry ids that most templates leave out: the order says whose they are. */
function inOrderOfCalls(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const ordered: ChatMessage[] = [];
  let order = new Map<string, number>();
  let results: ChatMessage[] = [];
  const place = ({ tool_call_id: id = '' }: ChatMessage) => order.get(id) ?? order.size;
  const release = () => {
    ordered.push(...results.sort((a, b) => place(a) - place(b)));
    results = [];
  };
  for (const message of messages) {
    if (message.role === 'tool') {
      results.push(message);
      continue;
    }
    release();
    order = new Map((message.tool_calls ?? []).map(({ id }, index) => [id, index]));
    ordered.push(message);
  }
  release();
  return ordered;
}

/** Results that follow one another are one turn: many templates want users and assistants in turn. */
function wordTurns(messages: readonly ChatMessage[]): readonly Turn[] {
  const turns: Turn[] = [];
  messages.forEach((message, index) => {
    const turn = wordTurnOf(message);
    const joins = message.role === 'tool' && messages[index - 1]?.role === 'tool';
    const before = joins ? turns.pop() : undefined;
    turns.push(before === undefined ? turn : { ...turn, content: `${before.content}\n${turn.content}` });
  });
  return turns;
}

function turnOf(message: ChatMessage): Turn {
  const role = message.role === 'developer' ? 'system' : message.role;
  return {
    role,
    content: textOf(message),
    ...(message.name !== undefined && { name: message.name }),
    ...(message.tool_call_id !== undefined && { tool_call_id: message.tool_call_id }),
    ...(message.tool_calls !== undefined && {
      tool_calls: message.tool_calls.map(({ id, type, function: { name, arguments: json } }) => ({
        id,
        type,
        function: { name, arguments: argumentsOf(json) },
      })),
    }),
  };
}

function wordTurnOf(message: ChatMessage): Turn {
  if (message.role === 'tool') return { role: 'user', content: responseText(textOf(message)) };
  const { tool_calls: _calls, ...turn } = turnOf(message);
  const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: json } }) =>
    callText(name, json),
  );
  return { ...turn, content: [turn.content, ...calls].filter((text) => text !== '').join('\n') };
}

/** Templates print arguments as an object. What is no JSON stays the text it is. */
function argumentsOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function withoutSystem(turns: readonly Turn[]): readonly Turn[] | undefined {
  const system = turns.filter(({ role }) => role === 'system');
  const at = turns.findIndex(({ role }) => role === 'user');
  if (system.length === 0 || at < 0) return undefined;
  const opening = system.map(({ content }) => content).join('\n\n');
  return turns
    .map((turn, index) => (index === at ? { ...turn, content: `${opening}\n\n${turn.content}` } : turn))
    .filter(({ role }) => role !== 'system');
}

// ---- marks

/**
 * Before every character with which a control token could begin, a mark is put into what was said. It
 * travels through the template, which may trim, split or print the text as JSON, and is taken out again
 * when the text is tokenised: a control token right behind a mark is none.
 */
function markerFor(vocabulary: Vocabulary) {
  const firsts = (tokens: Vocabulary['added']) =>
    new RegExp(`[${[...new Set(tokens.map(({ content }) => escaped([...content][0]!)))].join('')}]`, 'gu');
  const any = vocabulary.added.length > 0 ? firsts(vocabulary.added) : undefined;
  const special = vocabulary.added.filter(({ special: is }) => is);
  // A template may look for its own marks of thought or calls in what the assistant said.
  const strict = special.length > 0 ? firsts(special) : undefined;

  function mark<T>(value: T, sign: string, assistant: boolean): T {
    const pattern = assistant ? strict : any;
    if (pattern === undefined || sign === '') return value;
    const walk = (part: unknown): unknown => {
      if (typeof part === 'string') return part.replace(pattern, `${sign}$&`);
      if (Array.isArray(part)) return part.map(walk);
      if (typeof part !== 'object' || part === null) return part;
      return Object.fromEntries(Object.entries(part).map(([key, entry]) => [walk(key), walk(entry)]));
    };
    return walk(value) as T;
  }
  return { mark };
}

/** A noncharacter of Unicode that nobody used. Source: Unicode 16, 23.7, U+FDD0…U+FDEF. */
function unusedCharacter(source: string, conversation: Conversation): string {
  const given = source + JSON.stringify(conversation);
  for (let code = 0xfdd0; code <= 0xfdef; code += 1) {
    const character = String.fromCharCode(code);
    if (!given.includes(character)) return character;
  }
  throw new NearfieldError('invalid-request', 'The messages use every noncharacter of Unicode.', {
    param: 'messages',
    elsewhere: true,
  });
}

function encodeMarked(text: string, mark: string, vocabulary: Vocabulary): readonly number[] {
  const clean = text.replaceAll(mark, '');
  if (vocabulary.added.length === 0) return vocabulary.encodePlain(clean);
  const own = ownControls(text, mark, vocabulary);
  const apparent = [...clean.matchAll(controlPattern(vocabulary, ''))];
  if (apparent.length === own.length && apparent.every(({ index }, at) => index === own[at]!.start)) {
    const ids = vocabulary.encodeTemplate(clean);
    const controls = new Set(vocabulary.added.map(({ id }) => id));
    // A normaliser may still have made one of what only looks alike.
    if (ids.filter((id) => controls.has(id)).length === own.length) return ids;
  }
  return encodeApart(clean, own, vocabulary);
}

interface Control {
  readonly start: number;
  readonly end: number;
  readonly content: string;
}

/** The template's own control tokens, placed in the text without marks. */
function ownControls(text: string, mark: string, vocabulary: Vocabulary): readonly Control[] {
  return [...text.matchAll(controlPattern(vocabulary, mark))].map(({ 0: content, index }) => {
    const marksBefore = text.slice(0, index).split(mark).length - 1;
    const start = index - marksBefore;
    return { start, end: start + content.length, content };
  });
}

function controlPattern({ added }: Vocabulary, mark: string): RegExp {
  const names = added.map(({ content }) => content).sort((a, b) => b.length - a.length);
  const guard = mark === '' ? '' : `(?<!${mark})`;
  return new RegExp(`${guard}(?:${names.map(escaped).join('|')})`, 'g');
}

function encodeApart(text: string, controls: readonly Control[], vocabulary: Vocabulary): readonly number[] {
  const byName = new Map(vocabulary.added.map((token) => [token.content, token]));
  const ids: number[] = [];
  let from = 0;
  let trimStart = false;
  const say = (until: number, trimEnd: boolean) => {
    let piece = text.slice(from, until);
    if (trimStart) piece = piece.trimStart();
    if (trimEnd) piece = piece.trimEnd();
    ids.push(...vocabulary.encodePlain(piece));
  };
  for (const { start, end, content } of controls) {
    const token = byName.get(content)!;
    say(start, token.lstrip);
    ids.push(token.id);
    from = end;
    trimStart = token.rstrip;
  }
  say(text.length, false);
  return ids;
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
