// Owns how a chat request becomes Bedrock's Converse body. Only what is mapped here is sent: `user`, `scope`,
// names and every unknown field stay.
// Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
import { NearfieldError } from '../errors.ts';
import { textOf } from '../messages.ts';
import type { ChatMessage, ChatRequest, ToolDefinition } from '../types.ts';
import { documentsText } from './upstream.ts';

type Block = Readonly<Record<string, unknown>>;
interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: Block[];
}

/**
 * The JSON body of Converse and ConverseStream, for a model of that name.
 * @throws invalid-request where Converse has no such shape
 */
export function converseBody(request: ChatRequest, model = ''): object {
  refuseLogprobs(request);
  const system = systemOf(request).map((text) => ({ text }));
  const messages = turnsOf(request.messages);
  if (messages.length === 0 && system.length === 0) {
    throw new NearfieldError('invalid-request', 'Expected a message with text.', { param: 'messages' });
  }
  if (messages[0]?.role !== 'user') messages.unshift({ role: 'user', content: [NOTHING_SAID] });
  const stops = request.stop?.filter((stop) => stop !== '') ?? [];
  const inferenceConfig = defined({
    maxTokens: request.max_completion_tokens,
    // OpenAI's goes to 2, Converse's to 1.
    temperature: request.temperature === undefined ? undefined : Math.min(request.temperature, 1),
    // Claude takes one of the two.
    topP: /claude/i.test(model) && request.temperature !== undefined ? undefined : request.top_p,
    stopSequences: stops.length === 0 ? undefined : stops,
  });
  return defined({
    messages,
    system: system.length === 0 ? undefined : system,
    inferenceConfig: Object.keys(inferenceConfig).length === 0 ? undefined : inferenceConfig,
    toolConfig: toolConfigOf(request),
    outputConfig: outputConfigOf(request),
  });
}

/**
 * Converse tells no likelihoods. An answer without them is not the one that was asked for, so this is refused, as
 * LiteLLM does unless told to drop parameters, and left to a tier that has them.
 */
function refuseLogprobs({ logprobs }: ChatRequest): void {
  if (logprobs !== true) return;
  const message = 'logprobs: Bedrock tells none. Ask without, or add a tier that does.';
  throw new NearfieldError('invalid-request', message, { param: 'logprobs', elsewhere: true });
}

/** The user must speak first, and where none did this stands for it. */
const NOTHING_SAID: Block = { text: '(Nothing was said yet.)' };

/**
 * Roles must alternate and blank text is refused, as is blank space at the end of a beginning that the model is to
 * go on with. So neighbours merge and blanks go.
 */
function turnsOf(messages: readonly ChatMessage[]): Turn[] {
  const turns: Turn[] = [];
  messages.forEach((message, index) => {
    if (message.role === 'system' || message.role === 'developer') return;
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const content = blocksOf(message, index);
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else if (content.length > 0) turns.push({ role, content });
  });
  const end = turns.at(-1);
  const said = end?.role === 'assistant' ? end.content.at(-1)?.text : undefined;
  if (typeof said === 'string') end!.content.splice(-1, 1, { text: said.trimEnd() });
  return turns;
}

function blocksOf(message: ChatMessage, index: number): Block[] {
  const text = textOf(message);
  if (message.role === 'tool') {
    const content = [{ text: text.trim() === '' ? '(no output)' : text }];
    return [{ toolResult: { toolUseId: message.tool_call_id ?? '', content } }];
  }
  const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: json } }, at) => ({
    toolUse: { toolUseId: id, name, input: parseArguments(json, `messages.${index}.tool_calls.${at}`) },
  }));
  return [...(text.trim() === '' ? [] : [{ text }]), ...calls];
}

/** Converse takes nothing but an object here. */
function parseArguments(json: string, path: string): object {
  const param = `${path}.function.arguments`;
  // The parser's own message quotes the arguments.
  const refusal = new NearfieldError('invalid-request', `${param}: expected a JSON object.`, { param });
  if (json.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw refusal;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal;
  return value;
}

function systemOf(request: ChatRequest): string[] {
  const said = request.messages
    .filter(({ role }) => role === 'system' || role === 'developer')
    .map(textOf)
    .filter((text) => text.trim() !== '');
  const documents = request.documents ?? [];
  if (documents.length > 0) said.push(documentsText(documents));
  // Converse has schemas but no plain JSON mode.
  if (request.response_format?.type === 'json_object')
    said.push('Answer with one JSON object and nothing else.');
  // Where the history makes it name tools, Converse has no word for wanting none called.
  if (request.tool_choice === 'none' && namesCalled(request).length > 0)
    said.push('Answer in words. Call no tool.');
  return said;
}

/** Functions that the conversation has called already. */
function namesCalled({ messages }: ChatRequest): readonly string[] {
  return messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map(({ function: { name } }) => name));
}

function toolConfigOf(request: ChatRequest): object | undefined {
  const { tools = [], tool_choice: choice } = request;
  const used = namesCalled(request);
  // Converse refuses tool turns in a conversation that names no tools, so these are named from the history.
  const past: ToolDefinition[] = [...new Set(used)]
    .filter((name) => !tools.some((tool) => tool.function.name === name))
    .map((name) => ({ type: 'function', function: { name } }));
  const offered = choice === 'none' && used.length === 0 ? [] : [...tools, ...past];
  if (offered.length === 0) return undefined;
  return defined({ tools: offered.map(toolSpecOf), toolChoice: toolChoiceOf(choice) });
}

function toolSpecOf({ function: { name, description, parameters, strict } }: ToolDefinition): object {
  const inputSchema = { json: { type: 'object', ...(parameters ?? { properties: {} }) } };
  const told = description?.trim() === '' ? undefined : description;
  return { toolSpec: defined({ name, description: told, inputSchema, strict }) };
}

function toolChoiceOf(choice: ChatRequest['tool_choice']): object | undefined {
  if (choice === 'auto') return { auto: {} };
  if (choice === 'required') return { any: {} };
  return typeof choice === 'object' ? { tool: { name: choice.function.name } } : undefined;
}

function outputConfigOf({ response_format: format }: ChatRequest): object | undefined {
  if (format?.type !== 'json_schema') return undefined;
  const { name, description, schema } = format.json_schema;
  const jsonSchema = defined({ name, description, schema: JSON.stringify(schema ?? { type: 'object' }) });
  return { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
}

function defined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
