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

/**
 * Looks for the first of several sequences to be whole, wherever the text is cut; of those whole at the same place the
 * longest. Empty sequences never match.
 */
export function createStopFinder(stops: readonly string[]): StopFinder {
  let held = '';
  return {
    push(text) {
      held += text;
      const hit = firstWhole(held, stops);
      if (hit !== undefined) {
        const found = { text: held.slice(0, hit.at), stop: hit.stop, after: held.slice(hit.end) };
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

/** By where it ends, not where it begins: a longer one that began before may never come to its end. */
function firstWhole(
  text: string,
  stops: readonly string[],
): { readonly at: number; readonly end: number; readonly stop: number } | undefined {
  let best: { at: number; end: number; stop: number } | undefined;
  for (const [stop, sequence] of stops.entries()) {
    const at = sequence === '' ? -1 : text.indexOf(sequence);
    const end = at + sequence.length;
    if (at < 0) continue;
    if (best === undefined || end < best.end || (end === best.end && at < best.at)) best = { at, end, stop };
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
