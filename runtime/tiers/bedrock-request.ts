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

/** The JSON body of Converse and ConverseStream. @throws invalid-request where Converse has no such shape */
export function converseBody(request: ChatRequest): object {
  const messages = turnsOf(request.messages);
  if (messages.length === 0) {
    throw new NearfieldError('invalid-request', 'Expected a message with text.', { param: 'messages' });
  }
  const system = systemOf(request).map((text) => ({ text }));
  const inferenceConfig = defined({
    maxTokens: request.max_completion_tokens,
    temperature: request.temperature,
    topP: request.top_p,
    stopSequences: request.stop,
  });
  return defined({
    messages,
    system: system.length === 0 ? undefined : system,
    inferenceConfig: Object.keys(inferenceConfig).length === 0 ? undefined : inferenceConfig,
    toolConfig: toolConfigOf(request),
    outputConfig: outputConfigOf(request),
  });
}

/** Roles must alternate and blank text is refused, so neighbours merge and blanks go. */
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

function parseArguments(json: string, path: string): unknown {
  try {
    return json.trim() === '' ? {} : JSON.parse(json);
  } catch {
    // The parser's message quotes the arguments.
    const param = `${path}.function.arguments`;
    throw new NearfieldError('invalid-request', `${param}: expected JSON.`, { param });
  }
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
  return said;
}

function toolConfigOf({ messages, tools = [], tool_choice: choice }: ChatRequest): object | undefined {
  const used = messages.flatMap(({ tool_calls }) => (tool_calls ?? []).map(({ function: { name } }) => name));
  // Converse refuses tool turns in a conversation that names no tools, so these are named from the history.
  const past: ToolDefinition[] = [...new Set(used)]
    .filter((name) => !tools.some((tool) => tool.function.name === name))
    .map((name) => ({ type: 'function', function: { name } }));
  const offered = choice === 'none' && used.length === 0 ? [] : [...tools, ...past];
  if (offered.length === 0) return undefined;
  return defined({ tools: offered.map(toolSpecOf), toolChoice: toolChoiceOf(choice) });
}

function toolSpecOf({ function: { name, description, parameters, strict } }: ToolDefinition): object {
  const inputSchema = { json: parameters ?? { type: 'object', properties: {} } };
  return { toolSpec: defined({ name, description, inputSchema, strict }) };
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
