// Owns what the emulated Bedrock says: a behaviour becomes Converse's JSON or ConverseStream's frames, with
// CRCs, `p` padding and exceptions as AWS sends them. Knows no socket.
import { EventStreamCodec } from '@smithy/eventstream-codec';

/** Converse's request, as far as the emulator reads it. */
export interface ConverseRequest {
  readonly messages?: readonly {
    readonly role: string;
    readonly content: readonly ContentBlock[];
  }[];
  readonly system?: readonly { readonly text: string }[];
  readonly inferenceConfig?: Readonly<Record<string, unknown>>;
  readonly toolConfig?: Readonly<Record<string, unknown>>;
  readonly outputConfig?: Readonly<Record<string, unknown>>;
}

export interface ContentBlock {
  readonly text?: string;
  readonly toolUse?: { readonly toolUseId: string; readonly name: string; readonly input: unknown };
  readonly toolResult?: {
    readonly toolUseId: string;
    readonly content: readonly { readonly text?: string }[];
  };
}

/** What the emulator does with one request. */
export type BedrockBehaviour =
  /** Repeats what reached it, so that a reader sees it and placeholders travel back. The default. */
  | { readonly kind: 'echo'; readonly delayMs?: number }
  /** Says these deltas. */
  | {
      readonly kind: 'text';
      readonly deltas: readonly string[];
      readonly stopReason?: string;
      readonly delayMs?: number;
    }
  | {
      readonly kind: 'tool';
      readonly name: string;
      readonly input: unknown;
      readonly text?: string;
      /** Calls after the first. */
      readonly more?: readonly { readonly name: string; readonly input: unknown }[];
    }
  /** An HTTP error before any frame. */
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly type: string;
      readonly retryAfterSeconds?: number;
      readonly message?: string;
    }
  /** A 200 whose stream holds an exception after so many deltas; after none it is the only frame. */
  | { readonly kind: 'exception'; readonly type: string; readonly afterDeltas: number }
  /** The connection dies inside a frame, after so many whole deltas. */
  | { readonly kind: 'cut'; readonly afterDeltas: number }
  /** Sends so many deltas, then nothing, until the client leaves. */
  | { readonly kind: 'hang'; readonly afterDeltas: number }
  /** A frame whose message CRC is wrong, after so many deltas. */
  | { readonly kind: 'corrupt'; readonly afterDeltas: number };

export const THROTTLED: BedrockBehaviour = { kind: 'error', status: 429, type: 'ThrottlingException' };
export const NOT_READY: BedrockBehaviour = { kind: 'error', status: 429, type: 'ModelNotReadyException' };
export const SERVER_ERROR: BedrockBehaviour = { kind: 'error', status: 500, type: 'InternalServerException' };
export const UNAVAILABLE: BedrockBehaviour = {
  kind: 'error',
  status: 503,
  type: 'ServiceUnavailableException',
};
export const FILTERED: BedrockBehaviour = {
  kind: 'text',
  deltas: ['I cannot help with that.'],
  stopReason: 'content_filtered',
};

/** Frames in order; the last of a `cut` is half a frame. */
export interface FramePlan {
  readonly frames: readonly Uint8Array[];
  readonly end: 'close' | 'destroy' | 'hang';
  /** Milliseconds before each delta. */
  readonly delayMs: number;
}

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes),
  (text) => new TextEncoder().encode(text),
);
const FILLER = ['One ', 'two ', 'three — ', 'quatre, ', '五 ', '🙂.'];

/** One event frame. `p` pads bodies to hide their length, as Bedrock does. */
export function eventFrame(type: string, body: object): Uint8Array {
  const padded = {
    ...body,
    p: 'abcdefghijklmnopqrstuvwxyz'.slice(0, 3 + (JSON.stringify(body).length % 23)),
  };
  return frame({ ':message-type': 'event', ':event-type': type }, padded);
}

export function exceptionFrame(type: string): Uint8Array {
  return frame({ ':message-type': 'exception', ':exception-type': type }, { message: `Emulated ${type}.` });
}

function frame(headers: Readonly<Record<string, string>>, body: object): Uint8Array {
  const all = { ...headers, ':content-type': 'application/json' };
  return codec.encode({
    headers: Object.fromEntries(
      Object.entries(all).map(([name, value]) => [name, { type: 'string' as const, value }]),
    ),
    body: new TextEncoder().encode(JSON.stringify(body)),
  });
}

/** The behaviour as frames of ConverseStream. */
export function framesOf(behaviour: BedrockBehaviour, request: ConverseRequest): FramePlan {
  const delayMs = 'delayMs' in behaviour ? (behaviour.delayMs ?? 0) : 0;
  const begin = eventFrame('messageStart', { role: 'assistant' });
  if ('afterDeltas' in behaviour) {
    const deltas = Array.from({ length: behaviour.afterDeltas }, (_, i) => FILLER[i % FILLER.length]!);
    return { ...brokenPlan(behaviour, begin, deltas.map(textFrame)), delayMs };
  }
  const { deltas, toolUses = [], stopReason } = contentOf(behaviour, request);
  const frames = [begin, ...deltas.map(textFrame)];
  if (deltas.length > 0) frames.push(eventFrame('contentBlockStop', { contentBlockIndex: 0 }));
  const first = deltas.length > 0 ? 1 : 0;
  frames.push(...toolUses.flatMap((toolUse, at) => toolFrames(toolUse, first + at)));
  frames.push(eventFrame('messageStop', { stopReason }), metadataFrame(request, deltas));
  return { frames, end: 'close', delayMs };
}

function brokenPlan(
  behaviour: Extract<BedrockBehaviour, { afterDeltas: number }>,
  begin: Uint8Array,
  deltas: readonly Uint8Array[],
): Omit<FramePlan, 'delayMs'> {
  const good = behaviour.kind === 'exception' && deltas.length === 0 ? [] : [begin, ...deltas];
  const next = textFrame('never whole');
  if (behaviour.kind === 'exception')
    return { frames: [...good, exceptionFrame(behaviour.type)], end: 'close' };
  if (behaviour.kind === 'hang') return { frames: good, end: 'hang' };
  if (behaviour.kind === 'cut') {
    return { frames: [...good, next.subarray(0, Math.floor(next.length / 2))], end: 'destroy' };
  }
  next[next.length - 1]! ^= 0xff;
  return { frames: [...good, next], end: 'close' };
}

function textFrame(text: string): Uint8Array {
  return eventFrame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } });
}

function toolFrames({ toolUseId, name, input }: ToolUse, index: number): Uint8Array[] {
  const json = JSON.stringify(input);
  const pieces = json.match(/.{1,6}/gsu) ?? [];
  return [
    eventFrame('contentBlockStart', { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } }),
    ...pieces.map((piece) =>
      eventFrame('contentBlockDelta', { contentBlockIndex: index, delta: { toolUse: { input: piece } } }),
    ),
    eventFrame('contentBlockStop', { contentBlockIndex: index }),
  ];
}

function metadataFrame(request: ConverseRequest, deltas: readonly string[]): Uint8Array {
  return eventFrame('metadata', { usage: usageOf(request, deltas.join('')), metrics: { latencyMs: 5 } });
}

/** The behaviour as Converse's JSON. Broken streams have no shape here and answer as an echo. */
export function converseOf(behaviour: BedrockBehaviour, request: ConverseRequest): object {
  const { deltas, toolUses = [], stopReason } = contentOf(behaviour, request);
  const text = deltas.join('');
  const content = [...(text === '' ? [] : [{ text }]), ...toolUses.map((toolUse) => ({ toolUse }))];
  return {
    output: { message: { role: 'assistant', content } },
    stopReason,
    usage: usageOf(request, text),
    metrics: { latencyMs: 5 },
  };
}

interface ToolUse {
  readonly toolUseId: string;
  readonly name: string;
  readonly input: unknown;
}

function contentOf(
  behaviour: BedrockBehaviour,
  request: ConverseRequest,
): { deltas: readonly string[]; toolUses?: readonly ToolUse[]; stopReason: string } {
  if (behaviour.kind === 'text') {
    return { deltas: behaviour.deltas, stopReason: behaviour.stopReason ?? 'end_turn' };
  }
  if (behaviour.kind === 'tool') {
    const toolUses = [behaviour, ...(behaviour.more ?? [])].map(({ name, input }, at) => ({
      toolUseId: `tooluse_emulated${at + 1}`,
      name,
      input,
    }));
    return { deltas: behaviour.text === undefined ? [] : [behaviour.text], toolUses, stopReason: 'tool_use' };
  }
  return { deltas: pieces(summaryOf(request)), stopReason: 'end_turn' };
}

/** What reached the cloud, said plainly: the reader of the demo can compare it with what they typed. */
function summaryOf(request: ConverseRequest): string {
  const messages = request.messages ?? [];
  const last = messages.findLast(({ role }) => role === 'user');
  const text = (last?.content ?? []).map(textOfBlock).join(' ').trim();
  const words = text.split(/\s+/).filter((word) => word !== '').length;
  return (
    `The emulated cloud model received ${messages.length} message(s), the last of ${words} word(s): ` +
    `“${text}” That is all it was told. A real model would answer from this text alone.`
  );
}

function textOfBlock(block: ContentBlock): string {
  return block.text ?? (block.toolResult?.content ?? []).map(({ text }) => text ?? '').join(' ');
}

/** Seven characters a delta: fewer than a placeholder has, so each one straddles several. */
function pieces(text: string): string[] {
  return text.match(/.{1,7}/gsu) ?? [];
}

function usageOf(request: ConverseRequest, answer: string): object {
  const inputTokens = Math.ceil(JSON.stringify(request.messages ?? []).length / 4);
  const outputTokens = Math.ceil(answer.length / 4);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
}

/** What Bedrock's own validation would say of this request, or undefined. */
export function validationErrorOf(request: ConverseRequest, modelId = ''): string | undefined {
  const { messages } = request;
  if (!Array.isArray(messages) || messages.length === 0) return 'messages must not be empty';
  if (messages[0].role !== 'user') return 'A conversation must start with a user message.';
  const roles = messages.map(({ role }) => role as string);
  if (roles.some((role, i) => role === roles[i - 1]))
    return 'Roles must alternate between user and assistant.';
  const blocks: ContentBlock[] = messages.flatMap(({ content }) => content);
  if (blocks.some(({ text }) => text !== undefined && text.trim() === '')) return 'The text field is blank.';
  const usesTools = blocks.some(
    ({ toolUse, toolResult }) => toolUse !== undefined || toolResult !== undefined,
  );
  if (usesTools && request.toolConfig === undefined) return 'The toolConfig field must be defined.';
  const last = messages.at(-1)!;
  if (last.role === 'assistant' && /\s$/.test(last.content.at(-1)?.text ?? ''))
    return 'final assistant content cannot end with trailing whitespace';
  return inferenceErrorOf(request.inferenceConfig, modelId) ?? toolErrorOf(request.toolConfig);
}

function inferenceErrorOf(
  config: ConverseRequest['inferenceConfig'] = {},
  modelId: string,
): string | undefined {
  const { temperature = 0, stopSequences = [] } = config as {
    temperature?: number;
    stopSequences?: string[];
  };
  if (temperature > 1) return "Value at 'inferenceConfig.temperature' must be less than or equal to 1";
  if (/claude/.test(modelId) && 'temperature' in config && 'topP' in config)
    return '`temperature` and `top_p` cannot both be specified for this model.';
  if (stopSequences.includes(''))
    return "Value at 'inferenceConfig.stopSequences' must have length at least 1";
  return undefined;
}

interface ToolSpec {
  readonly description?: string;
  readonly inputSchema: { readonly json: { readonly type?: string } };
}

function toolErrorOf(config: ConverseRequest['toolConfig'] = {}): string | undefined {
  const { tools = [] } = config as { tools?: { readonly toolSpec: ToolSpec }[] };
  for (const { toolSpec } of tools) {
    if (toolSpec.description === '') return "Value at 'description' must have length at least 1";
    if (toolSpec.inputSchema.json.type !== 'object') return 'inputSchema.json.type must be object';
  }
  return undefined;
}
