// Owns Amazon's binary event stream: bytes cut anywhere become frames whose CRCs hold, and frames of
// ConverseStream become parts. Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
import { EventStreamCodec } from '@smithy/eventstream-codec';
import * as z from 'zod/mini';
import { type ErrorCode, NearfieldError } from '../errors.ts';
import type { FinishReason, TierPart, Usage } from '../types.ts';

// The protocol's own bound is 24 MiB; Bedrock's frames are a few hundred bytes. A length beyond this is
// damage, and waiting for so many bytes would be waiting for ever.
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
const MIN_FRAME_BYTES = 16;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : decoder.decode(bytes)),
  (text) => encoder.encode(text),
);

export interface Frame {
  /** `event`, `exception` or `error`. */
  readonly messageType: string;
  /** Event or exception name. */
  readonly name: string;
  readonly body: unknown;
}

/** Frames out of chunks of any size. Throws on a bad CRC and on an end inside a frame. */
export async function* framesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, void> {
  let held = new Uint8Array();
  for await (const chunk of chunks) {
    held = held.length === 0 ? chunk.slice() : concat(held, chunk);
    for (let length = frameLength(held); length !== undefined && held.length >= length; ) {
      yield frameOf(held.subarray(0, length));
      held = held.subarray(length);
      length = frameLength(held);
    }
  }
  if (held.length > 0) throw new Error('The event stream ended inside a frame.');
}

/** Total length of the frame that begins here; undefined until its four length bytes are all there. */
function frameLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  if (length >= MIN_FRAME_BYTES && length <= MAX_FRAME_BYTES) return length;
  throw new Error(`Expected a frame of ${MIN_FRAME_BYTES} to ${MAX_FRAME_BYTES} bytes, got ${length}.`);
}

function frameOf(bytes: Uint8Array): Frame {
  const { headers, body } = codec.decode(bytes);
  const text = (name: string): string => String(headers[name]?.value ?? '');
  return {
    messageType: text(':message-type'),
    name: text(':event-type') || text(':exception-type') || text(':error-code'),
    body: body.length === 0 ? {} : JSON.parse(decoder.decode(body)),
  };
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const EXCEPTIONS: Readonly<Record<string, ErrorCode>> = {
  throttlingexception: 'upstream-throttled',
  modelnotreadyexception: 'upstream-throttled',
  servicequotaexceededexception: 'upstream-throttled',
  modeltimeoutexception: 'upstream-timeout',
  modelstreamerrorexception: 'upstream-unavailable',
  modelerrorexception: 'upstream-unavailable',
  internalserverexception: 'upstream-unavailable',
  serviceunavailableexception: 'upstream-unavailable',
  validationexception: 'upstream-rejected',
  accessdeniedexception: 'upstream-rejected',
  resourcenotfoundexception: 'model-not-found',
};

/** Bedrock's name for a failure (`ThrottlingException:http://…` in a header, camelCase in a frame) as a code. */
export function codeOfException(name: string): ErrorCode | undefined {
  return EXCEPTIONS[name.split(':')[0]!.toLowerCase()];
}

const FINISH: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  content_filtered: 'content_filter',
  guardrail_intervened: 'content_filter',
};

// Unknown fields, `p` padding among them, are left out.
const startEvent = z.object({
  contentBlockIndex: z.number(),
  start: z.optional(z.object({ toolUse: z.optional(z.object({ toolUseId: z.string(), name: z.string() })) })),
});
const deltaEvent = z.object({
  contentBlockIndex: z.number(),
  delta: z.object({
    text: z.optional(z.string()),
    toolUse: z.optional(z.object({ input: z.string() })),
  }),
});
const stopEvent = z.object({ stopReason: z.string() });
const metadataEvent = z.object({
  usage: z.optional(z.object({ inputTokens: z.number(), outputTokens: z.number() })),
});

/** Parts out of ConverseStream's frames, ended by one `finish`. @throws the exception a frame carries */
export async function* partsOf(
  frames: AsyncIterable<Frame>,
  tierId: string,
  model: string,
): AsyncGenerator<TierPart, void, void> {
  const toolIndexes = new Map<number, number>();
  let finishReason: FinishReason | undefined;
  let usage: Usage | undefined;
  for await (const { messageType, name, body } of frames) {
    if (messageType !== 'event') throw exceptionOf(tierId, name);
    if (name === 'messageStop') finishReason = finishOf(stopEvent.parse(body).stopReason, tierId);
    else if (name === 'metadata') usage = usageOf(body);
    else {
      const part = contentOf(name, body, toolIndexes);
      if (part !== undefined) yield part;
    }
  }
  if (finishReason === undefined) return;
  yield { type: 'finish', finishReason, usage, model };
}

/** @throws upstream-unavailable where the model's own words cannot be read as an answer */
function finishOf(stopReason: string, tierId: string): FinishReason {
  if (!stopReason.startsWith('malformed_')) return FINISH[stopReason] ?? 'stop';
  const message = `Tier ${tierId} broke off: its model wrote what is no answer and no tool call.`;
  throw new NearfieldError('upstream-unavailable', message, { tier: tierId });
}

function contentOf(name: string, body: unknown, toolIndexes: Map<number, number>): TierPart | undefined {
  if (name === 'contentBlockStart') {
    const { contentBlockIndex, start } = startEvent.parse(body);
    if (start?.toolUse === undefined) return undefined;
    // Bedrock counts blocks, text included; OpenAI counts tool calls.
    const index = toolIndexes.size;
    toolIndexes.set(contentBlockIndex, index);
    const { toolUseId, name: tool } = start.toolUse;
    return { type: 'tool-call-delta', index, id: toolUseId, name: tool, argumentsText: '' };
  }
  if (name !== 'contentBlockDelta') return undefined;
  const { contentBlockIndex, delta } = deltaEvent.parse(body);
  if (delta.text !== undefined) return { type: 'text-delta', text: delta.text };
  const index = toolIndexes.get(contentBlockIndex);
  if (delta.toolUse === undefined || index === undefined) return undefined;
  return { type: 'tool-call-delta', index, argumentsText: delta.toolUse.input };
}

function usageOf(body: unknown): Usage | undefined {
  const { usage } = metadataEvent.parse(body);
  return usage && { promptTokens: usage.inputTokens, completionTokens: usage.outputTokens };
}

function exceptionOf(tierId: string, name: string): NearfieldError {
  const code = codeOfException(name) ?? 'upstream-unavailable';
  const known = codeOfException(name) === undefined ? 'an unknown exception' : name;
  return new NearfieldError(code, `Tier ${tierId} sent ${known} in its stream.`, { tier: tierId });
}
