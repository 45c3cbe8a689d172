// Owns token ids to text while they come: a character leaves only when its last byte is there, a text only
// when no stop sequence can begin in it. Refuses to hold back more than that.
import type { Vocabulary } from './vocabulary.ts';

export interface Detokenizer {
  /** Text that is whole now; empty for control tokens and parts of a character. */
  push(id: number): string;
  /** What is left: U+FFFD for a character that was never finished. */
  end(): string;
}

export function createDetokenizer(vocabulary: Vocabulary): Detokenizer {
  // A byte order mark is text like any other here.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let first = vocabulary.dropsFirstSpace;
  const trimmed = (text: string): string => {
    if (!first || text === '') return text;
    first = false;
    return text.startsWith(' ') ? text.slice(1) : text;
  };
  return {
    push(id) {
      const bytes = vocabulary.bytesOf(id);
      return bytes === undefined ? '' : trimmed(decoder.decode(bytes, { stream: true }));
    },
    end: () => trimmed(decoder.decode()),
  };
}

export interface StopFinder {
  push(text: string): Found;
  /** What was held back and turned out to be text. */
  end(): string;
}

export interface Found {
  /** Text that may leave. */
  readonly text: string;
  /** Which stop sequence ended it. */
  readonly stop?: number | undefined;
  /** With `stop`: what came after the sequence. */
  readonly after?: string | undefined;
}

/** Looks for the earliest of several sequences, wherever the text is cut. Empty sequences never match. */
export function createStopFinder(stops: readonly string[]): StopFinder {
  let held = '';
  return {
    push(text) {
      held += text;
      const hit = earliest(held, stops);
      if (hit !== undefined) {
        const found = { text: held.slice(0, hit.at), stop: hit.stop, after: held.slice(hit.at + hit.length) };
        held = '';
        return found;
      }
      const from = held.length - possibleStart(held, stops);
      const free = held.slice(0, from);
      held = held.slice(from);
      return { text: free };
    },
    end() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

function earliest(
  text: string,
  stops: readonly string[],
): { readonly at: number; readonly stop: number; readonly length: number } | undefined {
  let best: { at: number; stop: number; length: number } | undefined;
  for (const [stop, sequence] of stops.entries()) {
    if (sequence === '') continue;
    const at = text.indexOf(sequence);
    if (at >= 0 && (best === undefined || at < best.at)) best = { at, stop, length: sequence.length };
  }
  return best;
}

/** Length of the longest end of `text` with which some sequence begins. */
function possibleStart(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const sequence of stops) {
    for (let length = Math.min(text.length, sequence.length - 1); length > longest; length -= 1) {
      if (text.endsWith(sequence.slice(0, length))) longest = length;
    }
  }
  return longest;
}
