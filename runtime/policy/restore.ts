// Owns the way back: placeholders in a streamed answer become the originals, at every split of the
// stream, holding back at most one placeholder's length. Only exact placeholders of this very request
// count; a damaged one is left as it came, never guessed. URLs, code and tool arguments stay as they are
// unless the policy says otherwise.
import type { Passage, TierPart, TokenLogprob } from '../types.ts';
import type { PolicyDocument } from './document.ts';
import { originalOffset, type Redaction } from './redact.ts';
import { createRegionTracker, type Region } from './regions.ts';

export interface Restorer {
  /** Text that can be shown now; the rest is held until it can no longer become a placeholder. */
  push(text: string): string;
  /** What is still held, as it came. */
  flush(): string;
}

export interface RestorerOptions {
  /** May a placeholder be restored here? Default: prose only. */
  readonly allow?: (region: Region) => boolean;
  /** How an original is written where it goes. Default: as it is. */
  readonly write?: (original: string) => string;
}

/** A restorer of one stream of text over `table` (placeholder, brackets included, to original). */
export function createRestorer(table: ReadonlyMap<string, string>, options: RestorerOptions = {}): Restorer {
  const allow = options.allow ?? ((region) => region === 'prose');
  const write = options.write ?? ((original) => original);
  const placeholders = [...table.keys()];
  const longest = placeholders.reduce((length, one) => Math.max(length, one.length), 0);
  const tracker = createRegionTracker();
  let held = '';

  const put = (text: string): string => {
    tracker.observe(text);
    return text;
  };
  const restored = (placeholder: string): string => {
    const original = table.get(placeholder) as string;
    return put(allow(tracker.region()) ? write(original) : placeholder);
  };

  return {
    push(text) {
      if (longest === 0) return text;
      const buffer = held + text;
      held = '';
      let out = '';
      let from = 0;
      for (let open = buffer.indexOf('['); open >= 0; open = buffer.indexOf('[', from)) {
        out += put(buffer.slice(from, open));
        const window = buffer.slice(open, open + longest);
        const placeholder = window.slice(0, window.indexOf(']') + 1);
        if (table.has(placeholder)) {
          out += restored(placeholder);
          from = open + placeholder.length;
        } else if (window.length < longest && placeholders.some((one) => one.startsWith(window))) {
          held = buffer.slice(open);
          return out;
        } else {
          out += put('[');
          from = open + 1;
        }
      }
      return out + put(buffer.slice(from));
    },
    flush() {
      const rest = held;
      held = '';
      return put(rest);
    },
  };
}

/** Restores one answer's parts, in order. Text held when another part comes is given out before it. */
export async function* restoreParts(
  parts: AsyncIterable<TierPart>,
  redaction: Redaction,
  restoreIn: NonNullable<PolicyDocument['restoreIn']>,
): AsyncGenerator<TierPart> {
  const allow = (region: Region) => region === 'prose' || restoreIn.includes(region);
  const isJson = JSON_FORMATS.has(redaction.request.response_format?.type);
  const text = createRestorer(redaction.table, { allow, ...(isJson && { write: inJsonString }) });
  const argumentsOf = new Map<number, Restorer>();
  const argumentRestorer = (index: number): Restorer => {
    const known = argumentsOf.get(index);
    if (known) return known;
    const made = createRestorer(redaction.table, { allow: () => true, write: inJsonString });
    argumentsOf.set(index, made);
    return made;
  };
  // As the model said them: of a placeholder's tokens, none is likelier for what stands behind it.
  let logprobs: readonly TokenLogprob[] = [];
  const textOf = (ready: string): TierPart => {
    const told = logprobs;
    logprobs = [];
    return { type: 'text-delta', text: ready, ...(told.length > 0 && { logprobs: told }) };
  };
  const release = function* (): Generator<TierPart> {
    const rest = text.flush();
    if (rest !== '') yield textOf(rest);
    for (const [index, restorer] of argumentsOf) {
      const argumentsText = restorer.flush();
      if (argumentsText !== '') yield { type: 'tool-call-delta', index, argumentsText };
    }
  };
  for await (const part of parts) {
    if (part.type === 'text-delta') {
      const ready = text.push(part.text);
      if (part.logprobs !== undefined) logprobs = [...logprobs, ...part.logprobs];
      // The first part decides about fallback, so an empty one still counts.
      if (ready !== '' || part.text === '') yield textOf(ready);
    } else if (part.type === 'tool-call-delta') {
      const name = part.name === undefined ? undefined : (redaction.names.get(part.name) ?? part.name);
      const argumentsText = restoreIn.includes('tool-arguments')
        ? argumentRestorer(part.index).push(part.argumentsText)
        : part.argumentsText;
      yield { ...part, ...(name !== undefined && { name }), argumentsText };
    } else {
      yield* release();
      yield part.type === 'sources'
        ? { ...part, passages: restorePassages(part.passages, redaction, allow) }
        : part;
    }
  }
  yield* release();
}

/** Asked for JSON, a model puts placeholders into strings: a line break or a quote there would end or forge one. */
const JSON_FORMATS: ReadonlySet<string | undefined> = new Set(['json_object', 'json_schema']);

function inJsonString(original: string): string {
  return JSON.stringify(original).slice(1, -1);
}

/**
 * Passages that quote the caller's own documents are restored whole, offsets included. What an edge tells beside is an
 * answer like any other: it could have written a link round a placeholder.
 */
function restorePassages(
  passages: readonly Passage[],
  redaction: Redaction,
  allow: (region: Region) => boolean,
): readonly Passage[] {
  const written = (text: string, isQuotation: boolean) => {
    const restorer = createRestorer(redaction.table, { allow: isQuotation ? () => true : allow });
    return restorer.push(text) + restorer.flush();
  };
  return passages.map((passage) => {
    const source = redaction.request.documents?.find((document) => document.id === passage.documentId);
    const segments = redaction.segments.get(source?.text ?? '') ?? [];
    const { start, end, title } = passage;
    return {
      ...passage,
      documentId: written(passage.documentId, source !== undefined),
      ...(title !== undefined && { title: written(title, source?.title === title) }),
      start: originalOffset(segments, start, 'start'),
      end: originalOffset(segments, end, 'end'),
      text: written(passage.text, source?.text.slice(start, end) === passage.text),
    };
  });
}
