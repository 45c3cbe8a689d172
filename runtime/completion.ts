// Owns an answer as one value: a stream of parts folded into text, passages, tool calls and the end's facts.
import { NearfieldError } from './errors.ts';
import type { Passage, ResponseEnd, StreamPart } from './types.ts';

/** A whole answer, for callers who do not stream. */
export interface Completion extends Omit<ResponseEnd, 'type'> {
  readonly text: string;
  readonly passages: readonly Passage[];
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
}

/** Folds a stream into one value. */
export async function collect(parts: AsyncIterable<StreamPart>): Promise<Completion> {
  let text = '';
  let passages: readonly Passage[] = [];
  let end: ResponseEnd | undefined;
  const calls = new Map<number, { id: string; name: string; arguments: string }>();
  for await (const part of parts) {
    if (part.type === 'text-delta') text += part.text;
    else if (part.type === 'sources') passages = part.passages;
    else if (part.type === 'response-end') end = part;
    else if (part.type === 'tool-call-delta') {
      const call = calls.get(part.index) ?? { id: '', name: '', arguments: '' };
      calls.set(part.index, {
        id: part.id ?? call.id,
        name: part.name ?? call.name,
        arguments: call.arguments + part.argumentsText,
      });
    }
  }
  if (end === undefined) throw new NearfieldError('internal', 'A stream ended without its end part.');
  const { type: _type, ...facts } = end;
  return { ...facts, text, passages, toolCalls: [...calls.values()] };
}
